"""One sample's video: read, probed, hashed, compared with its source, and with `deep` decoded to the end.

Whatever the file is, this ends in a record. Trouble of this machine is on record as such and never as the video's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkle_bench import video
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import MachineError, VideoError, is_machine_trouble, one_line
from sparkle_bench.records import Sample
from sparkle_bench.validation.finding import Checked, Notes
from sparkle_bench.validation.looking import look

if TYPE_CHECKING:
    from sparkle_bench.submission.layout import Layout
    from sparkle_bench.submission.near import NearMiss

MOST_NEAR = 3
"""So many files that look like a sample's are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done for each sample.

    Attributes:
        found: Which file is which sample's.
        near: By sample id, the files that look like it.
        deep: Whether to decode every frame.
        hashes: The hashes of files.
        sources: By hash of a source, the ids of the samples that have it.
    """

    found: Layout
    near: Mapping[str, Sequence[NearMiss]]
    deep: bool
    hashes: Hashes
    sources: Mapping[str, tuple[str, ...]]


def check(sample: Sample, task: Task) -> Checked:
    """Find out about one sample's video."""
    path = task.found.videos.get(sample.id)
    if path is None:
        return _absent(sample, task)
    notes = Notes(path=path)
    try:
        _read(sample, task, notes)
        if notes.probe is not None:
            look(sample, notes.probe, notes, deep=task.deep)
    except MachineError as error:
        notes.add("machine", error)
    except VideoError as error:  # changed since it was probed
        notes.add("undecodable", error)
    except OSError as error:  # gone or changed since it was found
        notes.add("machine" if is_machine_trouble(error) else "unreadable", f"cannot read {path.name}: {_why(error)}")
    return Checked(
        sample_id=sample.id,
        file=relative(path, task.found.base),
        findings=tuple(notes.findings),
        probe=notes.probe,
        size=notes.size,
        sha256=notes.sha256,
    )


def relative(path: Path, base: Path) -> str:
    """Return a file's path from the folder handed in; one that lies elsewhere is told by its name alone."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def _absent(sample: Sample, task: Task) -> Checked:
    notes, found = Notes(path=task.found.base), task.found
    near = task.near.get(sample.id, ())
    for miss in near[:MOST_NEAR]:
        notes.add("near_miss", f"{miss.path} should be {miss.place}: {miss.why}")
    if len(near) > MOST_NEAR:
        notes.add("near_miss", f"and {len(near) - MOST_NEAR} more files look like it")
    if sample.id in found.absent:
        notes.add("missing", f"the manifest names {found.absent[sample.id]}, where there is no file")
    elif not near:
        place = sample.edit_path if found.kind == "tree" else f"{sample.id}_edited.mp4"
        notes.add("missing", "the manifest has no row of it" if found.kind == "manifest" else f"there is no {place}")
    return Checked(sample_id=sample.id, findings=tuple(notes.findings))


def _read(sample: Sample, task: Task, notes: Notes) -> None:
    """Probe and hash a file, and compare it with what was promised and with the sources' hashes."""
    try:
        notes.size = notes.path.stat().st_size
        notes.probe = video.probe(notes.path)
    except VideoError as error:
        notes.add(error.kind, error)
    if notes.size is not None and 0 < notes.size <= video.MAX_BYTES:
        notes.sha256 = task.hashes.of(notes.path)
    promise = task.found.promised.get(sample.id)
    if promise is not None and notes.size is not None:
        if promise.bytes is not None and promise.bytes != notes.size:
            notes.add(
                "changed", f"the manifest lists {promise.bytes} bytes, and the file has {notes.size}; copy it again"
            )
        elif promise.sha256 is not None and notes.sha256 not in (None, promise.sha256):
            notes.add("changed", "its bytes are not those that the manifest lists (another sha256); copy it again")
    owners = task.sources.get(notes.sha256 or "", ())
    if sample.id in owners:
        notes.add("source_again", "the very file of the source: nothing was edited")
    elif owners:
        notes.add("source_again", f"the very file of another sample's source, {owners[0]}")


def _why(error: OSError) -> str:
    return one_line(error.strerror or type(error).__name__)
