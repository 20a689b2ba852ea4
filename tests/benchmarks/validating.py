"""What validating costs beyond probing: seconds, processor seconds and memory, for a whole benchmark of pairs.

    python -m tests.benchmarks.validating [--short] [--strict]

458 pairs (`--short`: 40) of twelve real clips under other ids, or of made-up clips without shared/data beside the checkout;
each file is a copy of its own, filled up with an empty box to 2 MB, so that no hash is like another. Each line is a process
of its own. `--strict` ends with 1 if the target was missed: 90 seconds for 458 pairs on two processors.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sparkle_bench import benchmark, video
from sparkle_bench.submission.layout import Layout, find
from sparkle_bench.validation import How, Report, validate
from tests.benchmarks import watched
from tests.benchmarks.pairs import make

ALL, SHORT = 458, 40
MOST_SECONDS = 90.0
BYTES = 2_000_000
PROCESSORS = len(os.sched_getaffinity(0))


def main() -> int:
    """Measure and print a line for each kind of work."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.validating")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--work", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        WORKS[given.work[0]](Path(given.work[1]))
        return 0
    samples = SHORT if given.short else ALL
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pairs"
        pairs = make(root, samples)
        for number, path in enumerate(path for pair in pairs.paths() for path in pair):
            _own_copy(path, number)
        print(f"{samples} pairs of {'real' if pairs.real else 'made-up'} clips, {PROCESSORS} processors")
        ran = {}
        for kind in WORKS:
            command = [sys.executable, "-m", "tests.benchmarks.validating", "--work", kind, str(root)]
            ran[kind] = watched.run(command, Path.cwd())
            print(_line(kind, ran[kind], ran["start"], samples), flush=True)
    for kind in ("validate", "deep"):
        ratio = (ran[kind].cpu - ran["start"].cpu) / (ran["probe"].cpu - ran["start"].cpu)
        print(f"{kind} / probe, processor seconds: {ratio:.1f}")
    return 1 if given.strict and not given.short and ran["validate"].seconds > MOST_SECONDS else 0


def _line(kind: str, ran: watched.Ran, start: watched.Ran, samples: int) -> str:
    each = (ran.cpu - start.cpu) / samples
    return (
        f"{kind:<10} {ran.seconds:7.1f} s  {ran.cpu:7.1f} processor s  {each:6.3f} a pair  "
        f"peak {ran.peak:5.0f} MB  others used {ran.others:4.0%}"
    )


def _start(root: Path) -> None:
    """Read the benchmark and find the videos, as all the others do first."""
    _found(root)


def _probe(root: Path) -> None:
    loaded, layout = _found(root)
    paths = [*layout.videos.values(), *(sample.source_path for sample in loaded.samples)]
    with ThreadPoolExecutor(PROCESSORS) as pool:
        list(pool.map(video.probe, paths))


def _validate(root: Path) -> None:
    _fine(_validated(root, deep=False))


def _deep(root: Path) -> None:
    _fine(_validated(root, deep=True))


def _validated(root: Path, *, deep: bool) -> Report:
    loaded, layout = _found(root)
    return validate(layout, loaded.samples, How(deep=deep, workers=PROCESSORS))


def _found(root: Path) -> tuple[benchmark.Benchmark, Layout]:
    loaded = benchmark.load(root / "bench")
    return loaded, find(root / "edits", loaded.samples)


def _fine(report: Report) -> None:
    if not report.complete:
        raise RuntimeError("\n".join(report.lines()))


WORKS: dict[str, Callable[[Path], None]] = {"start": _start, "probe": _probe, "validate": _validate, "deep": _deep}


def _own_copy(path: Path, number: int) -> None:
    """Make a file one of its own, of `BYTES`: a box without meaning is appended, most of it a hole."""
    content = path.read_bytes()
    box = max(BYTES - len(content), 16)
    path.unlink()
    with path.open("wb") as file:
        file.write(content + box.to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
        file.truncate(len(content) + box)


if __name__ == "__main__":
    sys.exit(main())
