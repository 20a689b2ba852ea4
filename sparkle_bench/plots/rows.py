"""How results are shown beside a scale: a dot for a number, a line with ends for what it may be.

Whatever is shown alike is one collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkle_bench.plots.ledger import Ledger, Meaning, dotted, sign_of
from sparkle_bench.plots.sheet import CONTROL, RANKED, UNRANKED, Line, Ruler, Scale, Sheet, Sign, ruler

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board, Row
    from sparkle_bench.scoring import Bounds
    from sparkle_bench.stats import Interval

END = 0.035
"""Half of the stroke that ends a line, in inches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One result, in inches.

    Attributes:
        sign: How it is drawn.
        across: Where it stands across its scale.
        dot: Where the dot stands along the scale, or None.
        span: Where the line begins and ends along the scale, or None.
    """

    sign: Sign
    across: float
    dot: float | None = None
    span: tuple[float, float] | None = None


def show(page: Sheet, results: Sequence[Shown], *, upright: bool = False) -> None:
    """Draw results along horizontal scales, or along an upright one."""
    for sign in dict.fromkeys(result.sign for result in results):
        alike = [result for result in results if result.sign == sign]
        spans = [(*result.span, result.across) for result in alike if result.span is not None]
        along: list[Line] = [(low, y, high, y) for low, high, y in spans]
        ends: list[Line] = [(x, y - END, x, y + END) for low, high, y in spans for x in (low, high)]
        dots = [(result.dot, result.across) for result in alike if result.dot is not None]
        if upright:
            along, ends = ([(y0, x0, y1, x1) for x0, y0, x1, y1 in lines] for lines in (along, ends))
            dots = [(y, x) for x, y in dots]
        page.lines(along, colour=sign.edge, width=1.1, linestyles=[sign.dash])
        page.lines(ends, colour=sign.edge, width=1.1)
        page.dots(dots, sign)


def of_overall(row: Row, scale: Scale, across: float) -> Shown:
    """Return how a row's overall is shown: mean and interval, or the bounds while verdicts are missing."""
    bounds, interval = row.entry.summary.overall, row.intervals.overall if row.intervals else None
    if bounds.value is None:
        return Shown(sign=UNRANKED, across=across, span=(scale.at(bounds.low), scale.at(bounds.high)))
    return Shown(sign=sign_of(row), across=across, dot=scale.at(bounds.low), span=_ends(scale, interval))


def _ends(scale: Scale, interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (scale.at(interval.low), scale.at(interval.high))


def legend(rows: Sequence[Row], words: str) -> list[Meaning]:
    """Return what the signs of these rows mean, as far as they occur."""
    signs = [sign_of(row) for row in rows]
    gaps = any(row.entry.summary.overall.value is None for row in rows)
    other = any(row.rank is None and row.entry.summary.overall.value is not None for row in rows)
    found = [
        (RANKED in signs, Meaning(words=words, draw=dotted(RANKED))),
        (CONTROL in signs, Meaning(words="control: the source, unchanged", draw=dotted(CONTROL))),
        (gaps, Meaning(words="verdicts missing: lowest to highest possible", draw=_span)),
        (other, Meaning(words="not ranked", draw=dotted(UNRANKED, line=False))),
    ]
    return [meaning for occurs, meaning in found if occurs]


def _span(page: Sheet, x: float, y: float) -> None:
    show(page, [Shown(sign=UNRANKED, across=y, span=(x - 0.14, x + 0.14))])


def number(bounds: Bounds) -> str:
    """Return a mean, or its bounds."""
    return f"{bounds.low:.2f}" if bounds.value is not None else f"{bounds.low:.2f}–{bounds.high:.2f}"


def marks_scale(board: Board, start: float, end: float) -> Scale:
    """Return the scale of the marks between two inches."""
    return Scale(low=board.rubric.lowest, high=board.rubric.highest, start=start, end=end)


def marks_ruler(made: Ledger, board: Board, scale: Scale, what: str) -> None:
    """Draw the axis of the marks below the rows."""
    low, high = board.rubric.lowest, board.rubric.highest
    ticks = [(float(mark), str(mark)) for mark in range(low, high + 1)]
    title = f"{what} ({low} worst, {high} best)"
    ruler(made.page, Ruler(scale=scale, ticks=ticks, title=title, top=made.top, bottom=made.bottom))
