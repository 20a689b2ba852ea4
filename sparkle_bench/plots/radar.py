"""One radar of the dimensions per model. The first panel names the spokes, so that the others can be small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkle_bench.plots import lettering
from sparkle_bench.plots.ledger import LINE, MARGIN, control_note, label, rank_texts, sign_of, title_lines, write_title
from sparkle_bench.plots.sheet import (
    COLUMN,
    CONTROL,
    GREY,
    INK,
    PAGE,
    PALE,
    RANKED,
    SMALL,
    TEXT,
    UNRANKED,
    Line,
    Sheet,
    sheet,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sparkle_bench.leaderboard import Board, Row

MOST_RADARS = 23
"""With the key they fill a page of four columns."""
RADIUS, KEY_ACROSS = 0.5, 0.22
"""Inches; names want more room beside the key than numbers beside a result."""
HIGH = 1.5
"""Inches of a panel."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Where a radar stands.

    Attributes:
        x: Its middle, in inches.
        y: Likewise.
        spokes: How many there are.
        low: The mark in the middle, one below the lowest, so that the lowest marks are seen.
        high: The mark at the rim.
        across: Inches from its middle to the rim, sideways; up and down it is `RADIUS`.
    """

    x: float
    y: float
    spokes: int
    low: int
    high: int
    across: float

    def point(self, spoke: int, mark: float) -> Point:
        """Return where a mark stands on a spoke; the first points up, the next ones follow clockwise."""
        angle, far = 2 * math.pi * spoke / self.spokes, (mark - self.low) / (self.high - self.low)
        return self.x + self.across * far * math.sin(angle), self.y - RADIUS * far * math.cos(angle)

    def ring(self, marks: Sequence[float]) -> list[Point]:
        """Return the closed line through a mark on each spoke."""
        return [self.point(spoke, mark) for spoke, mark in enumerate(marks)]


def radar(board: Board) -> Figure:
    """A radar of the dimensions per model, a number at each spoke's end; an incomplete result has its bounds, broken."""
    rows = board.rows[:MOST_RADARS]
    left_out = len(board.rows) - len(rows)
    columns = min(4, len(rows) + 1) if len(rows) != 1 else 2
    lines = math.ceil((len(rows) + 1) / columns)
    width = COLUMN if columns <= 2 else PAGE
    head = title_lines(board, "Mean by dimension", width)
    notes = [f"The first {len(rows)} rows; {left_out} more are in the board's table."] * bool(left_out)
    notes += ["Broken: bounds, for verdicts are missing."] * any(not row.entry.summary.complete for row in rows)
    notes += control_note(rows)
    top = MARGIN + LINE * len(head) + 0.06
    page = sheet(width, top + lines * HIGH + LINE * len(notes) + MARGIN)
    write_title(page, head)
    ranks = rank_texts(board.rows)
    for number, row in enumerate([None, *rows]):
        line, column = divmod(number, columns)
        panel = Panel(
            x=(column + 0.5) * width / columns,
            y=top + line * HIGH + HIGH / 2 + 0.1,
            spokes=len(board.rubric.keys),
            low=board.rubric.lowest - 1,
            high=board.rubric.highest,
            across=KEY_ACROSS if row is None else RADIUS,
        )
        _web(page, panel, board)
        if row is None:
            _names(page, panel, board, width / columns)
        else:
            _result(page, panel, board, row)
            rank = "" if row.rank is None else f" ({ranks[number - 1]})"
            room = width / columns - 0.08 - lettering.width(rank, TEXT)
            words = lettering.fitted(label(row), room, TEXT) + rank
            page.text(panel.x, panel.y - RADIUS - 0.26, words, ha="center")
    for number, note in enumerate(notes):
        page.text(MARGIN, top + lines * HIGH + LINE * (number + 0.5), note, fontsize=SMALL, color=GREY)
    return page.figure


def _web(page: Sheet, panel: Panel, board: Board) -> None:
    middle = (panel.x, panel.y)
    spokes: list[Line] = [(*middle, *panel.point(spoke, panel.high)) for spoke in range(panel.spokes)]
    page.lines(spokes, colour=PALE, width=0.5, zorder=0.5)
    marks = range(board.rubric.lowest, board.rubric.highest + 1)
    rings = [panel.ring([mark] * panel.spokes) for mark in marks]
    page.shapes(rings, facecolors="none", edgecolors=PALE, linewidths=0.5, zorder=0.5)


def _names(page: Sheet, panel: Panel, board: Board, wide: float) -> None:
    """Name the spokes and the rings: the key panel."""
    for spoke, key in enumerate(board.rubric.keys):
        x, y = panel.point(spoke, panel.high + (0.4 if spoke else 0.7))
        side = round(math.sin(2 * math.pi * spoke / panel.spokes), 6)
        room = wide * 0.9 if side == 0 else wide / 2 - abs(x - panel.x) - 0.02
        lines = lettering.wrapped(lettering.short(board.rubric.label(key), 48), max(room, 0.3), SMALL)[:3]
        up = 0.0 if side else 0.5 if spoke else -0.5  # above the topmost, below the lowest point
        middle = y + up * 0.1 * (len(lines) - 1)
        for number, words in enumerate(lines):
            at = middle + 0.1 * (number - (len(lines) - 1) / 2)
            page.text(x, at, words, ha="center" if side == 0 else "left" if side > 0 else "right", fontsize=SMALL)
    for mark in (board.rubric.lowest, board.rubric.highest):
        _, y = panel.point(0, mark)
        page.text(panel.x + 0.03, y + 0.02, str(mark), fontsize=SMALL, color=GREY)


def _result(page: Sheet, panel: Panel, board: Board, row: Row) -> None:
    found = [row.entry.summary.dimensions[key] for key in board.rubric.keys]
    sign = sign_of(row)
    edge = {CONTROL: INK, RANKED: RANKED.edge}.get(sign, UNRANKED.edge)
    whole = row.entry.summary.complete
    low = panel.ring([bounds.low for bounds in found])
    style = {"edgecolors": edge, "linewidths": 1.2, "linestyles": ["-" if whole else UNRANKED.dash]}
    page.shapes([low], facecolors=(*_rgb(edge), 0.18), **style)
    if not whole:
        page.shapes([panel.ring([bounds.high for bounds in found])], facecolors="none", **style)
    for spoke, bounds in enumerate(found):
        x, y = panel.point(spoke, panel.high + 0.4)
        words = f"{bounds.low:.1f}" if bounds.value is not None else f"{bounds.low:.1f}–{bounds.high:.1f}"
        side = round(math.sin(2 * math.pi * spoke / panel.spokes), 6)
        page.text(x, y, words, ha="center" if side == 0 else "left" if side > 0 else "right", fontsize=SMALL)


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
