"""Is a video still the one that was recorded?"""

from __future__ import annotations

from pathlib import Path

from sparkle_bench.benchmark import file_sha256
from sparkle_bench.errors import StaleEdit
from sparkle_bench.records import Edit


def check_hash(path: Path, edit: Edit) -> None:
    """Make sure that a file is the very one of an Edit.

    Raises:
        StaleEdit: It was changed or is gone.
    """
    try:
        same = file_sha256(path) == edit.sha256
    except OSError as error:
        raise StaleEdit(f"{path.name} cannot be read any more ({error.strerror}); run again to make it anew") from error
    if not same:
        raise StaleEdit(f"{path.name} was changed after it was recorded; run again to take it as it is")
