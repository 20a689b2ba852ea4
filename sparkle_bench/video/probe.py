"""What a file holds, from its packets and headers.

A file is refused before it is decoded if its packets show that it is truncated, variable in rate or absurdly large, so
that a bad file costs bounded time and memory. decord alone would retry thousands of times at the end of a cut-off file.
Its index is looked at before FFmpeg opens it; see `header.py`.

Trouble of this machine (no such file, too many open files, a failing disk) is no fault of the video: it is a
`MachineError`, which never becomes a model's mark.
"""

from __future__ import annotations

import errno
import io
import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sparkle_bench.errors import MachineError, VideoError, is_machine_trouble, one_line
from sparkle_bench.records import Probe
from sparkle_bench.video.header import BEYOND, MAX_STREAMS, look

MAX_FRAMES = 20_000
MAX_FRAME_PIXELS = 4096 * 4096
MAX_CODED_PIXELS = 2 * MAX_FRAME_PIXELS
"""What a codec may allocate; above the limit, since codecs work on whole blocks and PyAV reports what they found."""
MAX_PIXELS = 5_000_000_000
"""In all frames together, some 20 seconds of decoding: 100 seconds of 1080p, or 25 of 4K, at 24 frames per second."""
MAX_BYTES = 2 << 30
MAX_RATIO = 200
MIN_FPS, MAX_FPS = 0.1, 1000.0
RATE_TOLERANCE = 0.25
"""How far the gap between two frames may be from the median gap, as a share of it, before the rate is variable."""


HELD_BYTES = 64 << 20
"""A file up to this size is read once and decoded from memory."""
MAX_SENT_BYTES = 256 << 20
"""A file that is sent whole to a judge is in memory whole, however large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A video file, held in memory, so that what was hashed, probed and decoded are the same bytes.

    Attributes:
        path: Where it lies.
        data: Its bytes; None for one too large to be held, which is read from disk each time.
        facts: What `probe` found in these very bytes before, or None.
    """

    path: Path
    data: bytes | None
    facts: Probe | None = None


def hold(path: Path) -> File:
    """Read a file into memory if it is no larger than `HELD_BYTES`.

    Raises:
        VideoError: The file is missing, empty or beyond the limit.
        MachineError: This machine cannot read it.
    """
    size = _check_file(path)
    try:
        return File(path=path, data=path.read_bytes() if size <= HELD_BYTES else None)
    except OSError as error:
        raise MachineError(f"cannot read {path.name} on this machine: {reason(error)}") from error


def probe(path: Path) -> Probe:
    """Read what a file holds from its packets and headers, without decoding all of it.

    Raises:
        VideoError: The file is missing, empty, not a video, truncated, variable in rate or beyond the limits above.
        MachineError: This machine cannot open it.
    """
    _check_file(path)
    return probe_file(File(path=path, data=None))


def probe_file(file: File, *, lightly: bool = False) -> Probe:
    """Do the same with a file at hand; what is known of it is not looked for again.

    Args:
        file: The file.
        lightly: Believe what the container says of the picture's size, which costs a tenth: FFmpeg decodes the first
            frame to know better. For a file that is to be sent whole and not decoded here.

    Raises:
        VideoError: As in `probe`.
        MachineError: As in `probe`.
    """
    if lightly and file.data is None and _check_file(file.path) > MAX_SENT_BYTES:
        raise VideoError(
            f"{file.path.name} is too large to be sent whole; at most {MAX_SENT_BYTES} bytes are", kind=BEYOND
        )
    if file.facts is not None:
        return file.facts
    if lightly:
        try:
            return _probed(file, skip_frame="all")
        except VideoError:  # or a container that does not say it
            pass
    return _probed(file)


def _probed(file: File, **options: str) -> Probe:
    import av

    path = file.path
    try:
        with container(file, **options) as opened:
            stream = opened.streams.video[0]
            width, height = getattr(stream, "width", 0), getattr(stream, "height", 0)  # a codec nobody knows has none
            _check_size(path, width, height)
            times = _packet_times(path, opened, stream)
            _check_count(file, len(times), stream.frames)
            _check_cost(path, len(times), width * height)
            return Probe(frames=len(times), fps=_rate(path, times, stream), width=width, height=height)
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(path, error)
        raise VideoError(f"{path.name} is not a readable video: {reason(error)}") from error


def container(file: Path | File, **options: str) -> Any:
    """Open a file as the one container its first bytes speak of: a playlist could name other files.

    Raises:
        VideoError: It is in no container that is read, its index asks for too much, or it has not one video stream.
        av.FFmpegError: It cannot be opened.
        OSError: It cannot be read.
    """
    import av

    held = file if isinstance(file, File) else File(path=file, data=None)
    if held.data is None:
        _check_file(held.path)  # a pipe would be waited for
    guarded = {
        "format_whitelist": look(held).formats,
        "protocol_whitelist": "file",
        "max_streams": str(MAX_STREAMS),
        "max_pixels": str(MAX_CODED_PIXELS),
    }
    # Up to PyAV 18 a title that is not UTF-8 would make the file unreadable; later ones have no such option.
    lenient = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
    where = f"file:{held.path}" if held.data is None else io.BytesIO(held.data)
    opened: Any = av.open(where, options={**guarded, **options}, **lenient)
    try:
        _check_streams(held.path, opened)
    except VideoError:
        opened.close()
        raise
    codec = opened.streams.video[0].codec_context
    if codec is not None:  # a stream may grow in the middle, which its header does not tell
        codec.options = {"max_pixels": guarded["max_pixels"]}
    return opened


def _check_streams(path: Path, opened: Any) -> None:
    """Refuse a file of no video stream, or of several, since each reader might take another."""
    found = len(opened.streams.video)
    if found > 1:
        raise VideoError(
            f"{path.name} holds {found} video streams (a cover picture is one); leave only the film", kind=BEYOND
        )
    if not found:
        raise VideoError(f"{path.name} has no video stream")


def _check_count(file: File, found: int, promised: int) -> None:
    """Refuse a file that holds fewer frames than its header promises, unless an edit list hides them on purpose."""
    if found >= promised:
        return
    with container(file, ignore_editlist="1") as opened:
        stream = opened.streams.video[0]
        whole = sum(1 for packet in opened.demux(stream) if packet.size)
    if whole < promised:
        raise VideoError(
            f"{file.path.name} is truncated: its header promises {promised} frames, {whole} are there", kind="truncated"
        )


def reason(error: BaseException) -> str:
    """Return what went wrong without the file's path, which does not belong in a record."""
    return one_line(getattr(error, "strerror", None) or type(error).__name__)


def check_machine(path: Path, error: BaseException) -> None:
    """Raise `MachineError` if an error speaks of this machine.

    FFmpeg speaks of an error of input and output at rubbish too, such as a WebM that breaks off: if the file can be read to
    its end, the file is to blame.

    Raises:
        MachineError: This machine cannot read it.
        VideoError: It can, but what is there breaks off.
    """
    if getattr(error, "errno", None) == errno.EIO and _reads_whole(path):
        # Without its cause, which would be taken for this machine's trouble further up.
        raise VideoError(f"{path.name} is not a readable video: it breaks off or is damaged") from None
    if is_machine_trouble(error):
        raise MachineError(f"cannot read {path.name} on this machine: {reason(error)}") from error


def _reads_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    except OSError:
        return False
    return True


def check_readable(path: Path) -> None:
    """Raise `MachineError` if this machine cannot open a file at all, whatever is in it."""
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise MachineError(f"cannot read {path.name} on this machine: {reason(error)}") from error


def _check_file(path: Path) -> int:
    """Return a file's size in bytes if it is one to be looked into."""
    try:
        size = path.stat().st_size if path.is_file() else -1
    except OSError as error:
        check_machine(path, error)
        raise VideoError(f"cannot read {path.name}: {reason(error)}") from error
    if size < 0:
        raise VideoError(f"{path.name} is not a file")
    if size == 0:
        raise VideoError(f"{path.name} is empty")
    if size > MAX_BYTES:
        raise VideoError(f"{path.name} has {size} bytes; at most {MAX_BYTES} are read", kind=BEYOND)
    return size


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise VideoError(f"{path.name} has no picture size")
    if width * height > MAX_FRAME_PIXELS or max(width, height) > MAX_RATIO * min(width, height):
        raise VideoError(
            f"{path.name} is {width}x{height}, beyond what is read ({MAX_FRAME_PIXELS} px, 1:{MAX_RATIO})", kind=BEYOND
        )


def _check_cost(path: Path, frames: int, pixels: int) -> None:
    if frames * pixels > MAX_PIXELS:
        raise VideoError(
            f"{path.name} has {frames} frames of {pixels} pixels; at most {MAX_PIXELS} pixels are decoded in all",
            kind=BEYOND,
        )


def check_same_size(path: Path, frame: Any, first: tuple[int, int] | None, index: int) -> tuple[int, int]:
    """Return the (width, height) of a clip's first frame, and refuse a later one of another size.

    Args:
        path: The clip.
        frame: Its frame as PyAV decoded it.
        first: What was returned for the first frame; None if this is it.
        index: Of the frame.

    Raises:
        VideoError: It has another size.
    """
    size = (frame.width, frame.height)
    first = first or size
    if size != first:
        raise VideoError(
            f"{path.name} changes from {first[0]}x{first[1]} to {size[0]}x{size[1]} at frame {index}; "
            "write it again at one size",
            kind="size_changes",
        )
    return first


def _packet_times(path: Path, opened: Any, stream: Any) -> list[int]:
    """Return the presentation times of all frames in the stream's time base, sorted."""
    times: list[int] = []
    for number, packet in enumerate(opened.demux(stream), 1):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.is_corrupt:
            raise VideoError(f"{path.name} is truncated or damaged at frame {number}", kind="truncated")
        if number > MAX_FRAMES:
            raise VideoError(f"{path.name} has more than {MAX_FRAMES} frames", kind=BEYOND)
        time = packet.pts if packet.pts is not None else packet.dts
        times.append(time if time is not None else -1)
    if not times:
        raise VideoError(f"{path.name} has no frames")
    return sorted(times)


def _rate(path: Path, times: list[int], stream: Any) -> float:
    """Return the constant frame rate in frames per second, or refuse a variable or an absurd one."""
    fps = _beat(path, times, stream)
    if not MIN_FPS <= fps <= MAX_FPS:
        raise VideoError(
            f"{path.name} states {fps:.6g} frames per second; from {MIN_FPS} to {MAX_FPS:.0f} are read", kind=BEYOND
        )
    return fps


def _beat(path: Path, times: list[int], stream: Any) -> float:
    """Return the constant frame rate, or refuse a variable one."""
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
            "write it again at a constant rate",
            kind="variable_rate",
        )
    return float((len(times) - 1) / ((times[-1] - times[0]) * stream.time_base))
