"""The comparison grid: source and models in rows, instants in columns, the instruction below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkle_bench.errors import printable
from sparkle_bench.plots import lettering
from sparkle_bench.plots.sheet import GREY, PAGE, PALE, SMALL, TEXT, Box, Sheet, sheet

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sparkle_bench.plots.comparison import Comparison, Strip

MARGIN, GAP, LINE = 0.05, 0.03, 0.13
LABEL = 1.15
"""Inches that a row's label takes at most."""
FLATTEST, TALLEST = 0.25, 2.0
"""Height over width of a cell: beyond these a picture has room at its sides."""
MOST_LINES = 12
"""Of the instruction."""
NAME_LINES, WHY_LINES = 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the cells stand, in inches.

    Attributes:
        left: Where the first column begins.
        top: Where the first row begins.
        wide: A cell's width.
        high: Its height.
    """

    left: float
    top: float
    wide: float
    high: float

    def cell(self, row: int, column: int) -> Box:
        """Return a cell."""
        x = self.left + column * (self.wide + GAP)
        return (x, self.top + row * (self.high + GAP), self.wide, self.high)


def texts(comparison: Comparison) -> Iterator[str]:
    """Yield all that stands on the grid."""
    yield printable(comparison.sample.instruction, limit=5000)
    yield _whose(comparison)
    for strip in comparison.strips:
        yield from (strip.label, strip.why, strip.timing, strip.mark)


def grid(comparison: Comparison) -> Figure:
    """Draw a comparison; pictures of another aspect than the source's are fitted into its cells, never stretched."""
    strips = comparison.strips
    widths = [lettering.width(words, SMALL) for strip in strips for words in (strip.label, strip.timing, strip.mark)]
    left = MARGIN + min(LABEL, max(widths)) + 0.06
    columns = len(comparison.times)
    wide = (PAGE - MARGIN - left - GAP * (columns - 1)) / columns
    high, across = strips[0].pictures[0].shape[:2]
    high = max(wide * min(TALLEST, max(FLATTEST, high / across)), 0.3)
    layout = Layout(left=left, top=MARGIN + 0.17, wide=wide, high=high)
    end = layout.top + len(strips) * (high + GAP)
    said = lettering.legible(printable(comparison.sample.instruction, limit=5000))
    lines = lettering.wrapped(f"Instruction: {said}", PAGE - 2 * MARGIN, TEXT)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], lettering.fitted(lines[MOST_LINES - 1], PAGE - 0.4, TEXT).rstrip("…") + "…"]
    page = sheet(PAGE, end + 0.05 + LINE * (len(lines) + 1) + MARGIN)
    _times(page, layout, comparison)
    for row, strip in enumerate(strips):
        _label(page, layout, row, strip)
        for column, picture in enumerate(strip.pictures):
            _picture(page, layout.cell(row, column), picture)
        if not strip.pictures:
            _why(page, layout, row, (strip.why, columns))
    for number, line in enumerate(lines):
        page.text(MARGIN, end + 0.05 + LINE * (number + 0.5), line)
    page.text(MARGIN, end + 0.05 + LINE * (len(lines) + 0.5), _whose(comparison), fontsize=SMALL, color=GREY)
    return page.figure


def _whose(comparison: Comparison) -> str:
    sample = comparison.sample
    labels = " / ".join(lettering.short(part, 60) for part in (sample.theme, sample.subtheme, sample.scene))
    return lettering.fitted(f"{lettering.short(sample.id, 60)}: {labels}", PAGE - 2 * MARGIN, SMALL)


def _times(page: Sheet, layout: Layout, comparison: Comparison) -> None:
    """Head each column with its time in the source; every second one, or fewer, where there is no room for all."""
    words = [f"{time:.2f} s" for time in comparison.times]
    room = layout.wide + GAP
    step = next(
        step for step in range(1, len(words) + 1) if max(lettering.width(w, SMALL) for w in words) < room * step
    )
    for column in range(0, len(words), step):
        x = layout.cell(0, column)[0] + layout.wide / 2
        half = lettering.width(words[column], SMALL) / 2
        x = min(max(x, layout.left + half), PAGE - MARGIN - half)
        page.text(x, layout.top - 0.09, words[column], ha="center", fontsize=SMALL)


def _label(page: Sheet, layout: Layout, row: int, strip: Strip) -> None:
    """Write a row's name, its timing where it has its own, and its mark, in the middle of the row's height."""
    room = layout.left - MARGIN - 0.03
    most = max(1, int(layout.high / 0.12) - bool(strip.timing) - bool(strip.mark))
    names = lettering.wrapped(lettering.legible(strip.label), room, SMALL)[: min(NAME_LINES, most)]
    lines = [(line, {"weight": "bold"} if row == 0 else {}) for line in names]
    lines += [
        (line, {"color": GREY}) for words in (strip.timing,) if words for line in lettering.wrapped(words, room, SMALL)
    ]
    lines += [(lettering.fitted(strip.mark, room, SMALL), {})] * bool(strip.mark)
    middle = layout.cell(row, 0)[1] + layout.high / 2
    for number, (line, style) in enumerate(lines):
        page.text(MARGIN, middle + 0.12 * (number - (len(lines) - 1) / 2), line, fontsize=SMALL, **style)


def _why(page: Sheet, layout: Layout, row: int, of: tuple[str, int]) -> None:
    """Say in an empty row why there are no pictures."""
    why, columns = of
    x, y, _, high = layout.cell(row, 0)
    end = layout.cell(row, columns - 1)
    width = end[0] + end[2] - x
    page.boxes([(x, y, width, high)], "#FFFFFF", edgecolors=PALE, linewidths=0.8, linestyles=["--"])
    lines = lettering.wrapped(lettering.legible(why), width - 0.2, SMALL)[:WHY_LINES]
    for number, line in enumerate(lines):
        at = y + high / 2 + 0.12 * (number - (len(lines) - 1) / 2)
        page.text(x + width / 2, at, line, ha="center", fontsize=SMALL, color=GREY)


def _picture(page: Sheet, cell: Box, picture: NDArray[np.uint8]) -> None:
    """Draw a picture as large as it fits into a cell, in its middle."""
    x, y, wide, high = cell
    tall, across = picture.shape[:2]
    scale = min(wide / across, high / tall)
    width, height = across * scale, tall * scale
    left, top = x + (wide - width) / 2, y + (high - height) / 2
    frame = (left / page.width, 1 - (top + height) / page.height, width / page.width, height / page.height)
    axes = page.figure.add_axes(frame)
    axes.set_axis_off()
    axes.imshow(picture, aspect="auto")
