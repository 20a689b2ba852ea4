"""A clip's luma and chroma, frame by frame, without a conversion of colours: what measuring needs, at little cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import VideoError
from sparkle_bench.video.probe import check_machine, check_same_size, container

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FULL_RANGE = 2
"""FFmpeg's number for luma from 0 to 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planes:
    """One frame in YCbCr 4:2:0, limited range.

    Attributes:
        luma: Height×width, uint8; both sides even.
        blue: Cb, half of each side.
        red: Cr, half of each side.
    """

    luma: NDArray[np.uint8]
    blue: NDArray[np.uint8]
    red: NDArray[np.uint8]


def planes(path: Path, *, most: int) -> Iterator[Planes]:
    """Yield the first `most` frames of a clip; an odd last row or column is left out.

    Raises:
        VideoError: The file cannot be decoded.
        MachineError: This machine cannot read it.
    """
    import av

    left = most
    try:
        with container(path) as opened:
            opened.streams.video[0].thread_type = "NONE"
            size = None
            for frame in opened.decode(video=0):
                if left <= 0:
                    return
                size = check_same_size(path, frame, size, most - left)
                left -= 1
                yield _planes(frame)
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(path, error)
        why = "it is damaged, or in a codec unknown here"
        raise VideoError(f"{path.name} cannot be decoded: {why}", kind="undecodable") from error
    if left == most:
        raise VideoError(f"{path.name} cannot be decoded: no frame came out", kind="undecodable")


def _planes(frame: Any) -> Planes:
    width, height = frame.width & ~1, frame.height & ~1
    ranges = to_limited(frame)
    if ranges or frame.format.name != "yuv420p" or (width, height) != (frame.width, frame.height):
        frame = frame.reformat(width=width, height=height, format="yuv420p", **ranges)
    return planes_of(frame)


def to_limited(frame: Any) -> dict[str, str]:
    """Return what to tell PyAV's `reformat` to bring a frame to the limited range; nothing if it is in that already."""
    full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
    return {"src_color_range": "JPEG", "dst_color_range": "MPEG"} if full else {}


def planes_of(frame: Any) -> Planes:
    """Return the planes of a frame in yuv420p, as they lie in it."""
    luma, blue, red = (_plane(plane) for plane in frame.planes)
    return Planes(luma=luma, blue=blue, red=red)


def _plane(plane: Any) -> NDArray[np.uint8]:
    import numpy as np

    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width]
