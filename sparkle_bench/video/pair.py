"""Sampling a pair of clips.

Both clips are sampled at the same *normalised* instants, because edits are often re-timed: the benchmark authors' own
outputs run at 15 or 16 frames per second for sources at 16. The judge is told the source's frame indices and rate.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sparkle_bench.errors import MachineError, SourceError, VideoError
from sparkle_bench.records import Probe
from sparkle_bench.video.probe import MAX_RATIO, File, hold, probe_file, reason
from sparkle_bench.video.reader import pictures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORM = 1
"""Changes with the way frames are chosen, resized and encoded, so that what was kept of a source is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a pair of clips becomes pictures. Part of the judge key.

    Attributes:
        frames: Pictures per clip; fewer if the source is shorter. Even, since the Qwen-VL models merge frames in twos.
        max_pixels: At most so many pixels a picture.
        factor: Both sides are multiples of this: 28 for Qwen2.5-VL, 32 for Qwen3-VL.
        quality: JPEG quality, 1 to 100.
    """

    frames: int = 16
    max_pixels: int = 640 * 360
    factor: int = 32
    quality: int = 90

    def __post_init__(self) -> None:
        if self.frames < 2 or self.frames % 2:
            raise VideoError(f"{self.frames} frames per clip cannot be sampled; use an even number from 2 up")
        if self.max_pixels < self.factor**2:
            raise VideoError(f"a budget of {self.max_pixels} pixels is below one patch of {self.factor}x{self.factor}")


def decoder() -> dict[str, str]:
    """Return the versions of what turns a file into pictures, for the judge key."""
    versions = {}
    for name in ("decord", "decord2", "av", "opencv-python-headless"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def smart_resize(height: int, width: int, *, factor: int, max_pixels: int, min_pixels: int = 0) -> tuple[int, int]:
    """Return the (height, width) nearest to the given one that a Qwen-VL processor leaves alone.

    Both sides become multiples of `factor`, the area stays between `min_pixels` and `max_pixels` (but for extreme
    aspects, where no side falls below `factor`), and the aspect is kept as closely as that allows.

    Equal to `qwen_vl_utils.smart_resize`, which is not imported since it needs torch.

    Raises:
        VideoError: One side is more than 200 times the other.
    """
    if max(height, width) > MAX_RATIO * min(height, width):
        raise VideoError(f"a picture of {width}x{height} is too narrow (more than 1:{MAX_RATIO})")
    fitted = [max(factor, round(side / factor) * factor) for side in (height, width)]
    area = fitted[0] * fitted[1]
    if area > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        fitted = [max(factor, math.floor(side / shrink / factor) * factor) for side in (height, width)]
    elif area < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        fitted = [math.ceil(side * grow / factor) * factor for side in (height, width)]
    return fitted[0], fitted[1]


def instants(total: int, count: int) -> list[int]:
    """Return the indices of `count` frames spread evenly over a clip of `total`, its first and last included."""
    return [round(step * (total - 1) / (count - 1)) for step in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where in the source the sampled frames stand.

    Attributes:
        indices: Frame indices in the source.
        fps: The source's frame rate.
        total: How many frames the source has.
    """

    indices: tuple[int, ...]
    fps: float
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What the judge is shown of one video, encoded.

    Attributes:
        mime: `video/jpeg` (one picture per part) or `video/mp4` (one part, the whole file).
        parts: The encoded bytes.
    """

    mime: str
    parts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A source and its edit, as shown to the judge.

    Attributes:
        before: The source.
        after: The edit.
        timing: When the frames stand in the source; None for whole files, which the server samples itself.
    """

    before: Clip
    after: Clip
    timing: Timing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A source as the judge is shown it.

    Attributes:
        clip: The pictures.
        timing: When they stand in the source.
    """

    clip: Clip
    timing: Timing


class Keeper(Protocol):
    """Keeps sources as they are shown, since every model's edits are shown beside the same; see `kept.py`."""

    def get(self, sha256: str, sampling: Sampling) -> Shown | None:
        """Return what is kept of a source, or None."""
        ...

    def put(self, sha256: str, sampling: Sampling, shown: Shown) -> None:
        """Keep a source."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is on record of a source.

    Attributes:
        sha256: Its hash; another file in its place is refused.
        kept: Where sampled sources are kept, or None.
    """

    sha256: str
    kept: Keeper | None = None


def load_pair(source: Path, edited: Path | File, sampling: Sampling | None, recorded: Recorded | None = None) -> Pair:
    """Sample both clips at the same normalised instants, or take both files whole.

    Args:
        source: The source video.
        edited: The edited video; a file at hand was checked by whoever read it.
        sampling: How to sample; None for whole files.
        recorded: What is on record of the source; None takes it as it is.

    Raises:
        SourceError: The source cannot be decoded, or is not the one on record.
        VideoError: The edit cannot be decoded.
        MachineError: This machine cannot read one of them.
    """
    if sampling is None:
        with _blaming_the_source():
            before = _whole(_held_source(source, recorded))
        return Pair(before=before, after=_whole(_held(edited)))
    with _blaming_the_source():
        shown = _shown(source, sampling, recorded)
    file = _held(edited)
    after = _sample(file, probe_file(file), sampling, len(shown.timing.indices))
    return Pair(before=shown.clip, after=after.clip, timing=shown.timing)


@contextmanager
def _blaming_the_source() -> Iterator[None]:
    """If the source cannot be read, the edit is not to blame."""
    try:
        yield
    except SourceError:
        raise
    except VideoError as error:
        raise SourceError(f"the source is unreadable: {error}") from error


def _held(video: Path | File) -> File:
    return video if isinstance(video, File) else hold(video)


def _held_source(path: Path, recorded: Recorded | None) -> File:
    """Read a source, and make sure that it is the one on record; one too large to be held is taken as it is."""
    file = hold(path)
    if recorded is None or file.data is None or hashlib.sha256(file.data).hexdigest() == recorded.sha256:
        return file
    raise SourceError(f"the source {path.name} was changed after the benchmark was read; run again")


def _whole(file: File) -> Clip:
    """Take a file as it is; since it is not decoded here, its container's word is enough."""
    probe_file(file, lightly=True)
    try:
        return Clip(mime="video/mp4", parts=(file.path.read_bytes() if file.data is None else file.data,))
    except OSError as error:
        raise MachineError(f"cannot read {file.path.name} on this machine: {reason(error)}") from error


def _shown(path: Path, sampling: Sampling, recorded: Recorded | None) -> Shown:
    """Take a source from where it is kept, or sample and keep it."""
    keeper = None if recorded is None else recorded.kept
    if recorded is not None and keeper is not None and (kept := keeper.get(recorded.sha256, sampling)):
        return kept
    file = _held_source(path, recorded)
    facts = probe_file(file)
    shown = _sample(file, facts, sampling, max(2, min(sampling.frames, facts.frames - facts.frames % 2)))
    if recorded is not None and keeper is not None and file.data is not None:  # what was not checked is not kept
        keeper.put(recorded.sha256, sampling, shown)
    return shown


def _sample(file: File, facts: Probe, sampling: Sampling, count: int) -> Shown:
    """Decode, resize and encode chosen frames one by one, so that memory holds one full frame at a time."""
    import cv2

    indices = instants(facts.frames, count)
    parts: list[bytes] = []
    for frame in pictures(file, facts.frames, indices):
        height, width = smart_resize(*frame.shape[:2], factor=sampling.factor, max_pixels=sampling.max_pixels)
        if (height, width) != frame.shape[:2]:
            shrinks = height * width < frame.shape[0] * frame.shape[1]
            way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            frame = cv2.resize(frame, (width, height), interpolation=way).astype("uint8", copy=False)
        parts.append(encode_jpeg(frame, sampling.quality))
    timing = Timing(indices=tuple(indices), fps=facts.fps, total=facts.frames)
    return Shown(clip=Clip(mime="video/jpeg", parts=tuple(parts)), timing=timing)


def encode_jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    """Return an RGB picture (H×W×3, uint8) as JPEG."""
    import cv2

    ok, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise VideoError(f"a picture of {frame.shape[1]}x{frame.shape[0]} cannot be encoded as JPEG")
    return bytes(data)
