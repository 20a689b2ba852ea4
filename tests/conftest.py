"""What several tests need: the real data beside the checkout, and where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real videos; a test that needs it is left out, and says so, where it is missing."""
    if not DATA.is_dir():
        pytest.skip("left out: needs the real videos of shared/data beside the checkout")
    return DATA


@pytest.fixture(scope="session")
def mini(data: Path) -> Path:
    """Eight real samples in Sparkle-Bench's layout."""
    return data / "sparkle-bench-mini"
