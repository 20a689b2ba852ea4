"""Making a clip that browsers play, within so many bytes, and a poster of it.

H.264 in yuv420p that fits is put into a new mp4 packet by packet: its pictures stay as they are, while sound, titles and
whatever else the file carried stay behind. All else is encoded anew, smaller if need be. Either way the n-th picture is
shown at n/rate, the index stands before the frames, and the same file gives the same bytes whatever the machine's processors.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from sparkle_bench.errors import MachineError, VideoError, is_machine_trouble
from sparkle_bench.records import Probe
from sparkle_bench.video.header import is_plain, is_steady, look
from sparkle_bench.video.pair import encode_jpeg
from sparkle_bench.video.planes import to_limited
from sparkle_bench.video.probe import File, check_machine, check_same_size, container, probe, reason
from sparkle_bench.video.retime import retime

VERSION = 1
"""Of what comes out; with another one a clip is made again."""
TOO_LARGE = "too_large"
MOST_SIDE = 960
"""A clip that is encoded to become smaller gets no longer side: beside others on a page it is seldom shown larger."""
LEAST_SIDE = 96
BITS_A_PIXEL = 0.07
"""H.264 at usual quality needs about so many; a clip is scaled down until it has them."""
GOOD, WORST = 23, 44
"""Constant rate factors: the first that is tried, since a better one shows no difference on a page; and the last."""
HALVES = 6.0
"""So much more of the rate factor halves a file, by a rule of thumb."""
TRIES = 5
NEAR = 0.7
"""A file of this share of what is allowed is near enough."""
KEY_FRAMES = 32
"""Frames from one key frame to the next at most, so that a page can go to any instant quickly."""
SETTINGS = {"preset": "veryfast", "g": str(KEY_FRAMES), "threads": "1", "x264-params": "cpu-independent=1"}
"""Without the last two what comes out depends on the number and the kind of processors, and on what the memory held before
(seen with MALLOC_PERTURB_)."""
HEADER_BYTES = 3000
RGB, BT601 = 0, 6
"""FFmpeg's numbers of two ways to make colours of three numbers."""
POSTER_WIDTH, POSTER_BYTES, POSTER_QUALITY = 480, 30_000, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """What became of a clip.

    Attributes:
        bytes: Size of the file.
        width: Pixels.
        height: Pixels.
        crf: The rate factor that it was encoded with; None if its pictures are the clip's own.
    """

    bytes: int
    width: int
    height: int
    crf: int | None = None


def shrink(source: Path, out: Path, *, most_bytes: int, most_side: int | None = MOST_SIDE) -> Shrunk:
    """Write a clip as an mp4 that browsers play, of `most_bytes` at most; every frame, at the clip's rate.

    Args:
        source: The clip.
        out: The mp4, written whole or not at all.
        most_bytes: No more than this.
        most_side: The longer side that an encoded clip has at most; None leaves its size as far as the bytes allow.

    Raises:
        VideoError: The clip cannot be read or decoded, or (`kind="too_large"`) does not become small enough.
        MachineError: This machine cannot do it.
    """
    facts = probe(source)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if _as_it_is(source, temporary, facts) and temporary.stat().st_size <= most_bytes:
            made = Shrunk(bytes=temporary.stat().st_size, width=facts.width, height=facts.height)
        else:
            made = _encoded(source, temporary, facts, (most_bytes, most_side))
        _keep(temporary, out)
    except OSError as error:
        raise MachineError(f"cannot write {out.name} on this machine: {reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return made


def poster(source: Path, out: Path, *, most_bytes: int = POSTER_BYTES) -> int:
    """Write the first frame of a clip as a JPEG, 480 pixels wide at most, and return its size in bytes.

    Args:
        source: The clip.
        out: The JPEG, written whole or not at all.
        most_bytes: Quality, then size are lowered until it has no more.

    Raises:
        VideoError: No frame can be decoded, or no picture of it is small enough.
        MachineError: This machine cannot do it.
    """
    import av

    probe(source)
    try:
        with container(source) as opened:
            opened.streams.video[0].thread_type = "NONE"
            frame = next(iter(opened.decode(video=0)), None)
            data = None if frame is None else _jpeg(frame, most_bytes)
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(source, error)
        raise VideoError(f"no frame of {source.name} can be decoded: {reason(error)}", kind="undecodable") from error
    if data is None:
        raise VideoError(f"{source.name} gives no picture of at most {most_bytes} bytes", kind=TOO_LARGE)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        _keep(temporary, out)
    except OSError as error:
        raise MachineError(f"cannot write {out.name} on this machine: {reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return len(data)


def may_stay(path: Path) -> bool:
    """Whether a file's index says that it holds H.264 in mp4, whose pictures can stay as they are; a guess at no cost."""
    try:
        return look(File(path=path, data=None)).is_h264
    except (OSError, VideoError):
        return False


def _keep(temporary: Path, out: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(out)


# -- as it is --------------------------------------------------------------------------------------------------------


def _as_it_is(source: Path, out: Path, facts: Probe) -> bool:
    """Write the clip's own pictures, if browsers play them and their size cannot change in the middle."""
    return facts.width % 2 == 0 and facts.height % 2 == 0 and _plays(source) and retime(source, out, facts.fps)


def _plays(source: Path) -> bool:
    """Whether a file is H.264 of one size to its last packet; `retime` looks at the pixel format."""
    import av

    try:
        if not may_stay(source):
            return False
        with container(source, skip_frame="all") as opened:
            stream = opened.streams.video[0]
            sets = stream.codec_context.extradata or b""
            plain = stream.codec_context.name == "h264" and is_plain(sets)
            return plain and all(is_steady(bytes(packet), sets) for packet in opened.demux(stream))
    except (av.FFmpegError, OSError, ValueError, VideoError):
        return False  # decoding will say why


# -- encoded anew ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A clip to encode.

    Attributes:
        source: The clip.
        facts: What it holds.
        tags: What it says of its colours and of the shape of a pixel, by the encoder's names.
        width: To scale to.
        height: To scale to.
    """

    source: Path
    facts: Probe
    tags: Mapping[str, Any]
    width: int
    height: int


def _encoded(source: Path, out: Path, facts: Probe, limits: tuple[int, int | None]) -> Shrunk:
    """Encode a clip within (bytes, longer side), at half the size again and again where no rate factor is enough."""
    most, side = limits
    (width, height), tags = size_for(facts, most, side), _tags(source)
    while True:
        task = _Task(source=source, facts=facts, tags=tags, width=width, height=height)
        crf, size = _search(task, out, most)
        if size <= most:
            return Shrunk(bytes=size, width=width, height=height, crf=crf)
        if max(width, height) <= LEAST_SIDE or min(width, height) <= 2:
            raise VideoError(
                f"{source.name} cannot be made to fit in {most} bytes: at {width}x{height} it still has {size}",
                kind=TOO_LARGE,
            )
        width, height = _even(width / 2), _even(height / 2)


def size_for(facts: Probe, most_bytes: int, most_side: int | None) -> tuple[int, int]:
    """Return the (width, height), both even and none larger than the clip's, that so many bytes are enough for."""
    bits = 8 * max(1, most_bytes - HEADER_BYTES) / max(1, facts.frames)
    scale = min(1.0, math.sqrt(bits / BITS_A_PIXEL / (facts.width * facts.height)))
    longer = max(facts.width, facts.height)
    if most_side is not None:
        scale = min(scale, most_side / longer)
    scale = min(1.0, max(scale, LEAST_SIDE / longer))
    return _even(facts.width * scale), _even(facts.height * scale)


def _even(side: float) -> int:
    return max(2, int(side) // 2 * 2)


def _search(task: _Task, out: Path, most: int) -> tuple[int, int]:
    """Encode at a good rate factor, then at worse ones; leave the best file that fits, else the last.

    Returns:
        Its (rate factor, bytes).
    """
    fits: tuple[int, int] | None = None
    low, high, crf = GOOD, WORST, GOOD  # nothing better than `low` is worth a try, nothing worse than `high`
    kept = out.with_name(f"{out.name}.fits")
    try:
        for _ in range(TRIES):
            size = _encode(task, out, crf)
            if size <= most:
                fits, high = (crf, size), crf - 1
                out.replace(kept)
            else:
                low = crf + 1
            if low > high or (size <= most and size >= NEAR * most):
                break
            guess = crf + math.ceil(HALVES * math.log2(max(size, 1) / (most * (1 + NEAR) / 2)))
            crf = min(high, max(low, guess))
        if fits is None:
            return crf, size
        kept.replace(out)
        return fits
    finally:
        with contextlib.suppress(OSError):
            kept.unlink()


def _encode(task: _Task, out: Path, crf: int) -> int:
    """Encode a clip once and return the file's size in bytes."""
    import av

    rate = Fraction(task.facts.fps).limit_denominator(100_000)
    options = {**SETTINGS, "crf": str(crf)}
    count = 0
    try:
        with av.open(str(out), "w", format="mp4", options={"movflags": "faststart"}) as written:
            stream: Any = written.add_stream("libx264", rate=rate)
            stream.width, stream.height, stream.pix_fmt, stream.options = task.width, task.height, "yuv420p", options
            for name, value in task.tags.items():
                setattr(stream.codec_context, name, value)
            for frame in _frames(task):
                frame.pts, frame.time_base, frame.pict_type = count, 1 / rate, 0
                written.mux(stream.encode(frame))
                count += 1
            written.mux(stream.encode())
    except (av.FFmpegError, OSError, ValueError) as error:
        if is_machine_trouble(error):
            raise MachineError(f"cannot write {out.name} on this machine: {reason(error)}") from error
        raise VideoError(f"{task.source.name} cannot be encoded anew: {reason(error)}") from error
    return out.stat().st_size


def _frames(task: _Task) -> Iterator[Any]:
    """Yield all frames in yuv420p, limited range, at the size wanted; one at a time is in memory."""
    import av
    from av.video.reformatter import VideoReformatter

    source, facts = task.source, task.facts
    to_size: Any = VideoReformatter()  # one for all: a frame's own is set up anew for every frame
    count, size = 0, (facts.width, facts.height)
    try:
        with container(source) as opened:
            opened.streams.video[0].thread_type = "NONE"
            for frame in opened.decode(video=0):
                check_same_size(source, frame, size, count)
                count += 1
                if count > facts.frames:
                    break
                yield to_size.reformat(
                    frame, task.width, task.height, "yuv420p", interpolation="AREA", **to_limited(frame)
                )
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(source, error)
        raise VideoError(f"{source.name} cannot be decoded after frame {count}", kind="undecodable") from error
    if count != facts.frames:
        raise VideoError(f"{source.name} holds {facts.frames} frames, but {count} can be decoded", kind="undecodable")


def _tags(source: Path) -> dict[str, Any]:
    """Return what a clip says of its colours and the shape of its pixels, since their numbers stay the same.

    The range is always the limited one, and what was RGB comes out by BT.601.
    """
    import av

    try:
        with container(source) as opened:
            codec = opened.streams.video[0].codec_context
            matrix = codec.colorspace if codec.colorspace != RGB else BT601
            tags = {"colorspace": matrix, "color_primaries": codec.color_primaries, "color_trc": codec.color_trc}
            shape = codec.sample_aspect_ratio
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(source, error)
        raise VideoError(f"{source.name} is not a readable video: {reason(error)}") from error
    return {**tags, "color_range": 1, **({"sample_aspect_ratio": shape} if shape else {})}


# -- a poster --------------------------------------------------------------------------------------------------------


def _jpeg(frame: Any, most_bytes: int) -> bytes | None:
    """Return a frame as the best JPEG of at most so many bytes, or None."""
    width = min(POSTER_WIDTH, frame.width)
    while width >= 16:
        height = max(2, round(frame.height * width / frame.width))
        picture = frame.to_ndarray(width=width, height=height, format="rgb24", interpolation="AREA")
        for quality in range(POSTER_QUALITY, 39, -10):
            data = encode_jpeg(picture, quality)
            if len(data) <= most_bytes:
                return data
        width = width * 3 // 4
    return None
