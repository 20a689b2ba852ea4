"""What is measured of one edit against its source: every signal's name, unit and definition. Pure.

`None` is "unknown": the pixels do not tell, and `unknown` says why. It is never a guess and never a zero.
Pixels and pixels per frame are those of the source's full size; luma is in grey levels (0 to 255).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sparkle_bench.errors import StoreError

VERSION = 2
"""Changes whenever a signal's value for the same pixels does; measurements of another version are made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """The media contract: is the edit the same stretch of the same picture?

    Attributes:
        frames: Frames of the edit.
        source_frames: Frames of the source.
        fps: Frames per second of the edit.
        source_fps: Frames per second of the source.
        seconds: Duration of the edit.
        source_seconds: Duration of the source.
        width: Pixels of the edit.
        height: Pixels of the edit.
        source_width: Pixels of the source.
        source_height: Pixels of the source.
        length: `same`, `shorter` or `longer`, by number of frames.
        picture: How the edit's picture lies on the source's: `scaled` (the same size included), `cropped`, `padded`,
            `mirrored` or `moved`.
        unseen: Share of the source's picture that the edit does not show, 0 to 1.
        timing: Which source frame the subject of each frame shows: `index-aligned`, `time-aligned` (another rate, the same
            instants), `shifted` (late or early, at the same rate), `re-timed`, `reversed`, `looped`, `frozen` (one frame all
            the time), `scrambled` or `unknown`.
        rate: Source frames per frame of the edit, 1 if index-aligned.
        off: Mean distance of the shown source frame from the one of the same index (or instant, if time-aligned), in frames.
        frozen: Whether the whole picture stands still, although the source moves.
        loop: After how many frames the whole picture repeats, or None if it does not.
        analysed: Frames that were looked at.
    """

    frames: int
    source_frames: int
    fps: float
    source_fps: float
    seconds: float
    source_seconds: float
    width: int
    height: int
    source_width: int
    source_height: int
    length: str
    picture: str
    unseen: float
    timing: str
    rate: float | None
    off: float | None
    frozen: bool
    loop: int | None
    analysed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changed between source and edit.

    Attributes:
        changed: Share of the picture whose structure is no longer the source's, among the places that hold structure,
            0 to 1.
        undecided: Share of the picture that holds no structure in either, 0 to 1.
        subject: Share of the picture that was kept as a subject, 0 to 1.
        background: Share of the picture that was replaced, at some distance from the subject, 0 to 1.
        psnr: Peak signal-to-noise ratio of the luma over the whole picture, decibels; 99 for equal pictures.
        source_again: Whether the edit is the source again, whatever was done to it.
        how: What was done to it: `the same file`, `re-encoded`, `recoloured`, `cropped`, `padded`, `mirrored`, `moved`,
            `re-timed`, or `altered` (a caption, a patch, a filter); None if it is not the source.
    """

    changed: float
    undecided: float
    subject: float
    background: float
    psnr: float
    source_again: bool
    how: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Is the subject the source's, and does it move as there?

    Attributes:
        found: Whether any kept subject was found.
        structure: Mean agreement of its structure with the source's, −1 to 1 (see `structure.py`).
        solid: Share of the subject, its parts joined, whose structure is the source's without gaps, 0 to 1. Missing parts
            lower it; so does strong relighting.
        unsteady: Mean change of the structure's agreement from frame to frame, 0 to 2. Damage that flickers raises it;
            relighting does not.
        contour: Stability of its outline: how much of the outline's region stays when it is carried along with the
            source's motion, as intersection over union, 0 to 1, mean over frames.
        flow: Mean length of its optical flow in the source, pixels per frame.
        flow_error: Mean distance between its flow in the edit and in the source, pixels per frame.
        drift: Its structure's agreement in the first quarter of the clip less that in the last: above 0, it is lost
            over time.
        colour_drift: How far its colour, source against edit, wanders over the clip: standard deviation of the mean
            difference over time, root of the sum over luma, Cb and Cr, grey levels.
    """

    found: bool
    structure: float | None
    solid: float | None
    unsteady: float | None
    contour: float | None
    flow: float | None
    flow_error: float | None
    drift: float | None
    colour_drift: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """How does the new background move, and how good is it as a picture?

    Attributes:
        energy: Mean absolute difference of luma between neighbouring frames, grey levels per frame.
        source_energy: The same of the source at the same places.
        steadiness: 1 less the coefficient of variation of the energy over time, 0 to 1: low where motion comes in jerks.
        flow: Mean optical flow without the camera's part, pixels per frame.
        camera: Mean flow that the camera's motion explains, pixels per frame.
        frozen: Share of the textured background that stands still all the time, 0 to 1.
        loop: After how many frames it repeats, or None.
        ping_pong: Whether it runs to and fro.
        flicker: Root mean square of the second difference of its mean luma over time, grey levels.
        sharpness: Contrast of its fine details (1 to 2 px of pictures 640 px wide) against its coarse ones (4 to 8 px): 0.5
            to 1 for real footage, less than 0.2 when blurred.
        source_sharpness: The same of the source's whole picture.
        blockiness: How much larger the step across 8×8 block borders is than inside, as a share; 0 is none.
    """

    energy: float | None
    source_energy: float | None
    steadiness: float | None
    flow: float | None
    camera: float | None
    frozen: float | None
    loop: int | None
    ping_pong: bool
    flicker: float | None
    sharpness: float | None
    source_sharpness: float | None
    blockiness: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmony:
    """Do subject and background share one light? Subject less background, in the source (before) and the edit (after).

    Attributes:
        luminance_before: Difference of mean lightness, CIE L* (0 to 100).
        luminance_after: The same in the edit.
        temperature_before: Difference of colour temperature, mired (above 0: the subject is warmer).
        temperature_after: The same in the edit.
        contrast_before: Difference of the standard deviation of L*.
        contrast_after: The same in the edit.
        subject_luminance: Mean L* of the subject, edit less source.
        background_luminance: Mean L* of the background, edit less source.
    """

    luminance_before: float | None
    luminance_after: float | None
    temperature_before: float | None
    temperature_after: float | None
    contrast_before: float | None
    contrast_after: float | None
    subject_luminance: float | None
    background_luminance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text on screen that the source lacks.

    Attributes:
        new_lines: Lines of it.
        new_share: Share of the picture that they cover, 0 to 1.
    """

    new_lines: int
    new_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """All that is measured of one edit.

    Attributes:
        media: The media contract.
        change: What changed.
        subject: The subject.
        background: The background.
        harmony: The light on both.
        text: Text on screen.
        unknown: Why a group (`background`) or a signal (`background.frozen`) is unknown, one line each.
    """

    media: Media
    change: Change
    subject: Subject
    background: Background
    harmony: Harmony
    text: Text
    unknown: Mapping[str, str] = field(default_factory=dict)


DIGITS = 4


def to_data(signals: Signals) -> dict[str, Any]:
    """Return signals as JSON data, numbers rounded to four digits; what is not finite is unknown."""
    return _rounded(dataclasses.asdict(signals))  # type: ignore[no-any-return]


def from_data(data: Mapping[str, Any]) -> Signals:
    """Read signals.

    Raises:
        StoreError: A group or a signal is missing or unknown.
    """
    try:
        return Signals(
            media=_group(Media, data["media"]),
            change=_group(Change, data["change"]),
            subject=_group(Subject, data["subject"]),
            background=_group(Background, data["background"]),
            harmony=_group(Harmony, data["harmony"]),
            text=_group(Text, data["text"]),
            unknown={str(name): str(why) for name, why in data["unknown"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the signals are not of this version: {error}") from error


G = TypeVar("G")


def _group(kind: type[G], data: Mapping[str, Any]) -> G:
    for name, allowed in _kinds(cast(Hashable, kind)).items():
        if type(data[name]) not in allowed:  # JSON has no subclasses, and true is no number
            raise TypeError(f"{kind.__name__}.{name} is {data[name]!r}")
    return kind(**data)


@functools.cache
def _kinds(kind: Any) -> dict[str, frozenset[type]]:
    """Return the types that each signal of a group may have; a whole number may stand for a float."""
    found = {}
    for name, hint in typing.get_type_hints(kind).items():
        kinds = typing.get_args(hint) or (hint,)
        found[name] = frozenset((*kinds, int) if float in kinds else kinds)
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0 if math.isfinite(value) else None  # + 0.0: no negative zero
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return value
