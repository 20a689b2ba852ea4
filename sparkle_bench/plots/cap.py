"""What the cap does: the overall mean with and without it, the places, and how often it bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkle_bench.plots import lettering
from sparkle_bench.plots.ledger import Meaning, Plan, dotted, ledger
from sparkle_bench.plots.rows import Shown, marks_ruler, marks_scale, show
from sparkle_bench.plots.sheet import (
    BLUE,
    CONTROL,
    GREY,
    INK,
    ORANGE,
    PAGE,
    RANKED,
    RULER,
    SKY,
    SMALL,
    UNRANKED,
    Box,
    Line,
    Ruler,
    Scale,
    Sheet,
    Sign,
    ruler,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sparkle_bench.leaderboard import Board, Row

WITHOUT = Sign(marker="o", face="#FFFFFF", edge=ORANGE)
HEADINGS = 0.3
"""Inches of the headings above the columns."""
_UP, _DOWN = -0.025, 0.025


def cap(board: Board) -> Figure:
    """The overall mean with and without the cap, the place with and without it, and how often it bound."""
    rows = board.rows if board.rubric.cap is not None else ()
    named = lettering.short(board.rubric.label(board.rubric.cap), 40) if board.rubric.cap else ""
    bound = f"The cap: no mark counts for more than the one for {named}."
    plan = Plan(
        title="What the cap does",
        rows=rows,
        width=PAGE,
        above=HEADINGS * bool(rows),
        below=RULER,
        legend=_legend(rows),
        notes=[bound if rows else "This rubric has no cap: no mark limits another."],
    )
    made = ledger(board, plan)
    if not rows:
        return made.page.figure
    shares = Scale(low=0.0, high=1.0, start=made.right - 1.75, end=made.right - 0.45)
    places = shares.start - 0.75
    scale = marks_scale(board, made.left, places - 0.15)
    marks_ruler(made, board, scale, "overall")
    ticks = [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")]
    ruler(made.page, Ruler(scale=shares, ticks=ticks, title="verdicts it bound", top=made.top, bottom=made.bottom))
    for line, words in enumerate(("place: with", "→ without")):
        made.page.text(places, made.top - HEADINGS + 0.09 + 0.12 * line, words, fontsize=SMALL, color=GREY)
    _means(made.page, scale, made.rows)
    bars: list[Box] = []
    for row, y in made.rows:
        share = row.entry.summary.cap_bound
        made.page.text(places, y, _move(row), fontsize=SMALL)
        made.page.text(made.right, y, "–" if share is None else f"{share:.0%}", ha="right", fontsize=SMALL)
        if share:
            bars.append((shares.start, y - 0.3 * made.pitch, shares.at(share) - shares.start, 0.6 * made.pitch))
    made.page.boxes(bars, SKY, edgecolors=INK, linewidths=0.4)
    return made.page.figure


def _means(page: Sheet, scale: Scale, rows: Sequence[tuple[Row, float]]) -> None:
    between: list[Line] = []
    without: list[Shown] = []
    capped: list[Shown] = []
    gaps: dict[str, list[Line]] = {BLUE: [], ORANGE: []}
    for row, y in rows:
        with_it, free = row.entry.summary.overall, row.entry.summary.uncapped
        if with_it.value is None or free.value is None:
            for bounds, colour, shift in ((free, ORANGE, _UP), (with_it, BLUE, _DOWN)):
                gaps[colour].append((scale.at(bounds.low), y + shift, scale.at(bounds.high), y + shift))
            continue
        between.append((scale.at(with_it.low), y, scale.at(free.low), y))
        without.append(Shown(sign=WITHOUT, across=y, dot=scale.at(free.low)))
        sign = CONTROL if row.entry.is_control else RANKED
        capped.append(Shown(sign=sign, across=y, dot=scale.at(with_it.low)))
    page.lines(between, colour=GREY, width=1.0)
    show(page, [*without, *capped])
    for colour, lines in gaps.items():
        page.lines(lines, colour=colour, width=1.1, linestyles=[UNRANKED.dash])


def _legend(rows: Sequence[Row]) -> list[Meaning]:
    gaps = any(row.entry.summary.overall.value is None for row in rows)
    control = any(row.entry.is_control for row in rows)
    found = [
        (bool(rows), Meaning(words="with the cap", draw=dotted(RANKED, line=False))),
        (control, Meaning(words="likewise, of the control", draw=dotted(CONTROL, line=False))),
        (bool(rows), Meaning(words="without it", draw=dotted(WITHOUT, line=False))),
        (gaps, Meaning(words="verdicts missing: bounds without it (upper) and with it (lower)", draw=_two_spans)),
    ]
    return [meaning for occurs, meaning in found if occurs]


def _two_spans(page: Sheet, x: float, y: float) -> None:
    for colour, shift in ((ORANGE, _UP), (BLUE, _DOWN)):
        page.lines([(x - 0.14, y + shift, x + 0.14, y + shift)], colour=colour, linestyles=[UNRANKED.dash])


def _move(row: Row) -> str:
    """Return how a row's place would change."""
    if row.place is None or row.uncapped_place is None:
        return "–"
    return str(row.place) if row.place == row.uncapped_place else f"{row.place} → {row.uncapped_place}"
