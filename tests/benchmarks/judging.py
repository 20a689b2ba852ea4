"""What judging costs beside waiting for the judge: time, processor seconds, memory, on many pairs and a server of fixed pace.

    python -m tests.benchmarks.judging [--short] [--tenfold] [--strict]

458 pairs (`--short`: 60) of twelve real clips under other ids, or of made-up clips without shared/data beside the checkout;
a server that answers after 300 ms; 20 workers. `--tenfold` repeats the whole files with ten times the samples; `--strict`
ends with 1 if a target was missed. Edits are taken in by a command of its own before, for that is no judging.

The bare loop decodes with decord, resizes and encodes with OpenCV, in as many threads as there are processors, since a
processor that shares its core is slower; it runs before and after what is compared with it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sparkle_bench.video import Sampling, instants, smart_resize
from tests.benchmarks import watched
from tests.benchmarks.pairs import Pairs, make
from tests.benchmarks.steady_server import Seen, Server, serving
from tests.benchmarks.watched import Ran
from tests.cli import COMMAND

ANSWER_SECONDS = 0.3
WORKERS = 20
ALL, SHORT, FRAMES = 458, 60, 60
"""Pairs of a run; frames are measured on no more than `FRAMES`."""
PROCESSORS = len(os.sched_getaffinity(0))


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table; without a target it is for information."""

    what: str
    measured: float
    unit: str = "s"
    most: float | None = None
    least: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the target was missed."""
        return (self.most is not None and self.measured > self.most) or (
            self.least is not None and self.measured < self.least
        )

    def __str__(self) -> str:
        target = f"<= {self.most:.2f}" if self.most is not None else f">= {self.least:.2f}" if self.least else ""
        verdict = "" if not target else "MISSED" if self.missed else "ok"
        return f"{self.what:<66} {target:>9} {self.measured:>9.2f} {self.unit:<5} {verdict}"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A run of `sparkle-bench judge`, from outside and from the server's side."""

    ran: Ran
    seen: Seen

    @property
    def stage(self) -> float:
        """Seconds from the first question to the last answer."""
        return self.seen.last - self.seen.first


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run works.

    Attributes:
        pairs: What it judges.
        root: Where its results lie.
        server: Who answers.
    """

    pairs: Pairs
    root: Path
    server: Server

    def command(self, *words: str) -> Ran:
        """Run `sparkle-bench`."""
        return watched.run([*COMMAND, *words, "--bench", str(self.pairs.bench)], self.root)

    def take_in(self) -> Ran:
        """Take the edits in, without judging."""
        path = f"path={self.pairs.edits}"
        return self.command("edit", "--model", "folder", "--name", "edits", "--option", path, "--workers", "8")

    def judge(self, *words: str) -> Judged:
        """Judge them."""
        self.server.forget()
        asked = ("--judge-url", self.server.url, "--workers", str(WORKERS), "--no-signals")
        ran = self.command("judge", str(self.pairs.edits), *asked, *words)
        return Judged(ran=ran, seen=self.server.seen())


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.judging")
    for name in ("--short", "--tenfold", "--strict"):
        parser.add_argument(name, action="store_true")
    given = parser.parse_args()
    samples = SHORT if given.short else ALL
    missed = 0
    with tempfile.TemporaryDirectory() as folder, serving(ANSWER_SECONDS) as server:
        pairs = make(Path(folder) / "pairs", samples)
        place = Place(pairs=pairs, root=_folder(folder, "results"), server=server)
        clips = "twelve real clips" if pairs.real else "made-up clips, since shared/data is missing"
        print(
            f"{samples} pairs of {clips}, {WORKERS} workers, {PROCESSORS} processors, answers after {ANSWER_SECONDS} s"
        )
        for line in _lines(place, Path(folder), tenfold=given.tenfold):
            missed += line.missed
            print(line, flush=True)
    return 1 if missed and given.strict else 0


def _lines(place: Place, folder: Path, *, tenfold: bool) -> Iterator[Line]:
    yield _help()
    yield Line(what="edits taken in (no part of judging)", measured=place.take_in().seconds)
    files = place.judge("--media", "mp4")
    yield from _of_files(place, files)
    yield from _of_frames(place)
    if tenfold:
        many = Place(
            pairs=make(folder / "many", 10 * place.pairs.samples),
            root=_folder(str(folder), "many-results"),
            server=place.server,
        )
        many.take_in()
        yield from _of_tenfold(files, many.judge("--media", "mp4"))


def _of_files(place: Place, files: Judged) -> Iterator[Line]:
    """Whole files, then the finished run again."""
    samples = place.pairs.samples
    waiting = samples / WORKERS * ANSWER_SECONDS
    whole = samples == ALL
    yield Line(what=f"mp4: whole process ({waiting:.2f} s of it pure waiting)", measured=files.ran.seconds,
               most=7.6 if whole else None)  # fmt: skip
    yield Line(what="mp4: first question to last answer", measured=files.stage, most=waiting / 0.9 if whole else None)
    yield Line(what="mp4: start to first question", measured=files.seen.first - files.ran.begun)
    yield Line(what="mp4: last answer to exit", measured=files.ran.begun + files.ran.seconds - files.seen.last)
    yield Line(what="mp4: processor seconds of the process", measured=files.ran.cpu)
    yield Line(
        what="mp4: share of the processors that others used (0 on a quiet machine)", measured=files.ran.others, unit=""
    )
    yield Line(what="mp4: most questions on their way at once", measured=files.seen.at_once, unit="")
    yield Line(what="mp4: peak memory of all processes", measured=files.ran.peak, unit="MB", most=400)
    again = place.judge("--media", "mp4")
    yield Line(what="finished run again", measured=again.ran.seconds, most=1.5)
    yield Line(what="finished run again: questions", measured=again.seen.questions, unit="", most=0)
    yield Line(what="finished run again: decoders loaded", measured=again.ran.decoders, unit="", most=0)


def _of_frames(place: Place) -> Iterator[Line]:
    """Frames with nothing kept, then by another judge with the sources kept; both against the bare loop."""
    number = min(FRAMES, place.pairs.samples)
    words = ("--media", "frames", "--limit", str(number))
    before = _bare(place.pairs, number)
    cold = place.judge(*words)
    idle = place.judge(*words).ran.cpu  # all but judging
    after = _bare(place.pairs, number)
    warm = place.judge(*words, "--no-constrain")
    loop = (before + after) / 2
    yield Line(what=f"frames: bare loop, processor seconds per pair ({before:.3f}, then {after:.3f})", measured=loop)
    for name, run, most in (("nothing kept", cold, 1.15), ("sources kept", warm, 0.65)):
        each = (run.ran.cpu - idle) / number
        yield Line(what=f"frames, {name}: processor seconds per pair", measured=each)
        yield Line(what=f"frames, {name}: the same / bare loop", measured=each / loop, unit="", most=most)
        share = (run.ran.cpu - idle) / (PROCESSORS * run.stage)
        yield Line(what=f"frames, {name}: share of the processors busy", measured=share, unit="",
                   least=0.8 if run is cold else None)  # fmt: skip
        yield Line(what=f"frames, {name}: share that others used", measured=run.ran.others, unit="")
        yield Line(what=f"frames, {name}: peak memory of all processes", measured=run.ran.peak, unit="MB")


def _of_tenfold(files: Judged, many: Judged) -> Iterator[Line]:
    rates = [run.seen.questions / run.stage for run in (files, many)]
    yield Line(what=f"ten times the samples: rate / rate ({rates[1]:.1f} / {rates[0]:.1f} per second)",
               measured=rates[1] / rates[0], unit="", least=0.9)  # fmt: skip
    yield Line(what=f"ten times the samples: memory / memory ({many.ran.peak:.0f} / {files.ran.peak:.0f} MB)",
               measured=many.ran.peak / files.ran.peak, unit="", most=1.15)  # fmt: skip


def _help() -> Line:
    """`--help` against a bare Python, the best of five."""
    helped, bare = (
        min(_seconds(words) for _ in range(5)) for words in ((*COMMAND, "--help"), (sys.executable, "-c", "pass"))
    )
    return Line(what="--help beyond a bare python -c pass", measured=helped - bare, most=0.3)


def _seconds(words: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _bare(pairs: Pairs, number: int) -> float:
    """Return processor seconds per pair of decoding, resizing and encoding alone."""
    import cv2
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    cv2.setNumThreads(1)
    clips = [path for pair in pairs.paths()[:number] for path in pair]
    _loop(clips[0])
    begun = time.process_time()
    with ThreadPoolExecutor(PROCESSORS) as pool:
        list(pool.map(_loop, clips))
    return (time.process_time() - begun) / number


def _loop(path: Path) -> list[bytes]:
    import cv2
    import decord

    sampling = Sampling()
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    parts = []
    for index in instants(len(reader), sampling.frames):
        frame = reader[index].asnumpy()
        height, width = smart_resize(*frame.shape[:2], factor=sampling.factor, max_pixels=sampling.max_pixels)
        frame = cv2.cvtColor(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
        parts.append(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, sampling.quality])[1].tobytes())
    return parts


def _folder(parent: str, name: str) -> Path:
    path = Path(parent) / name
    path.mkdir()
    return path


if __name__ == "__main__":
    sys.exit(main())
