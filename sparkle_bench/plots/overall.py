"""Figures of the headline number, one line a model: the overall mean, and the rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkle_bench.plots import lettering
from sparkle_bench.plots.ledger import GAP, Plan, ledger, sign_of
from sparkle_bench.plots.rows import Shown, legend, marks_ruler, marks_scale, number, of_overall, show
from sparkle_bench.plots.sheet import RULER, SMALL, Ruler, Scale, ruler

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sparkle_bench.leaderboard import Board, Row

LETTERS = 0.8
"""Inches that tie letters take at most."""


def overall(board: Board) -> Figure:
    """The overall mean with its interval, best on top; an incomplete result is a broken line between its bounds."""
    plan = Plan(
        title="Overall mean and 95% interval",
        rows=board.rows,
        below=RULER,
        legend=legend(board.rows, "mean, 95% interval"),
        notes=["Results that share a rank (=) cannot be told apart from the same better ones."] * _shares(board.rows),
    )
    made = ledger(board, plan)
    numbers = [number(row.entry.summary.overall) for row, _ in made.rows]
    wide = max([lettering.width(text, SMALL) for text in numbers], default=0.0)
    scale = marks_scale(board, made.left, made.right - wide - GAP)
    marks_ruler(made, board, scale, "overall")
    show(made.page, [of_overall(row, scale, y) for row, y in made.rows])
    for (_, y), words in zip(made.rows, numbers, strict=True):
        made.page.text(made.right, y, words, ha="right", fontsize=SMALL)
    return made.page.figure


def _shares(rows: Sequence[Row]) -> bool:
    ranks = [(row.track, row.rank) for row in rows if row.rank is not None]
    return len(set(ranks)) < len(ranks)


def ranks(board: Board) -> Figure:
    """Each ranked model's place by its mean, the ranks that it may have, and the letters of whom it is tied with."""
    rows = [row for row in board.rows if row.standing is not None]
    left_out = len(board.rows) - len(rows)
    plan = Plan(
        title="Place, and 95% interval of the rank",
        rows=rows,
        below=RULER,
        legend=legend(rows, "place by the mean; ranks it may have"),
        notes=[
            *["Results that share a letter cannot be told apart."] * (len(rows) > 1),
            *[f"{left_out} {'result is' if left_out == 1 else 'results are'} not ranked."] * bool(left_out),
        ],
    )
    made = ledger(board, plan)
    if not rows:
        return made.page.figure
    places = [(row, row.standing, y) for row, y in made.rows if row.standing is not None]
    letters = [lettering.fitted(standing.group, LETTERS, SMALL) for _, standing, _ in places]
    wide = max(lettering.width(group, SMALL) for group in letters)
    most = max(standing.high for _, standing, _ in places)
    scale = Scale(low=0.5, high=most + 0.5, start=made.left, end=made.right - wide - GAP)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, most) if most / step <= 12)
    ticks = [(float(rank), str(rank)) for rank in range(1, most + 1) if rank == 1 or rank % step == 0]
    ruler(made.page, Ruler(scale=scale, ticks=ticks, title="rank (1 best)", top=made.top, bottom=made.bottom))
    shown = []
    for (row, standing, y), group in zip(places, letters, strict=True):
        span = (scale.at(standing.low), scale.at(standing.high))
        shown.append(Shown(sign=sign_of(row), across=y, dot=scale.at(row.place or standing.rank), span=span))
        made.page.text(made.right - wide, y, group, fontsize=SMALL)
    show(made.page, shown)
    return made.page.figure
