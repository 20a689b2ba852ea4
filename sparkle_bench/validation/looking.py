"""The pictures of an edit and of its source: what a glance at both tells, and what decoding to the end does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkle_bench import video
from sparkle_bench.errors import VideoError
from sparkle_bench.records import Probe, Sample
from sparkle_bench.validation.against import of_size, of_time
from sparkle_bench.validation.finding import Notes
from sparkle_bench.validation.likeness import is_plain, is_same, part_alike
from sparkle_bench.video.glance import Glance, glance

if TYPE_CHECKING:
    from sparkle_bench.video import Planes

LATEST = 240
"""A second look is taken in the middle of a clip, but at no later frame than this."""
STILL = 6.0
"""A clip in which no part changes by more levels of 255 than this stands still; in real clips it is 35 and more."""
BLACK = 24.0
"""A clip no part of which is ever brighter than this is black."""
BROWSERS = {"codec": ("h264",), "pixels": ("yuv420p", "yuvj420p")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A clip that was probed.

    Attributes:
        path: The file.
        probe: What it holds.
        first: What was seen at its start, or of the whole.
    """

    path: Path
    probe: Probe
    first: Glance


def look(sample: Sample, probe: Probe, notes: Notes, *, deep: bool) -> None:
    """Look at an edit's pictures, and compare them and what it holds with its source.

    Args:
        sample: The sample.
        probe: What the edit holds.
        notes: What is known of the edit; findings are added.
        deep: Whether to decode every frame.

    Raises:
        VideoError: The edit cannot be opened any more.
        MachineError: This machine cannot read it or its source.
    """
    at = (0, _middle(probe)) if deep else (0,)
    edit = Clip(path=notes.path, probe=probe, first=glance(notes.path, at, whole=deep))
    if 0 not in edit.first.pictures or edit.first.trouble is not None:
        notes.add("undecodable", edit.first.trouble or f"no frame of {notes.path.name} can be decoded")
        return
    _format(edit.first, notes)
    source = _source(sample, notes)
    if source is not None:
        notes.findings += of_time(source.probe, probe)
        notes.findings += of_size(source.probe, probe, stretch=edit.first.stretch)
        if all(finding.kind != "source_again" for finding in notes.findings):
            _compare(source, edit, notes)
    if deep:
        _course(source, edit, notes)


def _source(sample: Sample, notes: Notes) -> Clip | None:
    """Look at the start of a sample's source; if that cannot be, the edit is not to blame."""
    path = sample.source_path
    try:
        clip = Clip(path=path, probe=video.probe(path), first=glance(path))
    except VideoError as error:
        notes.add("no_source", f"the source cannot be read: {error}")
        return None
    if 0 in clip.first.pictures:
        return clip
    notes.add("no_source", f"the source cannot be decoded: {clip.first.trouble}")
    return None


def _format(seen: Glance, notes: Notes) -> None:
    """Note what hinders players, or makes them show another picture than the judge sees."""
    if seen.turn:
        notes.add(
            "turned", f"its header has players turn the picture by {seen.turn} degrees; the judge may see it unturned"
        )
    right = seen.codec in BROWSERS["codec"] and seen.pixels in BROWSERS["pixels"]
    if not right or "mp4" not in seen.container:
        form = "mp4" if "mp4" in seen.container else seen.container.split(",")[0]
        notes.add(
            "not_browser",
            f"{seen.codec} in {seen.pixels} and {form}: not every browser plays it; H.264 in yuv420p does",
        )


def _compare(source: Clip, edit: Clip, notes: Notes) -> None:
    """Look for the source in the edit's first picture; what is found must be there in the middle, too.

    A clip may start with the source's first picture and go on otherwise. Where a first picture shows nothing, the one in
    the middle decides alone.
    """
    first = _suspicion(source.first.pictures[0], edit.first.pictures[0])
    if first == "":
        return
    ours, theirs = _picture(source), _picture(edit)
    if theirs is None:
        notes.add("undecodable", f"its frame number {_middle(edit.probe)} cannot be decoded")
    if ours is None or theirs is None:
        return
    now = _suspicion(ours, theirs)
    if first is None and now is None and is_plain(theirs) and not is_plain(ours):
        notes.add("black", "one plain colour without a picture, at the start and in the middle")
    elif now == first or first is None:
        _note(now, notes)


def _middle(probe: Probe) -> int:
    """Return the index of the frame at which a second look is taken."""
    return min(probe.frames // 2, LATEST)


def _picture(clip: Clip) -> Planes | None:
    """Return the picture in the middle of a clip, or None if it cannot be decoded."""
    middle = _middle(clip.probe)
    known = clip.first.pictures
    return known[middle] if middle in known else glance(clip.path, (middle,)).pictures.get(middle)


def _suspicion(source: Planes, edited: Planes) -> str | None:
    """Return what two pictures suggest in words, "" if nothing is odd, None if nothing can be told."""
    if is_plain(source) or is_plain(edited):
        return None
    if is_same(source, edited):
        return "the source again"
    part = part_alike(source, edited)
    return "" if part is None else f"{part.film}, of which the {part.name} is the source"


def _note(suspicion: str | None, notes: Notes) -> None:
    if suspicion == "the source again":
        notes.add(
            "source_again",
            "the source again, encoded anew: its pictures are the source's, at the start and in the middle",
        )
    elif suspicion:
        notes.add("composite", f"{suspicion}; hand in the edit alone")


def _course(source: Clip | None, edit: Clip, notes: Notes) -> None:
    """Note what only decoding to the end shows."""
    course = edit.first.course
    if course is None:
        return
    if edit.first.grown is not None:
        notes.add("size_changes", edit.first.grown)
    elif edit.first.decoded < edit.probe.frames:
        notes.add("undecodable", f"it holds {edit.probe.frames} frames, but only {edit.first.decoded} can be decoded")
    if course.damaged:
        count, at = len(course.damaged), course.damaged[0]
        notes.add(
            "damaged", f"{count} {'frame is' if count == 1 else 'frames are'} damaged, the first of them number {at}"
        )
    if edit.first.decoded < 2 or any(finding.kind == "black" for finding in notes.findings):
        return
    if course.brightest <= BLACK:
        notes.add("black", "black from its first frame to its last")
    elif course.change <= STILL and not (source is not None and _stands_still(source)):
        notes.add("frozen", "every frame shows the same picture, and the source's do not")


def _stands_still(source: Clip) -> bool:
    course = glance(source.path, whole=True).course
    return course is not None and course.change <= STILL
