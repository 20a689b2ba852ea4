"""Heat maps: models by themes, and models by subthemes.

A cell's colour is its mean's, dark for low marks, and its number says the same. While verdicts are missing the colour is that
of the middle of the bounds, and the cell has a turned-down corner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkle_bench.plots import lettering
from sparkle_bench.plots.ledger import Ledger, Meaning, Plan, control_note, ledger
from sparkle_bench.plots.sheet import COLUMN, GREY, INK, PAGE, SMALL, Box, Number, Scale, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sparkle_bench.leaderboard import Board
    from sparkle_bench.scoring import Bounds
    from sparkle_bench.stats import Interval

MOST_COLUMNS = 42
ROTATED = 1.3
"""Inches that a heading which stands upright takes at most."""
KEY = 0.32
"""Inches that the key of the colours takes below the rows."""
WHITE = "#FFFFFF"
_EMPTY = "#EDEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A place of the map.

    Attributes:
        bounds: The mean; None where the row has no such samples.
        interval: Its interval, or None.
    """

    bounds: Bounds | None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the map.

    Attributes:
        group: What several columns next to each other have in common; empty for none.
        name: Its heading.
        cells: One for every row of the board.
    """

    group: str
    name: str
    cells: Sequence[Cell]


def themes(board: Board) -> Figure:
    """Models by themes, each mean with its interval."""
    columns = [
        Column(
            group="",
            name=lettering.short(theme),
            cells=[
                Cell(
                    bounds=row.entry.summary.themes.get(theme),
                    interval=row.intervals.themes[number] if row.intervals else None,
                )
                for row in board.rows
            ],
        )
        for number, theme in enumerate(board.design.themes)
    ]
    return _drawn(board, columns, "Mean by theme")


def subthemes(board: Board) -> Figure:
    """Models by subthemes, grouped by theme, each with how many samples it has."""
    columns = []
    for number, (theme, subtheme) in enumerate(board.design.subthemes):
        found = [row.entry.summary.subthemes.get((theme, subtheme)) for row in board.rows]
        samples = int((board.design.subtheme == number).sum())
        cells = [Cell(bounds=cell.mean if cell else None) for cell in found]
        columns.append(
            Column(group=lettering.short(theme), name=f"{lettering.short(subtheme, 22)} ({samples})", cells=cells)
        )
    return _drawn(board, columns, "Mean by subtheme (samples)")


def _drawn(board: Board, columns: Sequence[Column], title: str) -> Figure:
    shown = columns[:MOST_COLUMNS]
    left_out = len(columns) - len(shown)
    upright = len(shown) > 5
    grouped = any(column.group for column in shown)
    heading = min(ROTATED, max([lettering.width(c.name, SMALL) for c in shown], default=0.1)) if upright else 0.1
    gaps = any(cell.bounds and cell.bounds.value is None for column in shown for cell in column.cells)
    meaning = Meaning(words="verdicts missing: colour of the middle of the bounds", draw=_corner_sign)
    cut = [f"The first {len(shown)} columns; {left_out} more are left out."] * bool(left_out)
    plan = Plan(
        title=title,
        rows=board.rows,
        width=PAGE if len(shown) > 1 else COLUMN,
        above=heading + 0.08 + 0.17 * grouped,
        below=KEY,
        legend=[meaning] * gaps,
        notes=[*control_note(board.rows), *cut],
    )
    made = ledger(board, plan)
    wide = (made.right - made.left) / max(1, len(shown))
    _headings(made, shown, wide, upright=upright)
    _cells(made, board, shown, wide)
    _key(made, board)
    return made.page.figure


def _headings(made: Ledger, columns: Sequence[Column], wide: float, *, upright: bool) -> None:
    y = made.top - 0.06
    for number, column in enumerate(columns):
        x = made.left + (number + 0.5) * wide
        if upright:
            words = lettering.fitted(column.name, ROTATED, SMALL)
            made.page.text(x, y, words, rotation=90, ha="center", va="bottom", fontsize=SMALL)
        else:
            words = lettering.fitted(column.name, wide - 0.04, SMALL)
            made.page.text(x, y, words, ha="center", va="bottom", fontsize=SMALL)
    groups = [column.group for column in columns]
    y = made.top - _above(columns, upright=upright)
    for group in dict.fromkeys(filter(None, groups)):
        first, count = groups.index(group), groups.count(group)
        start, end = made.left + first * wide + 0.03, made.left + (first + count) * wide - 0.03
        made.page.lines([(start, y, end, y)], colour=GREY, width=0.7)
        words = lettering.fitted(group, end - start + 0.06, SMALL)
        made.page.text((start + end) / 2, y - 0.08, words, ha="center", fontsize=SMALL)


def _above(columns: Sequence[Column], *, upright: bool) -> float:
    """Return how far above the rows the groups' lines stand."""
    longest = max([lettering.width(column.name, SMALL) for column in columns], default=0.1)
    return (min(ROTATED, longest) if upright else 0.1) + 0.1


def _cells(made: Ledger, board: Board, columns: Sequence[Column], wide: float) -> None:
    places = {id(row): number for number, row in enumerate(board.rows)}
    numbers: list[Number] = []
    boxes: list[Box] = []
    colours: list[Any] = []
    corners: dict[str, list[list[tuple[float, float]]]] = {}
    for row, y in made.rows:
        for number, column in enumerate(columns):
            cell = column.cells[places[id(row)]]
            box = (made.left + number * wide, y - made.pitch / 2, wide, made.pitch)
            fill, ink = _paint(board, cell)
            boxes.append(box)
            colours.append(fill)
            if cell.bounds and cell.bounds.value is None:
                corners.setdefault(ink, []).append(_corner(box))
            numbers.append(Number(x=box[0] + wide / 2, y=y, words=words(cell, wide - 0.03), ink=ink))
    made.page.boxes(boxes, colours, edgecolors=WHITE, linewidths=0.5, zorder=1)
    made.page.numbers(numbers)
    for ink, shapes in corners.items():
        made.page.shapes(shapes, facecolors=ink, edgecolors="none", zorder=1.5)


def _corner(box: Box) -> list[tuple[float, float]]:
    left, top, wide, high = box
    side = min(0.05, wide / 3, high / 2)
    return [(left + wide - side, top), (left + wide, top), (left + wide, top + side)]


def _corner_sign(page: Sheet, x: float, y: float) -> None:
    box = (x - 0.13, y - 0.05, 0.26, 0.1)
    page.boxes([box], "#B5B5B5")
    page.shapes([_corner(box)], facecolors=INK, edgecolors="none", zorder=1.5)


def _paint(board: Board, cell: Cell) -> tuple[Any, str]:
    """Return a cell's colour, and that of its letters, which can be read on it."""
    if cell.bounds is None:
        return _EMPTY, INK
    share = ((cell.bounds.low + cell.bounds.high) / 2 - board.rubric.lowest) / _span(board)
    fill = _map()(share)
    return fill, WHITE if share < 0.5 else INK


def _span(board: Board) -> int:
    return board.rubric.highest - board.rubric.lowest


def _map() -> Any:
    from matplotlib import colormaps

    return colormaps["cividis"]


def words(cell: Cell, most: float) -> str:
    """Return a cell's number, as exactly as there is room for."""
    bounds, interval = cell.bounds, cell.interval
    if bounds is None:
        return "–"
    if bounds.value is None:
        low, high = math.floor(bounds.low * 10 + 1e-9) / 10, math.ceil(bounds.high * 10 - 1e-9) / 10  # outwards
        forms = [f"{bounds.low:.2f}–{bounds.high:.2f}", f"{low:.1f}–{high:.1f}", f"≥{low:.1f}"]
    else:
        forms = [f"{bounds.low:.2f}", f"{bounds.low:.1f}"]
        if interval is not None:
            forms.insert(0, f"{bounds.low:.2f} [{interval.low:.2f}, {interval.high:.2f}]")
    return next((form for form in forms if lettering.width(form, SMALL) <= most), "")


def _key(made: Ledger, board: Board) -> None:
    """Draw what the colours mean."""
    steps, high, y = 40, 0.08, made.bottom + 0.1
    scale = Scale(low=board.rubric.lowest, high=board.rubric.highest, start=made.right - 1.6, end=made.right - 0.06)
    wide = (scale.end - scale.start) / steps
    boxes = [(scale.start + n * wide, y, wide * 1.1, high) for n in range(steps)]
    made.page.boxes(boxes, [_map()((n + 0.5) / steps) for n in range(steps)])
    marks = range(board.rubric.lowest, board.rubric.highest + 1)
    made.page.lines([(scale.at(mark), y + high, scale.at(mark), y + high + 0.03) for mark in marks], width=0.5)
    for mark in marks:
        made.page.text(scale.at(mark), y + high + 0.09, str(mark), ha="center", fontsize=SMALL)
    made.page.text(scale.start - 0.08, y + high / 2, "mean mark", ha="right", fontsize=SMALL)
