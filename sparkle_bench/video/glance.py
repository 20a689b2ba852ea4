"""A few pictures of a clip, small, and what its stream says of itself: enough to see what a file is, at little cost.

Decoding from the start is the only way to a later picture, since many clips have one key frame. Damage that a decoder
hides is seen here by its own word for it: FFmpeg marks a frame that it had to make up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import MachineError, VideoError
from sparkle_bench.video.planes import Planes, planes_of, to_limited
from sparkle_bench.video.probe import check_machine, check_same_size, container, reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AREA = 320 * 180
"""A picture that is kept has at most about so many pixels."""
CELLS = (64, 36)
"""(width, height) of the grid on which pictures are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a picture, in shares of its sides.

    Attributes:
        left: 0 to 1.
        top: 0 to 1.
        right: 0 to 1, more than `left`.
        bottom: 0 to 1, more than `top`.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


WHOLE = Box()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What was seen by decoding a clip from its first frame to its last.

    Attributes:
        damaged: Indices of the frames that the decoder had to make up in part.
        change: The largest difference of any cell of any frame from the first frame's, in levels of 255.
        brightest: The brightest cell of all frames, in levels; black is 16.
    """

    damaged: tuple[int, ...]
    change: float
    brightest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What was seen of a clip.

    Attributes:
        codec: FFmpeg's name, such as `h264`.
        pixels: FFmpeg's name of the pixel format, such as `yuv420p`.
        container: FFmpeg's names of the container, with commas.
        stretch: How much wider than high a player shows a pixel; 1 for square ones.
        turn: Degrees by which a player turns the picture.
        pictures: By index, those asked for that could be decoded, shrunk to `AREA`.
        decoded: How many frames were decoded.
        grown: That a frame has another size than those before it, and which, or None; nothing after it is decoded, since
            a stream may grow to a hundred times the size that its header tells.
        course: Of a clip that was decoded whole; otherwise None.
        trouble: Why decoding ended early, or None.
    """

    codec: str
    pixels: str
    container: str
    stretch: float
    turn: int
    pictures: dict[int, Planes]
    decoded: int
    grown: str | None = None
    course: Course | None = None
    trouble: str | None = None


def glance(path: Path, at: Sequence[int] = (0,), *, whole: bool = False) -> Glance:
    """Look at a clip that was probed before.

    Args:
        path: The file.
        at: Indices of the frames to keep, rising.
        whole: Whether to decode all frames; otherwise none after the last of `at`.

    Raises:
        VideoError: It cannot be opened any more.
        MachineError: This machine cannot read it.
    """
    import av

    with _opened(path) as opened:
        stream = opened.streams.video[0]
        watch = _Watch(path, at=tuple(at), whole=whole)
        trouble = grown = None
        try:
            for frame in opened.decode(stream):
                if not watch.sees(frame):
                    break
        except VideoError as error:
            grown = str(error)
        except MemoryError as error:
            raise MachineError(f"too little memory to look at {path.name}") from error
        except (av.FFmpegError, OSError, ValueError) as error:
            check_machine(path, error)
            trouble = f"{path.name} cannot be decoded after frame {watch.decoded} ({reason(error)})"
        context = stream.codec_context
        aspect = context.sample_aspect_ratio
        return Glance(
            codec=str(context.name),
            pixels=str(getattr(context, "pix_fmt", None)),
            container=str(opened.format.name),
            stretch=float(aspect) if aspect else 1.0,
            turn=watch.turn,
            pictures=watch.pictures,
            decoded=watch.decoded,
            grown=grown,
            course=watch.course(),
            trouble=trouble,
        )


def cells(picture: Planes, box: Box = WHOLE) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the luma, blue and red of a part of a picture on the grid of `CELLS`, each by area."""
    import cv2
    import numpy as np

    found = []
    for plane in (picture.luma, picture.blue, picture.red):
        height, width = plane.shape
        rows = slice(round(box.top * height), max(round(box.bottom * height), round(box.top * height) + 1))
        columns = slice(round(box.left * width), max(round(box.right * width), round(box.left * width) + 1))
        part = plane[rows, columns]
        found.append(cv2.resize(part, CELLS, interpolation=cv2.INTER_AREA).astype(np.float32))
    return found[0], found[1], found[2]


class _Watch:
    """Takes in a clip's frames one by one."""

    def __init__(self, path: Path, *, at: tuple[int, ...], whole: bool) -> None:
        from av.video.reformatter import VideoReformatter

        self._path, self._at, self._whole = path, at, whole
        self._shrink: Any = VideoReformatter()
        self._measure: Any = VideoReformatter()
        self._first: NDArray[np.int16] | None = None
        self._size: tuple[int, int] | None = None
        self._damaged: list[int] = []
        self._change = self._brightest = 0.0
        self.pictures: dict[int, Planes] = {}
        self.decoded = self.turn = 0

    def sees(self, frame: Any) -> bool:
        """Take in a frame; return whether to go on.

        Raises:
            VideoError: It has another size than those before it.
        """
        self._size = check_same_size(self._path, frame, self._size, self.decoded)
        if self.decoded == 0:
            self.turn = round(getattr(frame, "rotation", 0) or 0) % 360
        if self.decoded in self._at:
            self.pictures[self.decoded] = _shrunk(self._shrink, frame, _small(frame))
        if self._whole:
            self._follow(frame)
        self.decoded += 1
        return self._whole or self.decoded <= max(self._at, default=-1)

    def course(self) -> Course | None:
        """Return what was seen of the whole."""
        if not self._whole:
            return None
        return Course(
            damaged=tuple(self._damaged),
            change=self._change,
            brightest=self._brightest,
        )

    def _follow(self, frame: Any) -> None:
        import numpy as np

        if frame.is_corrupt:
            self._damaged.append(self.decoded)
        luma = _shrunk(self._measure, frame, CELLS).luma.astype(np.int16)
        if self._first is None:
            self._first = luma
        self._change = max(self._change, float(np.abs(luma - self._first).max()))
        self._brightest = max(self._brightest, float(luma.max()))


def _opened(path: Path) -> Any:
    import av

    try:
        opened = container(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(path, error)
        raise VideoError(f"{path.name} is not a readable video: {reason(error)}") from error
    opened.streams.video[0].thread_type = "NONE"
    return opened


def _small(frame: Any) -> tuple[int, int]:
    by = max(1.0, math.sqrt(frame.width * frame.height / AREA))
    return max(2, 2 * round(frame.width / by / 2)), max(2, 2 * round(frame.height / by / 2))


def _shrunk(reformatter: Any, frame: Any, size: tuple[int, int]) -> Planes:
    """Return a frame's planes, limited range, at a size of two even sides."""
    return planes_of(reformatter.reformat(frame, *size, "yuv420p", interpolation="AREA", **to_limited(frame)))
