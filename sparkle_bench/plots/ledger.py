"""The frame that most figures share: a title, one line for every row of the board, and what the signs mean.

Rows stand as on the board. Where it has several tracks, or rows below the line, each part has a heading. A page holds
`MOST_ROWS`; of a larger board the first ones are drawn, and the figure says how many more there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkle_bench.plots import lettering
from sparkle_bench.plots.sheet import (
    BAND,
    COLUMN,
    CONTROL,
    GREY,
    HEAD,
    RANKED,
    SMALL,
    TEXT,
    UNRANKED,
    Sheet,
    Sign,
    sheet,
)
from sparkle_bench.submission.card import INSTRUCTION

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board, Row

MOST_ROWS = 60
MARGIN, GAP = 0.08, 0.1
NAME_WIDTH = 1.75
"""Inches that a name takes at most."""
LOZENGE = "◇"
"""Stands behind the name of the control."""
LINE = 0.13
"""Inches from one line of small text to the next."""
_PITCH, _HEIGHT = 0.19, 8.4
"""Inches from row to row, and of all rows together, at most."""

Draw = Callable[[Sheet, float, float], None]
"""Draws a sign of the legend with its middle at a point, 0.3 inches wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """An entry of the legend.

    Attributes:
        words: What the sign means.
        draw: Draws it.
    """

    words: str
    draw: Draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a figure of rows wants.

    Attributes:
        title: What it shows, without the board's name.
        rows: Which rows.
        width: Inches.
        above: Inches for headings of columns above the rows.
        below: Inches for an axis below them.
        legend: What the signs mean.
        notes: Sentences at the end.
        most: At most so many rows are drawn.
    """

    title: str
    rows: Sequence[Row]
    width: float = COLUMN
    above: float = 0.0
    below: float = 0.0
    legend: Sequence[Meaning] = ()
    notes: Sequence[str] = ()
    most: int = MOST_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A frame with its rows.

    Attributes:
        page: The figure.
        left: Inches from which panels may be drawn.
        right: Inches up to which.
        top: Where the rows begin.
        bottom: Where they end.
        pitch: Inches from one row to the next.
        rows: Each drawn row and the inch of its middle.
    """

    page: Sheet
    left: float
    right: float
    top: float
    bottom: float
    pitch: float
    rows: tuple[tuple[Row, float], ...]


def ledger(board: Board, plan: Plan) -> Ledger:
    """Return the frame, with ranks, names, headings, legend and notes drawn."""
    shown = plan.rows[: plan.most]
    notes = [*plan.notes, *_cut(len(shown), len(plan.rows))]
    sections = _sections(board, shown)
    count = max(1, len(shown) + len(sections) * (len(sections) > 1))
    pitch = min(_PITCH, _HEIGHT / count)
    head = title_lines(board, plan.title, plan.width)
    top = MARGIN + LINE * len(head) + 0.06 + plan.above
    bottom = top + pitch * count
    below = _legend_lines(plan.legend, plan.width)
    text = [line for note in notes for line in lettering.wrapped(note, plan.width - 2 * MARGIN, SMALL)]
    height = bottom + plan.below + LINE * (len(below) + len(text)) + 0.06 * bool(below or text) + MARGIN
    page = sheet(plan.width, height)
    write_title(page, head)
    _write_below(page, bottom + plan.below + 0.06, below, text)
    ranks = rank_texts(shown)
    rank_width = max([lettering.width(rank, TEXT) for rank in ranks], default=0.0)
    names = [label(row) for row in shown]
    name_width = max([lettering.width(name, TEXT) for name in names], default=0.0)
    left = MARGIN + rank_width + GAP + name_width + GAP
    found: list[tuple[Row, float]] = []
    y, number = top + pitch / 2, 0
    for heading, rows in sections:
        if len(sections) > 1:
            page.text(
                MARGIN, y, lettering.fitted(heading, plan.width - 2 * MARGIN, SMALL), fontsize=SMALL, style="italic"
            )
            page.lines([(MARGIN, y + pitch / 2, plan.width - MARGIN, y + pitch / 2)], colour=GREY, width=0.5)
            y += pitch
        for row in rows:
            page.text(MARGIN + rank_width, y, ranks[number], ha="right")
            page.text(MARGIN + rank_width + GAP, y, names[number])
            found.append((row, y))
            y, number = y + pitch, number + 1
    if not found:
        page.text(MARGIN, y, "nothing to show", fontsize=SMALL, color=GREY)
    made = Ledger(
        page=page, left=left, right=plan.width - MARGIN, top=top, bottom=bottom, pitch=pitch, rows=tuple(found)
    )
    _shade(made)
    return made


def _shade(made: Ledger) -> None:
    """Lay a band behind every second rank, so that rows which share one stand together."""
    ranks = list(dict.fromkeys((row.track, row.rank) for row, _ in made.rows if row.rank is not None))
    shaded = set(ranks[::2])
    width = made.page.width - MARGIN
    boxes = [
        (MARGIN / 2, y - made.pitch / 2, width, made.pitch) for row, y in made.rows if (row.track, row.rank) in shaded
    ]
    made.page.boxes(boxes, BAND, zorder=0)


def _sections(board: Board, rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the parts of the board that have rows, each with its heading."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        heading = "not ranked: incomplete, or of another version"
        if row.rank is not None:
            heading = f"track {lettering.short(row.track, 60)}" if board.has_extra_inputs else "ranked"
        found.setdefault(heading, []).append(row)
    return list(found.items())


def _cut(shown: int, of: int) -> list[str]:
    return [f"The first {shown} rows; {of - shown} more are in the board's table."] if of > shown else []


def rank_texts(rows: Sequence[Row]) -> list[str]:
    """Return each row's rank, with `=` where several share it; a dash for none."""
    shared = Counter((row.track, row.rank) for row in rows)
    return [
        "–" if row.rank is None else f"{row.rank}=" if shared[row.track, row.rank] > 1 else f"{row.rank}"
        for row in rows
    ]


def label(row: Row) -> str:
    """Return a row's name, with its track if that is another than the benchmark's own and it is not ranked among its like."""
    name = lettering.short(row.entry.model)
    if row.rank is None and row.track != INSTRUCTION:
        name = f"{lettering.short(name, 18)} ({lettering.short(row.track, 9)})"
    tail = f" {LOZENGE}" * row.entry.is_control
    return lettering.fitted(name, NAME_WIDTH - lettering.width(tail, TEXT), TEXT) + tail


def control_note(rows: Sequence[Row]) -> list[str]:
    """Return what the lozenge means, where a row has one and no legend says it."""
    return [f"{LOZENGE} control: the source, unchanged."] * any(row.entry.is_control for row in rows)


def sign_of(row: Row) -> Sign:
    """Return how a row is shown."""
    return CONTROL if row.entry.is_control else RANKED if row.rank is not None else UNRANKED


# -- title, legend and notes ------------------------------------------------------------------------------------------


def title_lines(board: Board, title: str, width: float) -> list[str]:
    """Return what stands above a figure: what it shows, and whose verdicts these are."""
    whose = f"{board.benchmark}, judged by {board.judge_key}"
    return [title, *lettering.wrapped(lettering.short(whose, 120), width - 2 * MARGIN, SMALL)]


def write_title(page: Sheet, lines: Sequence[str]) -> None:
    """Write it."""
    for number, line in enumerate(lines):
        style = {"fontsize": SMALL, "color": GREY} if number else {"fontsize": HEAD, "weight": "bold"}
        page.text(MARGIN, MARGIN + LINE * (number + 0.5), line, **style)


def _legend_lines(legend: Sequence[Meaning], width: float) -> list[list[tuple[float, Meaning]]]:
    """Return the legend's lines: each sign with the inch at which it begins."""
    lines: list[list[tuple[float, Meaning]]] = []
    x = width
    for meaning in legend:
        wide = 0.36 + lettering.width(meaning.words, SMALL) + 0.12
        if x + wide > width - MARGIN + 0.12:
            lines.append([])
            x = MARGIN
        lines[-1].append((x, meaning))
        x += wide
    return lines


def _write_below(
    page: Sheet, top: float, legend: Sequence[Sequence[tuple[float, Meaning]]], notes: Sequence[str]
) -> None:
    y = top + LINE / 2
    for line in legend:
        for x, meaning in line:
            meaning.draw(page, x + 0.15, y)
            page.text(x + 0.36, y, meaning.words, fontsize=SMALL)
        y += LINE
    for note in notes:
        page.text(MARGIN, y, note, fontsize=SMALL, color=GREY)
        y += LINE


def dotted(sign: Sign, *, line: bool = True) -> Draw:
    """Return how a dot, with its line, is drawn in a legend."""

    def draw(page: Sheet, x: float, y: float) -> None:
        if line:
            page.lines([(x - 0.14, y, x + 0.14, y)], colour=sign.edge, linestyles=[sign.dash])
        page.dots([(x, y)], sign)

    return draw


def boxed(colour: str, *, hatch: str = "") -> Draw:
    """Return how a filled box is drawn in a legend."""

    def draw(page: Sheet, x: float, y: float) -> None:
        box = [(x - 0.13, y - 0.045, 0.26, 0.09)]
        page.boxes(box, colour, edgecolors="#000000", linewidths=0.4, hatch=hatch or None)

    return draw
