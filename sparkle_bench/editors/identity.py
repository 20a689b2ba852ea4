"""The control row: the source, unchanged. A judge that gives it more than 1 for Instruction Compliance is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

from sparkle_bench.records import Sample


class Identity:
    """The source, unchanged: the control that belongs on every board."""

    thread_safe = True

    def edit(self, sample: Sample, out: Path) -> None:
        """Copy the source."""
        shutil.copyfile(sample.source_path, out)
