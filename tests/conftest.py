"""What several tests need: the real data beside the checkout, and one run of the demo."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import cli, page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium; a test that needs it is left out, and says so, where there is none."""
    with page.chromium() as found:
        yield found


@dataclass(frozen=True, kw_only=True)
class DemoRun:
    """What `sparkle-bench demo --json` left and said."""

    root: Path
    said: dict[str, Any]
    seconds: float

    def source(self, sample_id: str) -> Path:
        return next(self.root.glob(f"data/demo/source_videos/*/{sample_id}.mp4"))

    def edit(self, model: str, sample_id: str) -> Path:
        return next(self.root.glob(f"results/{model}/videos/*/*/{sample_id}_edited.mp4"))


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The demo, run once as a user does; read-only."""
    folder = tmp_path_factory.mktemp("demo-run")
    begun = time.monotonic()
    done = cli.run("demo", "--json", cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr
    return DemoRun(root=folder / "sparkle-demo", said=json.loads(done.stdout), seconds=time.monotonic() - begun)
