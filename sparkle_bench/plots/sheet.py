"""A page in inches, and the marks that are drawn on it.

All is placed in inches from the top left corner, by what is known of the widths of texts; matplotlib's own axes, ticks and
layout would take most of the time that a figure takes. A kind of mark is one collection, however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkle_bench.plots import lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

BLUE, ORANGE, SKY = "#0072B2", "#D55E00", "#56B4E9"
"""Of the eight colours of Okabe and Ito (2008), which colour-blind readers can tell apart."""
INK, GREY, PALE, BAND = "#000000", "#6E6E6E", "#D9D9D9", "#F1F1F1"
TEXT, SMALL, HEAD = 7.5, 7.0, 8.5
"""Sizes of letters, in points, at the size at which the figure is printed."""
COLUMN, PAGE = 3.5, 7.0
"""Inches: the width of a column and of a page in print."""
MOST_TEXTS = 180
"""More numbers than this are drawn as outlines, in which nobody can search."""
STYLE: Any = {
    "font.size": TEXT,
    "font.sans-serif": [lettering.FAMILY],  # an SVG lists them all
    "svg.hashsalt": "sparkle-bench",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a `$` in a name is a dollar
    "text.usetex": False,
    "text.hinting": "no_hinting",  # a fifth faster, and letters stand where their widths say
    "hatch.linewidth": 0.6,
    "path.simplify": False,
}

_DROP = 0.008
"""Inches: the middle of a line's box is above the middle of its capitals."""

Box = tuple[float, float, float, float]
"""Left, top, width and height, in inches."""
Line = tuple[float, float, float, float]
"""From and to: x, y, x, y, in inches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in its place: its middle in inches, its digits and their colour."""

    x: float
    y: float
    words: str
    ink: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A figure to draw on.

    Attributes:
        figure: It.
        inches: Turns inches from the top left corner into its own units.
        width: Inches.
        height: Inches.
    """

    figure: Figure
    inches: Transform
    width: float
    height: float

    def text(self, x: float, y: float, words: str, **style: Any) -> None:
        """Write one line, by default in the middle of its height and from `x` on."""
        from matplotlib.text import Text

        if "weight" in style or "style" in style:  # our own words; others' fonts may lack the face
            style = {"fontfamily": lettering.families(()), **style}
        style = {"va": "center", "ha": "left", "fontsize": TEXT, "color": INK, **style}
        self.figure.add_artist(Text(x, y + _DROP, words, transform=self.inches, **style))

    def numbers(self, numbers: Sequence[Number]) -> None:
        """Write numbers in small type, each around its middle: many as outlines, one collection a letter.

        A page of a thousand numbers as texts takes a second.
        """
        if len(numbers) <= MOST_TEXTS:
            for number in numbers:
                self.text(number.x, number.y, number.words, ha="center", fontsize=SMALL, color=number.ink)
            return
        from matplotlib.collections import PathCollection

        places: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for number in numbers:
            x = number.x - lettering.width(number.words, SMALL) / 2
            for sign in number.words:
                places.setdefault((sign, number.ink), []).append(
                    (x, number.y + lettering.HALF * SMALL / lettering.POINTS)
                )
                x += lettering.width(sign, SMALL)
        for (sign, ink), offsets in places.items():
            if sign == " ":  # which has no outline
                continue
            style: dict[str, Any] = {"facecolors": ink, "edgecolors": "none", "linewidths": 0, "zorder": 3}
            letters = PathCollection(
                [lettering.outline(sign, SMALL)], offsets=offsets, offset_transform=self.inches, **style
            )
            letters.set_transform(self.figure.dpi_scale_trans)
            self.figure.add_artist(letters)

    def lines(self, lines: Sequence[Line], *, colour: str = INK, width: float = 0.8, **style: Any) -> None:
        """Draw straight lines."""
        from matplotlib.collections import LineCollection

        if lines:
            ends = [((x0, y0), (x1, y1)) for x0, y0, x1, y1 in lines]
            style = {"colors": colour, "linewidths": width, "transform": self.inches, **style}
            self.figure.add_artist(LineCollection(ends, **style))

    def boxes(self, boxes: Sequence[Box], colours: Any, **style: Any) -> None:
        """Draw boxes, in one colour or each in its own."""
        corners = [[(x, y), (x + w, y), (x + w, y + h), (x, y + h)] for x, y, w, h in boxes]
        self.shapes(corners, **{"facecolors": colours, "edgecolors": "none", "linewidths": 0.0, **style})

    def shapes(self, shapes: Sequence[Sequence[tuple[float, float]]], **style: Any) -> None:
        """Draw closed shapes, given by their corners."""
        from matplotlib.collections import PolyCollection

        if shapes:
            self.figure.add_artist(PolyCollection(shapes, transform=self.inches, **style))

    def dots(self, places: Iterable[tuple[float, float]], sign: Sign) -> None:
        """Draw a sign at every place."""
        from matplotlib.lines import Line2D

        found = list(places)
        if found:
            xs, ys = zip(*found, strict=True)
            style: Any = {
                "marker": sign.marker,
                "markersize": sign.size,
                "markeredgewidth": 0.9,
                "markerfacecolor": sign.face,
            }
            self.figure.add_artist(Line2D(xs, ys, linestyle="none", color=sign.edge, transform=self.inches, **style))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """How a kind of result is shown.

    Attributes:
        marker: The dot's shape.
        face: Its colour.
        edge: Its outline's, and its line's.
        dash: Of its line.
        size: Of the dot, in points.
    """

    marker: str
    face: str
    edge: str
    dash: Any = "-"
    size: float = 4.5


RANKED = Sign(marker="o", face=BLUE, edge=BLUE)
UNRANKED = Sign(marker="s", face="#FFFFFF", edge=ORANGE, dash=(0, (2.5, 1.5)), size=4.0)
CONTROL = Sign(marker="D", face="#FFFFFF", edge=INK, size=4.2)


def sheet(width: float, height: float) -> Sheet:
    """Return an empty figure of so many inches."""
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    figure = Figure(figsize=(width, height), facecolor="white")
    inches = Affine2D().scale(1 / width, -1 / height).translate(0, 1) + figure.transFigure
    return Sheet(figure=figure, inches=inches, width=width, height=height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where a value stands between two inches.

    Attributes:
        low: The value at `start`.
        high: The value at `end`.
        start: Inches.
        end: Inches.
        log: Whether equal ratios, not equal differences, are equally long.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return the inch of a value."""
        low, high, value = (
            (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * (value - low) / (high - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """An axis below a panel.

    Attributes:
        scale: From left to right.
        ticks: Values and what stands below them.
        title: What the axis shows.
        top: Where its grid lines begin, in inches.
        bottom: Where they end.
    """

    scale: Scale
    ticks: Sequence[tuple[float, str]]
    title: str
    top: float
    bottom: float


def ruler(page: Sheet, axis: Ruler) -> None:
    """Draw an axis with its grid lines."""
    places = [(axis.scale.at(value), words) for value, words in axis.ticks]
    page.lines([(x, axis.top, x, axis.bottom) for x, _ in places], colour=PALE, width=0.5, zorder=0.5)
    page.lines([(axis.scale.start, axis.bottom, axis.scale.end, axis.bottom)], colour=GREY, width=0.6)
    for x, words in places:
        page.text(x, axis.bottom + 0.09, words, ha="center", fontsize=SMALL)
    middle = (axis.scale.start + axis.scale.end) / 2
    half = lettering.width(axis.title, SMALL) / 2
    middle = min(max(middle, half + 0.05), page.width - half - 0.05)
    page.text(middle, axis.bottom + 0.23, axis.title, ha="center", fontsize=SMALL)


RULER = 0.33
"""Inches that an axis takes below its panel."""
