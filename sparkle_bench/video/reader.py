"""The frames of a clip at chosen indices, by decord, or by PyAV where decord lacks the codec, miscounts or has no guard.

decord brings an old FFmpeg and can be given no limits, and nothing stops a stream from growing to a hundred times its
size in the middle. So it is given H.264 in mp4 alone, whose parameter sets are known to the last packet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import VideoError
from sparkle_bench.video.header import is_plain, is_steady, look
from sparkle_bench.video.probe import File, check_machine, check_readable, check_same_size, container

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pictures(file: File, total: int, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Yield the RGB pictures (H×W×3, uint8) at rising indices, one by one.

    Args:
        file: The clip.
        total: How many frames it has, by its packets.
        wanted: The indices.

    Raises:
        VideoError: It cannot be decoded.
        MachineError: This machine cannot read it.
    """
    reader = _decord(file, total) if _is_steady(file) else None
    first = None if reader is None else _first(file, reader, wanted[0])
    if first is None:
        yield from _with_pyav(file, wanted)
        return
    yield first
    del first  # one picture at a time
    yield from _with_decord(file, reader, wanted[1:])


def _is_steady(file: File) -> bool:
    """Whether a file is one stream of H.264 in mp4 whose size cannot change."""
    import av

    try:
        if not look(file).is_h264:
            return False
        with container(file, skip_frame="all") as opened:
            stream = opened.streams.video[0]
            sets = stream.codec_context.extradata or b""
            if stream.codec_context is None or stream.codec_context.name != "h264" or not is_plain(sets):
                return False
            return all(is_steady(bytes(packet), sets) for packet in opened.demux(stream))
    except (av.FFmpegError, OSError, ValueError, VideoError):
        return False  # PyAV will say why


def _decord(file: File, total: int) -> Any:
    """Return decord's reader, or None if it cannot read the file.

    decord counts frames that an edit list hides, and repeats others for them.
    """
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        with _opened(file) as place:
            reader = decord.VideoReader(place, ctx=decord.cpu(0), num_threads=1)
        return reader if len(reader) == total else None
    except (decord.DECORDError, RuntimeError, AssertionError):
        _check_readable(file)
        return None
    except OSError as error:
        check_machine(file.path, error)
        return None


@contextmanager
def _opened(file: File) -> Iterator[str]:
    """Give a file a path that leads to the bytes at hand.

    decord takes bytes too, but reads past their end where an index points past it, and takes the process with it.
    """
    if file.data is None:
        yield str(file.path)
        return
    if not hasattr(os, "memfd_create"):  # not on Linux
        raise RuntimeError
    descriptor = os.memfd_create("video")
    try:
        with open(descriptor, "wb", closefd=False) as copy:
            copy.write(file.data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _first(file: File, reader: Any, index: int) -> NDArray[np.uint8] | None:
    """Return a picture, or None if decord can open the file but lacks its codec or mistakes its form."""
    import decord

    try:
        picture: NDArray[np.uint8] = reader[index].asnumpy()
    except (decord.DECORDError, RuntimeError, IndexError):
        _check_readable(file)
        return None
    return picture if picture.shape[2] == 3 else None  # 16, 24, 48 or 72 px across: decord takes padding for channels


def _with_decord(file: File, reader: Any, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    import decord

    try:
        for index in wanted:
            yield reader[index].asnumpy()
    except (decord.DECORDError, RuntimeError) as error:
        _check_readable(file)
        raise _undecodable(file) from error


def _check_readable(file: File) -> None:
    """Raise `MachineError` if this machine, not the video, may be to blame."""
    if file.data is None:
        check_readable(file.path)


def _with_pyav(file: File, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    import av

    left = list(wanted)
    try:
        with container(file) as opened:
            size = None
            for index, frame in enumerate(opened.decode(video=0)):
                size = check_same_size(file.path, frame, size, index)
                while left and left[0] == index:
                    left.pop(0)
                    yield frame.to_ndarray(format="rgb24")
                if not left:
                    return
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(file.path, error)
        raise _undecodable(file) from error
    raise _undecodable(file)


def _undecodable(file: File) -> VideoError:
    why = "it is damaged, or in a codec unknown here; write it again as H.264"
    return VideoError(f"{file.path.name} cannot be decoded: {why}", kind="undecodable")
