"""The frames of a clip at chosen indices, by decord, or by PyAV where decord lacks the codec (such as AV1) or miscounts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import VideoError
from sparkle_bench.video.probe import File, check_machine, check_readable, container

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UNDECODABLE = "{} cannot be decoded: it is damaged, or in a codec unknown here; write it again as H.264"


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
    reader = _decord(file, total)
    first = None if reader is None else _first(file, reader, wanted[0])
    if first is None:
        yield from _with_pyav(file, wanted)
        return
    yield first
    del first  # one picture at a time
    yield from _with_decord(file, reader, wanted[1:])


def _decord(file: File, total: int) -> Any:
    """Return decord's reader, or None if it cannot read the file.

    decord counts frames that an edit list hides, and repeats others for them.
    """
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        what = str(file.path) if file.data is None else io.BytesIO(file.data)
        reader = decord.VideoReader(what, ctx=decord.cpu(0), num_threads=1)
        return reader if len(reader) == total else None
    except (decord.DECORDError, RuntimeError, AssertionError):
        _check_readable(file)
        return None


def _first(file: File, reader: Any, index: int) -> NDArray[np.uint8] | None:
    """Return a picture, or None if decord can open the file but lacks its codec."""
    import decord

    try:
        picture: NDArray[np.uint8] = reader[index].asnumpy()
    except (decord.DECORDError, RuntimeError, IndexError):
        _check_readable(file)
        return None
    return picture


def _with_decord(file: File, reader: Any, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    import decord

    try:
        for index in wanted:
            yield reader[index].asnumpy()
    except (decord.DECORDError, RuntimeError) as error:
        _check_readable(file)
        raise VideoError(_UNDECODABLE.format(file.path.name)) from error


def _check_readable(file: File) -> None:
    """Raise `MachineError` if this machine, not the video, may be to blame."""
    if file.data is None:
        check_readable(file.path)


def _with_pyav(file: File, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    import av

    left = list(wanted)
    try:
        with container(file) as opened:
            for index, frame in enumerate(opened.decode(video=0)):
                while left and left[0] == index:
                    left.pop(0)
                    yield frame.to_ndarray(format="rgb24")
                if not left:
                    return
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(file.path, error)
        raise VideoError(_UNDECODABLE.format(file.path.name)) from error
    raise VideoError(_UNDECODABLE.format(file.path.name))
