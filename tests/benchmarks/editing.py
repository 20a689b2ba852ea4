"""What a worker process costs an edit, and what it gains that decoding and writing overlap with the GPU.

    python -m tests.benchmarks.editing [--edits 200] [--clips 12]

The trivial editor copies its source. The other one decodes and writes with the studio, at a GPU that is a sleep of as long
as a clip takes to be decoded and written. Ratios are printed; each number is the median of several rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sparkle_bench import benchmark, editors
from sparkle_bench.editors import Editor
from sparkle_bench.editors.placing import Where, placed
from sparkle_bench.editors.worker.process import Launch, Process
from sparkle_bench.records import Sample
from sparkle_bench.workers import stream
from tests import makers

ROUNDS = 5
SIZE = (416, 224)
FRAMES = 49


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--clips", type=int, default=12)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _overhead(root, given.edits)
        _overlap(root, given.clips)


def _overhead(root: Path, edits: int) -> None:
    samples = benchmark.load(makers.write_benchmark(root / "small")).samples
    recipe = editors.recipe("identity", {})
    here = editors.build(recipe)
    there = Process(recipe, here, Launch(python=Path(sys.executable)))
    begun = time.monotonic()
    there.load()
    _say(f"start of a worker: {time.monotonic() - begun:.2f} s")
    work = [samples[number % len(samples)] for number in range(edits)]
    alone, apart = [], []
    for _ in range(ROUNDS):
        alone.append(_seconds(here, work, root, workers=1) / edits)
        apart.append(_seconds(there, work, root, workers=1) / edits)
    there.close()
    cost = statistics.median(apart) - statistics.median(alone)
    _say(f"an edit that is a copy: {1e3 * statistics.median(alone):.3f} ms here, "
         f"{1e3 * statistics.median(apart):.3f} ms in a worker; the worker costs {1e3 * cost:.3f} ms")  # fmt: skip


def _overlap(root: Path, clips: int) -> None:
    bench = makers.write_benchmark(root / "large", samples_per_theme=1, frames=FRAMES, size=SIZE)
    samples = benchmark.load(bench).samples
    work = [samples[number % len(samples)] for number in range(clips)]
    decoding = _placed(0.0, at_once=1)
    try:
        own = _seconds(decoding, work, root, workers=1) / clips
    finally:
        editors.close(decoding)
    _say(f"decoding and writing {FRAMES} frames of {SIZE[0]}x{SIZE[1]}: {own:.3f} s; the GPU sleeps as long")
    took = {}
    for at_once in (1, 2, 3):
        editor = _placed(own, at_once=at_once)
        try:
            took[at_once] = statistics.median(_seconds(editor, work, root, workers=at_once) for _ in range(ROUNDS - 2))
        finally:
            editors.close(editor)
    for at_once, seconds in took.items():
        _say(f"{at_once} at once: {seconds / clips:.3f} s a clip, {took[1] / seconds:.2f} times as fast as one by one; "
             f"the GPU is busy {100 * own * clips / seconds:.0f} % of the time")  # fmt: skip


def _placed(seconds: float, *, at_once: int) -> Editor:
    options = {"seconds": f"{seconds}", "at_once": f"{at_once}"}
    editor = placed(editors.recipe("tests.odd_editors:Timing", options), Where())
    editors.load(editor)
    return editor


def _seconds(editor: Editor, work: Sequence[Sample], root: Path, *, workers: int) -> float:
    def do(job: tuple[int, Sample]) -> list[None]:
        out = root / f"{job[0]}.mp4"
        editor.edit(job[1], out)
        out.unlink()
        return []

    begun = time.monotonic()
    list(stream(enumerate(work), do, workers=workers))
    return time.monotonic() - begun


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
