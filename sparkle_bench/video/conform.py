"""Fitting a clip to what an editing model takes: how many frames, of which size, cropped and scaled how.

The usual rule is that of the benchmark authors' script for Kiwi-Edit: the first 4k+1 frames up to 81, never re-timed; never
enlarged; at most 921,600 pixels; both sides floored to multiples of 32; cropped around the centre to the new aspect and
then scaled by Pillow's bicubic filter. A picture that has the size already is left alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkle_bench.errors import VideoError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RULE = re.compile(r"([1-9]\d*)n\+(\d+)|any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What an editing model takes.

    Attributes:
        frames: `4n+1`, `8n+1`, `17n+5` or the like, or `any`.
        fewest: Frames at least.
        most: Frames at most; itself of the rule's form, since it is applied last, as by the authors.
        multiple: Both sides are floored to multiples of this.
        most_pixels: At most so many pixels a frame; None for no limit.
        size: (width, height) in pixels, multiples too, that every clip is cropped and scaled to; None keeps the clip's
            own as far as the limits allow.
    """

    frames: str = "4n+1"
    fewest: int = 1
    most: int = 81
    multiple: int = 32
    most_pixels: int | None = 1280 * 720
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not _RULE.fullmatch(self.frames):
            raise VideoError(f"{self.frames!r} is no rule for frames; it looks like 4n+1, 17n+5 or any")
        if self.multiple < 1 or self.most < 1 or (self.size is not None and min(self.size) < 2):
            raise VideoError(
                f"a clip cannot be fitted to multiples of {self.multiple}, {self.most} frames and the size {self.size}"
            )
        if self.size is not None and any(side % self.multiple for side in self.size):
            width, height = (max(1, round(side / self.multiple)) * self.multiple for side in self.size)
            raise VideoError(
                f"the model takes sides in multiples of {self.multiple}, not {self.size[0]}x{self.size[1]}; "
                f"{width}x{height} is one"
            )
        if self.most != self._floored(self.most):
            near = self._floored(self.most) or f"{int(self.frames.partition('+')[2])} at least"
            raise VideoError(f"{self.most} frames at most, but the model takes {self.frames}: {near}")

    def count(self, total: int) -> int:
        """Return how many of a clip's first frames are taken.

        Raises:
            VideoError: The clip is too short.
        """
        taken = min(self._floored(total), self.most)
        if taken < max(1, self.fewest):
            raise VideoError(
                f"a clip of {total} frames is too short; {self.frames} frames from {self.fewest} up are taken"
            )
        return taken

    def _floored(self, total: int) -> int:
        """Return the most frames of the rule's form, n from 0 up, that are in `total`; 0 if there are none."""
        found = _RULE.fullmatch(self.frames)
        if found is None or not found[1]:
            return total
        step, rest = int(found[1]), int(found[2])
        return (total - rest) // step * step + rest if total >= rest else 0

    def target(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) to which a clip is fitted.

        Raises:
            VideoError: A side would vanish.
        """
        if self.size is not None:
            return self.size
        if self.most_pixels is not None and width * height > self.most_pixels:
            shrink = math.sqrt(width * height / self.most_pixels)
            width, height = int(width / shrink), int(height / shrink)
        width, height = width // self.multiple * self.multiple, height // self.multiple * self.multiple
        if not (width and height):
            raise VideoError(f"a clip this small cannot be fitted to multiples of {self.multiple} pixels")
        return width, height


USUAL = Fit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a picture, in pixels.

    Attributes:
        left: Its first column.
        top: Its first row.
        width: Columns.
        height: Rows.
    """

    left: int
    top: int
    width: int
    height: int


def crop(size: tuple[int, int], target: tuple[int, int]) -> Box:
    """Return the largest part around the centre of a (width, height) that has the target's aspect."""
    width, height = size
    if height / width < target[1] / target[0]:
        cut = int(height / target[1] * target[0])
        return Box(left=(width - cut) // 2, top=0, width=cut, height=height)
    cut = int(width / target[0] * target[1])
    return Box(left=0, top=(height - cut) // 2, width=width, height=cut)


def conform(frames: Iterable[NDArray[np.uint8]], target: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures (H×W×3, uint8) cropped and scaled to the target's (width, height)."""
    import numpy as np
    from PIL import Image

    for frame in frames:
        height, width = frame.shape[:2]
        if (width, height) == target:
            yield frame
            continue
        box = crop((width, height), target)
        part = frame[box.top : box.top + box.height, box.left : box.left + box.width]
        if part.shape[:2] == (target[1], target[0]):
            yield np.ascontiguousarray(part)
            continue
        scaled = Image.fromarray(part).resize(target, Image.Resampling.BICUBIC)
        yield np.asarray(scaled)
