"""A pair of clips at one small size on one grid: what every signal is measured on.

The analysis works on pictures of the area of 320x180. The edit is laid over the source's grid first: a model may have
scaled or cropped the picture, and an edit that is the source again may also be shifted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.errors import VideoError
from sparkle_bench.video import Planes, planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

AREA = 320 * 180
"""At most so many pixels has the analysed picture. Lengths in pixels are given for the source's own size."""
MOST_FRAMES = 241
"""So many frames are analysed; of a longer clip the first ones. It bounds memory and time."""
FINE = 5
"""So many frames are kept at full size, for sharpness and blocks, and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """One clip, ready to be measured.

    Attributes:
        luma: T×h×w, uint8, shrunk to `AREA`.
        blue: T×(h/2)×(w/2), uint8, Cb.
        red: T×(h/2)×(w/2), uint8, Cr.
        fine: Full-size luma (H×W, uint8) of a few frames, by index.
        scale: Full-size pixels per analysed pixel.
    """

    luma: NDArray[np.uint8]
    blue: NDArray[np.uint8]
    red: NDArray[np.uint8]
    fine: dict[int, NDArray[np.uint8]]
    scale: float

    @property
    def frames(self) -> int:
        """How many frames were read."""
        return len(self.luma)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the analysed picture."""
        return self.luma.shape[1], self.luma.shape[2]


def load(path: Path, frames: int) -> Footage:
    """Read a clip.

    Args:
        path: The file.
        frames: How many frames it holds; at most `MOST_FRAMES` are read.

    Raises:
        VideoError: It cannot be decoded.
        MachineError: This machine cannot read it.
    """
    most = min(frames, MOST_FRAMES)
    chosen = {round(n * (most - 1) / (FINE - 1)) for n in range(FINE)}
    small: list[Planes] = []
    fine: dict[int, NDArray[np.uint8]] = {}
    scale = 1.0
    for index, frame in enumerate(planes(path, most=most)):
        if index in chosen:
            fine[index] = frame.luma.copy()
        small.append(_shrunk(frame))
        scale = frame.luma.shape[1] / small[0].luma.shape[1]
        if small[-1].luma.shape != small[0].luma.shape:
            raise VideoError(f"the pictures of {path.name} change their size at frame {index}")
    if len(small) < most:
        raise VideoError(f"{path.name} is damaged: it holds {frames} frames, and only {len(small)} can be decoded")
    return Footage(
        luma=np.stack([frame.luma for frame in small]),
        blue=np.stack([frame.blue for frame in small]),
        red=np.stack([frame.red for frame in small]),
        fine=fine,
        scale=scale,
    )


def fitted(shape: tuple[int, ...], pixels: int) -> tuple[int, int]:
    """Return the (width, height), both even, to which a picture of (height, width) is shrunk to fit so many pixels."""
    by = max(1.0, math.sqrt(shape[0] * shape[1] / pixels))
    return max(2, 2 * round(shape[1] / by / 2)), max(2, 2 * round(shape[0] / by / 2))


def _shrunk(frame: Planes) -> Planes:
    """Return the frame at the analysed size; both sides stay even."""
    import cv2

    size = fitted(frame.luma.shape, AREA)
    half = (size[0] // 2, size[1] // 2)
    return Planes(
        luma=cv2.resize(frame.luma, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False),
        blue=cv2.resize(frame.blue, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False),
        red=cv2.resize(frame.red, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False),
    )
