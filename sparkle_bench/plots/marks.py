"""How often each mark was given: a stacked bar for every model and dimension.

Shares are of all samples and repeats, so what is missing is seen: edits that were not made, which count the lowest mark, and
verdicts that are not there yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench.plots import lettering
from sparkle_bench.plots.ledger import GAP, Ledger, Meaning, Plan, boxed, control_note, ledger
from sparkle_bench.plots.sheet import COLUMN, INK, PAGE, RULER, SMALL, Box, Number, Ruler, Scale, ruler

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sparkle_bench.leaderboard import Board, Row

WHITE = "#FFFFFF"
NO_EDIT, NO_VERDICT = "/////", "+++++"
"""Hatches, of lines: one of dots makes an SVG ten times as large."""
NUMBERED = 16
"""Up to so many rows the shares stand in the bars."""
MOST_DIMENSIONS = 8


def marks(board: Board) -> Figure:
    """The distribution of the marks that count."""
    keys = board.rubric.keys[:MOST_DIMENSIONS]
    labels = [
        lettering.wrapped(lettering.short(board.rubric.label(key), 48), _room(len(keys)), SMALL)[:3] for key in keys
    ]
    levels = range(board.rubric.lowest, board.rubric.highest + 1)
    left_out = len(board.rubric.keys) - len(keys)
    cut = [f"The first {len(keys)} dimensions; {left_out} more are left out."] * bool(left_out)
    plan = Plan(
        title="Distribution of marks, after the cap" if board.rubric.cap else "Distribution of marks",
        rows=board.rows,
        width=PAGE if len(keys) > 1 else COLUMN,
        above=0.12 * max(map(len, labels)) + 0.06,
        below=RULER - 0.12,
        legend=[
            *(Meaning(words=f"mark {level}", draw=boxed(_colour(board, level))) for level in levels),
            Meaning(words="no edit (counts the lowest)", draw=boxed(WHITE, hatch=NO_EDIT)),
            Meaning(words="no verdict, or not attempted", draw=boxed(WHITE, hatch=NO_VERDICT)),
        ],
        notes=[*control_note(board.rows), *cut],
    )
    made = ledger(board, plan)
    wide = (made.right - made.left + GAP) / len(keys)
    found = [shares(row) for row, _ in made.rows]
    for number, lines in enumerate(labels):
        start = made.left + number * wide
        scale = Scale(low=0.0, high=1.0, start=start, end=start + wide - GAP)
        for line, words in enumerate(reversed(lines)):
            made.page.text(
                (scale.start + scale.end) / 2, made.top - 0.08 - 0.12 * line, words, ha="center", fontsize=SMALL
            )
        ticks = [(0.0, "0"), (0.5, "50%")]
        ruler(made.page, Ruler(scale=scale, ticks=ticks, title="", top=made.top, bottom=made.bottom))
        _bars(made, board, scale, [of_row[number] for of_row in found])
    return made.page.figure


def _room(dimensions: int) -> float:
    """Return how wide a heading may be, for the longest names."""
    return max(0.7, 4.9 / dimensions - GAP)


def shares(row: Row) -> NDArray[np.float64]:
    """Return (D, levels + 2) the share of every mark, of missing edits and of missing verdicts; a row adds up to 1."""
    found, rubric = row.entry.marks, row.entry.marks.rubric
    no_edit = found.no_edit & found.attempted[:, None]
    given = [(found.counts == level) & found.scored[:, :, None] for level in range(rubric.lowest, rubric.highest + 1)]
    counts = [level.sum(axis=(0, 1)) for level in given]
    gaps = [np.full(len(rubric.keys), gap.sum()) for gap in (no_edit, ~found.scored & ~no_edit)]
    places = max(1, found.scored.size)
    shared: NDArray[np.float64] = np.stack([*counts, *gaps], axis=1) / places
    return shared


def _bars(made: Ledger, board: Board, scale: Scale, found: Sequence[NDArray[np.float64]]) -> None:
    """Draw one dimension of all rows: a collection for every mark and gap."""
    levels = range(board.rubric.lowest, board.rubric.highest + 1)
    looks: list[tuple[Any, str]] = [(_colour(board, level), "") for level in levels]
    looks += [(WHITE, NO_EDIT), (WHITE, NO_VERDICT)]
    high = made.pitch * 0.72
    begins = [0.0] * len(found)
    numbers: list[Number] = []
    for number, (fill, hatch) in enumerate(looks):
        boxes: list[Box] = []
        for place, ((_, y), of_row) in enumerate(zip(made.rows, found, strict=True)):
            share = float(of_row[number])
            left, right = scale.at(begins[place]), scale.at(begins[place] + share)
            begins[place] += share
            if share > 0:
                boxes.append((left, y - high / 2, right - left, high))
                words = f"{100 * share:.0f}"
                if len(made.rows) <= NUMBERED and not hatch and right - left > lettering.width(words, SMALL) + 0.04:
                    numbers.append(Number(x=(left + right) / 2, y=y, words=words, ink=_ink(fill)))
        made.page.boxes(boxes, fill, edgecolors=INK, linewidths=0.3, hatch=hatch or None, zorder=1)
    made.page.numbers(numbers)


def _colour(board: Board, level: int) -> Any:
    """Return a mark's colour: from dark to light, so that the order is seen without colour too."""
    from matplotlib import colormaps

    return colormaps["cividis"]((level - board.rubric.lowest) / (board.rubric.highest - board.rubric.lowest))


def _ink(fill: Any) -> str:
    red, green, blue = fill[:3]
    return WHITE if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else INK
