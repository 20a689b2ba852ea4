"""What two pictures have in common: is this the source again, or the source beside its edit in one picture?

Pictures are compared on a grid of 64x36 cells, so compression, noise and another size make next to no difference, and a
new background or new colours make a large one. On twelve real pairs no part of an edit agrees with its source by more than
0.5, and no part of a source with the whole of it by more than 0.8; see `ALIKE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkle_bench.video.glance import WHOLE, Box, cells

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sparkle_bench.video import Planes

    Cells = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

PLAIN = 3.0
"""A picture whose brightness varies less than this (standard deviation, levels of 255) shows nothing to compare."""
ALIKE = 0.95
"""Two pictures whose brightness agrees this much (correlation over the cells) may be the same picture."""
SAME = (8.0, 6.0)
"""So far may nineteen of twenty cells be apart in brightness and in colour, in levels, in the same picture encoded anew."""
BESIDE = (24.0, 12.0)
"""The same for a part of a picture, which may be squeezed and cut by some pixels."""
BAR = 24
"""A row or column no brighter than this belongs to a black bar."""
LEAST_BAR = 0.02
"""A bar narrower than this share of the picture is none."""
SHAVED = 0.04
"""A part may show the source without so much of each side. If more was allowed, the middle third of every edit that keeps
the source's middle would be taken for the source beside something else."""

PARTS: dict[str, tuple[tuple[str, Box], ...]] = {
    "two pictures side by side": (("left half", Box(right=0.5)), ("right half", Box(left=0.5))),
    "two pictures above each other": (("upper half", Box(bottom=0.5)), ("lower half", Box(top=0.5))),
    "three pictures side by side": (
        ("left third", Box(right=1 / 3)),
        ("middle third", Box(left=1 / 3, right=2 / 3)),
        ("right third", Box(left=2 / 3)),
    ),
    "three pictures above each other": (
        ("upper third", Box(bottom=1 / 3)),
        ("middle third", Box(top=1 / 3, bottom=2 / 3)),
        ("lower third", Box(top=2 / 3)),
    ),
    "four pictures in one": (
        ("upper left quarter", Box(right=0.5, bottom=0.5)),
        ("upper right quarter", Box(left=0.5, bottom=0.5)),
        ("lower left quarter", Box(right=0.5, top=0.5)),
        ("lower right quarter", Box(left=0.5, top=0.5)),
    ),
}
"""How films for comparison are put together, and the names of their parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How much two pictures have in common.

    Attributes:
        agreement: Correlation of brightness over the cells, -1 to 1.
        luma: How far apart nineteen of twenty cells are in brightness, in levels of 255.
        colour: The same in Cb or Cr, the larger.
    """

    agreement: float
    luma: float
    colour: float

    def within(self, limits: tuple[float, float]) -> bool:
        """Whether this may be the same picture."""
        return self.agreement >= ALIKE and self.luma <= limits[0] and self.colour <= limits[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a film for comparison.

    Attributes:
        film: How the film is put together, such as `two pictures side by side`.
        name: Which part it is, such as `left half`.
    """

    film: str
    name: str


def is_plain(picture: Planes) -> bool:
    """Whether a picture is of one brightness, so that nothing can be told from it."""
    return float(cells(picture)[0].std()) < PLAIN


def is_same(source: Planes, edited: Planes) -> bool:
    """Whether the edit's picture is the source's: encoded anew, at another size, cut to another aspect or with bars."""
    ours = [cells(source, box) for box in _cuts(source, _aspect(edited, WHOLE))]
    theirs = [cells(edited, box) for box in _frames(edited)]
    return any(compare(a, b).within(SAME) for a in ours for b in theirs)


def part_alike(source: Planes, edited: Planes) -> Part | None:
    """Return the part of the edit's picture that is the source's, or None."""
    for frame in _frames(edited):
        for film, parts in PARTS.items():
            aspect = _aspect(edited, _inside(frame, parts[0][1]))
            ours = [cells(source, box) for box in _cuts(source, aspect, most=SHAVED)]
            for name, box in parts:
                theirs = cells(edited, _inside(frame, box))
                if any(compare(cut, theirs).within(BESIDE) for cut in ours):
                    return Part(film=film, name=name)
    return None


def compare(ours: Cells, theirs: Cells) -> Likeness:
    """Compare two pictures on one grid."""
    import numpy as np

    one, other = (luma - luma.mean() for luma in (ours[0], theirs[0]))
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    apart = [float(np.percentile(np.abs(a - b), 95)) for a, b in zip(ours, theirs, strict=True)]
    agreement = float((one * other).sum()) / scale if scale > 0 else 0.0
    return Likeness(agreement=agreement, luma=apart[0], colour=max(apart[1:]))


def _aspect(picture: Planes, box: Box) -> float:
    height, width = map(float, picture.luma.shape)
    return (box.right - box.left) * width / ((box.bottom - box.top) * height)


def _cuts(source: Planes, aspect: float, *, most: float = 0.5) -> Iterator[Box]:
    """Yield the whole source, and its middle cut to an aspect if no side loses more than a share `most` for it."""
    yield WHOLE
    ours = _aspect(source, WHOLE)
    margin = (1 - min(ours, aspect) / max(ours, aspect)) / 2
    if LEAST_BAR / 4 < margin <= most:
        yield Box(left=margin, right=1 - margin) if ours > aspect else Box(top=margin, bottom=1 - margin)


def _frames(picture: Planes) -> Iterator[Box]:
    """Yield the whole picture, and what is left of it without black bars."""
    yield WHOLE
    luma = picture.luma
    sides = []
    for axis in (1, 0):
        bright = (luma > BAR).any(axis=axis).nonzero()[0]
        length = luma.shape[1 - axis]
        sides.append((bright[0] / length, (bright[-1] + 1) / length) if len(bright) else (0.0, 1.0))
    (top, bottom), (left, right) = sides
    if max(top, 1 - bottom, left, 1 - right) > LEAST_BAR and right - left > 0.2 and bottom - top > 0.2:
        yield Box(left=float(left), top=float(top), right=float(right), bottom=float(bottom))


def _inside(frame: Box, part: Box) -> Box:
    """Return the part of a frame as a part of the picture that the frame is in."""
    width, height = frame.right - frame.left, frame.bottom - frame.top
    return Box(
        left=frame.left + part.left * width,
        top=frame.top + part.top * height,
        right=frame.left + part.right * width,
        bottom=frame.top + part.bottom * height,
    )
