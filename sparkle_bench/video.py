"""Probing, sampling and writing video. The only module that knows decord, PyAV and OpenCV.

A pair of clips is sampled at the same *normalised* instants, because edits are often re-timed: the benchmark authors'
own outputs run at 15 or 16 frames per second for sources at 16. The judge is told the source's frame indices and rate.

A file is refused before it is decoded if its packets show that it is truncated, variable in rate or absurdly large, so
that a bad file costs bounded time and memory. decord alone would retry thousands of times at the end of a cut-off file.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import VideoError, one_line
from sparkle_bench.records import Probe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_FRAMES = 20_000
MAX_FRAME_PIXELS = 4096 * 4096
MAX_BYTES = 2 << 30
MAX_RATIO = 200
FORMATS = ("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "flv", "ogg")
RATE_TOLERANCE = 0.25
"""How far the gap between two frames may be from the median gap, as a share of it, before the rate is variable."""


def probe(path: Path) -> Probe:
    """Read what a file holds from its packets and headers, without decoding it.

    Raises:
        VideoError: The file is missing, empty, not a video, truncated, variable in rate or beyond the limits above.
    """
    _check_file(path)
    import av

    try:
        with _container(path) as container:
            if not container.streams.video:
                raise VideoError(f"{path.name} has no video stream")
            stream = container.streams.video[0]
            width, height = getattr(stream, "width", 0), getattr(stream, "height", 0)  # a codec nobody knows has none
            _check_size(path, width, height)
            times = _packet_times(path, container, stream)
            _check_count(path, len(times), stream.frames)
            return Probe(frames=len(times), fps=_rate(path, times, stream), width=width, height=height)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path.name} is not a readable video: {_reason(error)}") from error


def _container(path: Path, **options: str) -> Any:
    """Open a file as one of the containers videos come in: a playlist could name other files."""
    import av

    allowed = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
    return av.open(f"file:{path}", metadata_errors="ignore", options={**allowed, **options})


def _check_count(path: Path, found: int, promised: int) -> None:
    """Refuse a file that holds fewer frames than its header promises, unless an edit list hides them on purpose."""
    if found >= promised:
        return
    with _container(path, ignore_editlist="1") as container:
        stream = container.streams.video[0]
        whole = sum(1 for packet in container.demux(stream) if packet.size)
    if whole < promised:
        raise VideoError(f"{path.name} is truncated: its header promises {promised} frames, {whole} are there")


def _reason(error: Exception) -> str:
    """Return what went wrong without the file's path, which does not belong in a record."""
    return one_line(getattr(error, "strerror", None) or type(error).__name__)


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size if path.is_file() else -1
    except OSError as error:
        raise VideoError(f"cannot read {path.name}: {_reason(error)}") from error
    if size < 0:
        raise VideoError(f"{path.name} is not a file")
    if size == 0:
        raise VideoError(f"{path.name} is empty")
    if size > MAX_BYTES:
        raise VideoError(f"{path.name} has {size} bytes; at most {MAX_BYTES} are read")


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise VideoError(f"{path.name} has no picture size")
    if width * height > MAX_FRAME_PIXELS or max(width, height) > MAX_RATIO * min(width, height):
        raise VideoError(f"{path.name} is {width}x{height}, beyond what is read ({MAX_FRAME_PIXELS} px, 1:{MAX_RATIO})")


def _packet_times(path: Path, container: Any, stream: Any) -> list[int]:
    """Return the presentation times of all frames in the stream's time base, sorted."""
    times: list[int] = []
    for number, packet in enumerate(container.demux(stream), 1):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.is_corrupt:
            raise VideoError(f"{path.name} is truncated or damaged at frame {number}")
        if number > MAX_FRAMES:
            raise VideoError(f"{path.name} has more than {MAX_FRAMES} frames")
        time = packet.pts if packet.pts is not None else packet.dts
        times.append(time if time is not None else -1)
    if not times:
        raise VideoError(f"{path.name} has no frames")
    return sorted(times)


def _rate(path: Path, times: list[int], stream: Any) -> float:
    """Return the constant frame rate in frames per second, or refuse a variable one."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if not gaps or max(times) < 0:
        return float(stream.average_rate or stream.guessed_rate or 1)
    median = statistics.median(gaps)
    # Coarse time bases round every gap by up to a tick, which is no variation.
    allowed = max(1.5, RATE_TOLERANCE * median)
    odd = [number for number, gap in enumerate(gaps, 1) if abs(gap - median) > allowed]
    if odd or median <= 0:
        raise VideoError(
            f"{path.name} has a variable frame rate (frame {odd[0] if odd else 1} of {len(times)} is off the beat); "
            "write it again at a constant rate"
        )
    return float((len(times) - 1) / ((times[-1] - times[0]) * stream.time_base))


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
    for name in ("decord", "decord2", "opencv-python-headless"):
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


class SourceError(VideoError):
    """The benchmark's own video cannot be read; the edit is not to blame."""


def load_pair(source: Path, edited: Path, sampling: Sampling | None) -> Pair:
    """Sample both clips at the same normalised instants, or take both files whole.

    Args:
        source: The source video.
        edited: The edited video.
        sampling: How to sample; None for whole files.

    Raises:
        SourceError: The source cannot be decoded.
        VideoError: The edit cannot be decoded.
    """
    if sampling is None:
        return Pair(before=_whole_source(source), after=_whole(edited))
    try:
        reader, fps = _open(source)
        total = len(reader)
        count = max(2, min(sampling.frames, total - total % 2))
        timing = Timing(indices=tuple(instants(total, count)), fps=fps, total=total)
        before = _sample(source, reader, timing.indices, sampling)
    except VideoError as error:
        raise SourceError(f"the source is unreadable: {error}") from error
    reader, _ = _open(edited)
    after = _sample(edited, reader, tuple(instants(len(reader), count)), sampling)
    return Pair(before=before, after=after, timing=timing)


def _whole_source(path: Path) -> Clip:
    try:
        return _whole(path)
    except VideoError as error:
        raise SourceError(f"the source is unreadable: {error}") from error


def _whole(path: Path) -> Clip:
    probe(path)
    return Clip(mime="video/mp4", parts=(path.read_bytes(),))


def _open(path: Path) -> tuple[Any, float]:
    """Return a decord reader of a probed file, and its frame rate."""
    fps = probe(path).fps
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    except (decord.DECORDError, RuntimeError) as error:
        raise VideoError(_UNDECODABLE.format(path.name)) from error
    if len(reader) < 1:
        raise VideoError(f"{path.name} has no frames")
    return reader, fps


_UNDECODABLE = "{} cannot be decoded: it is damaged, or in a codec this decoder lacks; write it again as H.264"


def _sample(path: Path, reader: Any, indices: tuple[int, ...], sampling: Sampling) -> Clip:
    """Decode, resize and encode chosen frames one by one, so that memory holds one full frame at a time."""
    import cv2
    import decord

    parts: list[bytes] = []
    try:
        for index in indices:
            frame = reader[index].asnumpy()
            height, width = smart_resize(*frame.shape[:2], factor=sampling.factor, max_pixels=sampling.max_pixels)
            if (height, width) != frame.shape[:2]:
                shrinks = height * width < frame.shape[0] * frame.shape[1]
                frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
            parts.append(encode_jpeg(frame, sampling.quality))
    except (decord.DECORDError, RuntimeError, cv2.error) as error:
        raise VideoError(_UNDECODABLE.format(path.name)) from error
    return Clip(mime="video/jpeg", parts=tuple(parts))


def encode_jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    """Return an RGB picture (H×W×3, uint8) as JPEG."""
    import cv2

    ok, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise VideoError(f"a picture of {frame.shape[1]}x{frame.shape[0]} cannot be encoded as JPEG")
    return bytes(data)


def write(path: Path, frames: Iterable[NDArray[np.uint8]], *, fps: float, crf: int = 18) -> None:
    """Write RGB frames (H×W×3, uint8, even sides) as H.264 in yuv420p.

    Args:
        path: The mp4 to write.
        frames: All of one size.
        fps: Frames per second.
        crf: libx264's constant rate factor; 18 is visually lossless, the authors' outputs have 25.

    Raises:
        VideoError: There are no frames, a size is odd or changes, or the file cannot be written.
    """
    import av

    if not 0 < fps < math.inf:
        raise VideoError(f"cannot write {path.name} at {fps} frames per second")
    count = 0
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream: Any = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(100_000))
            stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf), "preset": "medium"}
            for array in frames:
                if count == 0:
                    stream.height, stream.width = array.shape[:2]
                if array.shape[:2] != (stream.height, stream.width) or array.shape[0] % 2 or array.shape[1] % 2:
                    raise VideoError(
                        f"frame {count} of {path.name} is {array.shape[1]}x{array.shape[0]}; sizes must be even and equal"
                    )
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
                count += 1
            if count:
                container.mux(stream.encode())
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot write {path.name}: {_reason(error)}") from error
    if count == 0:
        path.unlink(missing_ok=True)
        raise VideoError(f"no frames to write to {path.name}")
