"""Sampling a pair of clips.

Both clips are sampled at the same *normalised* instants, because edits are often re-timed: the benchmark authors' own
outputs run at 15 or 16 frames per second for sources at 16. The judge is told the source's frame indices and rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sparkle_bench.errors import MachineError, SourceError, VideoError
from sparkle_bench.video.probe import MAX_RATIO, check_machine, check_readable, container, probe, reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")


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


def load_pair(source: Path, edited: Path, sampling: Sampling | None) -> Pair:
    """Sample both clips at the same normalised instants, or take both files whole.

    Args:
        source: The source video.
        edited: The edited video.
        sampling: How to sample; None for whole files.

    Raises:
        SourceError: The source cannot be decoded.
        VideoError: The edit cannot be decoded.
        MachineError: This machine cannot read one of them.
    """
    if sampling is None:
        return Pair(before=_of_source(lambda: _whole(source)), after=_whole(edited))
    first = _of_source(lambda: _open(source))
    count = max(2, min(sampling.frames, first.total - first.total % 2))
    timing = Timing(indices=tuple(instants(first.total, count)), fps=first.fps, total=first.total)
    before = _of_source(lambda: _sample(first, timing.indices, sampling))
    second = _open(edited)
    after = _sample(second, tuple(instants(second.total, count)), sampling)
    return Pair(before=before, after=after, timing=timing)


def _of_source(work: Callable[[], T]) -> T:
    """Do something with the source; if it cannot be read, the edit is not to blame."""
    try:
        return work()
    except VideoError as error:
        raise SourceError(f"the source is unreadable: {error}") from error


def _whole(path: Path) -> Clip:
    probe(path)
    try:
        return Clip(mime="video/mp4", parts=(path.read_bytes(),))
    except OSError as error:
        raise MachineError(f"cannot read {path.name} on this machine: {reason(error)}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """A probed clip whose frames can be had by index, in rising order.

    Attributes:
        path: The file.
        total: Number of frames.
        fps: Frames per second.
        frames: Yields the RGB pictures (H×W×3, uint8) at rising indices.
    """

    path: Path
    total: int
    fps: float
    frames: Callable[[Sequence[int]], Iterator[NDArray[np.uint8]]]


_UNDECODABLE = "{} cannot be decoded: it is damaged, or in a codec unknown here; write it again as H.264"


def _open(path: Path) -> _Reader:
    """Open a clip with decord, or with PyAV where decord lacks the codec (such as AV1) or miscounts the frames."""
    import decord

    facts = probe(path)
    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        fits = len(reader) == facts.frames  # decord counts frames that an edit list hides, and repeats others for them
        reader[0]
    except (decord.DECORDError, RuntimeError, IndexError):
        check_readable(path)
        fits = False
    if not fits:
        return _Reader(path=path, total=facts.frames, fps=facts.fps, frames=lambda wanted: _with_pyav(path, wanted))
    return _Reader(
        path=path, total=facts.frames, fps=facts.fps, frames=lambda wanted: _with_decord(path, reader, wanted)
    )


def _with_decord(path: Path, reader: Any, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    import decord

    try:
        for index in wanted:
            yield reader[index].asnumpy()
    except (decord.DECORDError, RuntimeError) as error:
        check_readable(path)
        raise VideoError(_UNDECODABLE.format(path.name)) from error


def _with_pyav(path: Path, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    import av

    left = list(wanted)
    try:
        with container(path) as opened:
            for index, frame in enumerate(opened.decode(video=0)):
                while left and left[0] == index:
                    left.pop(0)
                    yield frame.to_ndarray(format="rgb24")
                if not left:
                    return
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(path, error)
        raise VideoError(_UNDECODABLE.format(path.name)) from error
    raise VideoError(_UNDECODABLE.format(path.name))


def _sample(reader: _Reader, indices: tuple[int, ...], sampling: Sampling) -> Clip:
    """Decode, resize and encode chosen frames one by one, so that memory holds one full frame at a time."""
    import cv2

    parts: list[bytes] = []
    for frame in reader.frames(indices):
        height, width = smart_resize(*frame.shape[:2], factor=sampling.factor, max_pixels=sampling.max_pixels)
        if (height, width) != frame.shape[:2]:
            shrinks = height * width < frame.shape[0] * frame.shape[1]
            way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            frame = cv2.resize(frame, (width, height), interpolation=way).astype("uint8", copy=False)
        parts.append(encode_jpeg(frame, sampling.quality))
    return Clip(mime="video/jpeg", parts=tuple(parts))


def encode_jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    """Return an RGB picture (H×W×3, uint8) as JPEG."""
    import cv2

    ok, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise VideoError(f"a picture of {frame.shape[1]}x{frame.shape[0]} cannot be encoded as JPEG")
    return bytes(data)
