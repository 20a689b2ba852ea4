"""Having a program make clips: one call for those of one shape, and each clip by itself if that call fails."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sparkle_bench.editors.preset import Output
from sparkle_bench.editors.process import Ended, Programs
from sparkle_bench.editors.program import clip as clips
from sparkle_bench.editors.program.call import Call, Seen, free_port, turn
from sparkle_bench.editors.program.clip import Clip
from sparkle_bench.editors.program.spec import Spec
from sparkle_bench.editors.program.template import Values
from sparkle_bench.errors import EditorError, MachineError, OutOfMemory, SparkleError
from sparkle_bench.records import Effort

Outcome = Effort | SparkleError
T = TypeVar("T")
R = TypeVar("R")

AT_A_TIME = 4
"""Clips of a call that are decoded or encoded beside each other."""
_GPU_IS_FULL = re.compile(r"(?:CUDA|HIP) out of memory|OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY")
_DISK_IS_FULL = re.compile(r"No space left on device|Disk quota exceeded")


class _Failed(Exception):
    """A call failed as a whole.

    Attributes:
        error: Why.
        again: Whether its clips may fare better one by one.
    """

    def __init__(self, error: SparkleError, *, again: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes clips.

    Attributes:
        spec: How the program is called.
        values: The placeholders that all calls share.
        output: How edits are written.
        timeout: Seconds for each clip of a call.
        scratch: Where the folders of calls are made; None for where this machine keeps temporary files.
        programs: What runs it.
    """

    spec: Spec
    values: Values
    output: Output
    timeout: float
    scratch: Path | None
    programs: Programs

    def made(self, batch: Sequence[Clip]) -> list[Outcome]:
        """Make clips, with one call for those of one shape, and return what came of each, in order."""
        shapes = {str(clip.given): clip.given for clip in batch}
        outcomes: dict[str, Outcome] = {}
        for shape in shapes.values():
            outcomes |= self._group([clip for clip in batch if clip.given == shape])
        return [outcomes[clip.sample.id] for clip in batch]

    def _group(self, group: Sequence[Clip]) -> dict[str, Outcome]:
        """Make clips of one shape with one call, or with a call for each if the program fails; outcomes by id."""
        outcomes: dict[str, Outcome] = {}
        try:
            with _folder(self.scratch) as folder:
                written = _side_by_side(lambda clip: self._source(clip, folder), group)
                sources = dict(zip((clip.sample.id for clip in group), written, strict=True))
                outcomes = {name: source for name, source in sources.items() if not isinstance(source, Path)}
                ready = [clip for clip in group if clip.sample.id not in outcomes]
                if ready:
                    outcomes |= self._called(self._call(folder, ready, sources), ready)
        except _Failed as failed:
            left = [clip for clip in group if clip.sample.id not in outcomes]
            for clip in left:
                again = failed.again and len(left) > 1
                outcomes |= self._group([clip]) if again else {clip.sample.id: _another(failed.error)}
        return outcomes

    def _source(self, clip: Clip, folder: Path) -> Path:
        """Return the file that the program is given for a clip."""
        if self.spec.as_is:
            return clip.sample.source_path.resolve()
        return clips.write_source(clip, folder / "sources" / f"{clip.sample.id}.mp4", self.spec.source_crf)

    def _call(self, folder: Path, ready: Sequence[Clip], sources: Mapping[str, object]) -> Call:
        own: dict[str, str | int | float | bool] = {
            "folder": str(folder), "sources": str(folder / "sources"), "port": free_port()
        }  # fmt: skip
        if self.spec.jobs is not None:
            own["jobs"] = str(folder / self.spec.jobs.name)
        return Call(
            spec=self.spec,
            folder=folder,
            values={**self.values, **ready[0].shape, **own},
            clips=[clip.values(Path(str(sources[clip.sample.id])), folder) for clip in ready],
        )

    def _called(self, call: Call, made: Sequence[Clip]) -> dict[str, Outcome]:
        """Call the program and return what came of each clip, by id."""
        limit = self.timeout * len(made)
        call.write_files()
        with turn(call):
            before = call.seen()
            try:
                ended = self.programs.run(call.start(limit))
            except EditorError as error:
                raise _Failed(error, again=False) from error
            _check(ended, limit)
            videos = [_video(call, values, before, ended) for values in call.clips]
        effort = Effort(
            seconds=round(ended.seconds / len(made), 3),
            frames=made[0].given.frames,
            aligned=self.output.aligned,
            host_memory=ended.host_memory,
            gpu_memory=ended.gpu_memory,
        )

        def finished(pair: tuple[Clip, Path | SparkleError]) -> Effort:
            clip, video = pair
            if not isinstance(video, Path):
                raise video
            clips.write_edit(clip, video, self.spec, self.output)
            return effort

        edits = _side_by_side(finished, list(zip(made, videos, strict=True)))
        return dict(zip((clip.sample.id for clip in made), edits, strict=True))


def _check(ended: Ended, limit: float) -> None:
    """Raise if the program failed."""
    if ended.code is None:
        said = f"the program ran longer than {limit:g} s and was ended: {ended.tail}"
        raise _Failed(EditorError(said), again=False)
    if ended.code != 0:
        error = _error(f"the program ended with code {ended.code}: {ended.tail}", ended)
        raise _Failed(error, again=not isinstance(error, MachineError))


def _video(call: Call, clip: Values, before: Seen, ended: Ended) -> Path | SparkleError:
    """Return what the program made of a clip, or why there is nothing."""
    try:
        return call.made(clip, before)
    except EditorError as error:
        return _error(f"{error}; it ended well and said: {ended.tail}", ended)


def _error(message: str, ended: Ended) -> SparkleError:
    """Return the kind of error that the program's last words speak of."""
    if _DISK_IS_FULL.search(ended.printed):
        return MachineError(message)
    return OutOfMemory(message) if _GPU_IS_FULL.search(ended.printed) else EditorError(message)


def _another(error: SparkleError) -> SparkleError:
    """Return an error of its own for a thread of its own to raise."""
    return type(error)(str(error))


def _side_by_side(do: Callable[[T], R], items: Sequence[T]) -> list[R | SparkleError]:
    """Return what a function returns for each item, or the error that it raises."""

    def outcome(item: T) -> R | SparkleError:
        try:
            return do(item)
        except SparkleError as error:
            return error

    if len(items) == 1:
        return [outcome(items[0])]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(outcome, items))


@contextmanager
def _folder(scratch: Path | None) -> Iterator[Path]:
    """Make the folder of one call, and remove it when it is over."""
    with tempfile.TemporaryDirectory(prefix="sparkle-bench-", dir=scratch, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "sources").mkdir()
        (folder / "out").mkdir()
        yield folder
