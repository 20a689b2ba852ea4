"""What measuring costs: processor seconds per pair beyond decoding, and memory, on real clips or made-up ones.

    python -m tests.benchmarks.signals [FOLDER]

FOLDER holds `source.mp4` and `edit.mp4`; without it a pair of 81 frames of 1280x720 is taken from shared/data beside the
checkout, or made up. Decoding is what reading both clips costs with the same reader in the same run.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from sparkle_bench import signals  # noqa: E402
from sparkle_bench.video import planes  # noqa: E402
from tests.conftest import DATA  # noqa: E402
from tests.makers import write_clip  # noqa: E402

ROUNDS = 5


def main() -> None:
    """Print the best of a few rounds."""
    with tempfile.TemporaryDirectory() as made_up:
        source, edited = _pair(Path(made_up))
        signals.measure(source, edited)  # imports and caches
        decoding = min(
            _seconds(lambda: [sum(1 for _ in planes(p, most=241)) for p in (source, edited)]) for _ in range(ROUNDS)
        )
        whole = min(_seconds(lambda: signals.measure(source, edited)) for _ in range(ROUNDS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{source.name}: decoding {decoding:.2f} s, measuring {whole:.2f} s, beyond decoding {whole - decoding:.2f} s"
    )
    print(f"measuring / decoding = {whole / decoding:.1f}; peak memory of the process {peak:.0f} MB")


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _pair(folder: Path) -> tuple[Path, Path]:
    if len(sys.argv) > 1:
        return Path(sys.argv[1]) / "source.mp4", Path(sys.argv[1]) / "edit.mp4"
    real = DATA / "sparkle-bench-mini" / "source_videos" / "location" / "Sparkle_location_000223.mp4"
    edits = list((DATA / "submissions" / "sparkle-data").rglob(f"{real.stem}_edited.mp4"))
    if real.is_file() and edits:
        return real, edits[0]
    size = (1280, 720)
    return (
        write_clip(folder / "source.mp4", frames=81, size=size, seed=1),
        write_clip(folder / "edit.mp4", frames=81, size=size, seed=2),
    )


if __name__ == "__main__":
    main()
