"""Quality against the time that an edit takes.

Times of several machines do not compare, so every result's machine is named. Points carry numbers, and a list beside the
panel says whose they are: names would lie upon each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkle_bench.plots import lettering
from sparkle_bench.plots.ledger import GAP, LINE, MARGIN, MOST_ROWS, Meaning, label, title_lines, write_title
from sparkle_bench.plots.rows import Shown, legend, of_overall, show
from sparkle_bench.plots.sheet import GREY, PAGE, PALE, RULER, SMALL, Box, Line, Ruler, Scale, Sheet, ruler, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sparkle_bench.leaderboard import Board, Row

PANEL = 3.5
"""Inches of the panel with the points, its axis at the left included."""
HIGHEST, LOWEST = 4.4, 2.6
"""Inches of its height."""
NAME = 1.35
"""Inches that a name in the list takes at most."""
_HALF = 0.06
_RINGS = (0.1, 0.17, 0.25, 0.34, 0.45, 0.6)
_TURNS = tuple(
    (math.cos(math.pi * turn / 8), math.sin(math.pi * turn / 8)) for turn in (14, 2, 10, 6, 0, 8, 12, 4, 1, 15)
)

Point = tuple[float, float]


def speed(board: Board) -> Figure:
    """The overall mean against the median seconds per clip, on a logarithmic axis."""
    known = [row for row in board.rows if (row.entry.efforts.seconds_per_clip or 0.0) > 0.0]
    rows, head = known[:MOST_ROWS], title_lines(board, "Overall mean against seconds per clip", PAGE)
    notes = _notes(board, rows, len(known))
    signs = legend(rows, "mean, 95% interval")
    top = MARGIN + LINE * len(head) + 0.1
    high = min(HIGHEST, max(LOWEST, LINE * len(rows))) if rows else 0.0
    body = max(high + RULER, LINE * (len(rows) + 1)) if rows else 0.0
    page = sheet(PAGE, top + body + 0.06 + LINE * (len(notes) + len(signs)) + MARGIN)
    write_title(page, head)
    if rows:
        _panel(page, board, rows, (top, top + high))
        _list(page, rows, top)
    y = top + body + 0.06 + LINE / 2
    for meaning in signs:
        _sign(page, meaning, y)
        y += LINE
    for note in notes:
        page.text(MARGIN, y, note, fontsize=SMALL, color=GREY)
        y += LINE
    return page.figure


def _sign(page: Sheet, meaning: Meaning, y: float) -> None:
    meaning.draw(page, MARGIN + 0.15, y)
    page.text(MARGIN + 0.36, y, meaning.words, fontsize=SMALL)


def _notes(board: Board, rows: Sequence[Row], known: int) -> list[str]:
    unknown = len(board.rows) - known
    if not rows:
        words = ["No result on this board says how long its model took for an edit."]
    else:
        one = "1 result does" if unknown == 1 else f"{unknown} results do"
        words = [f"{one} not say how long an edit took."] * bool(unknown)
        words += [f"The first {len(rows)} of them; {known - len(rows)} more are left out."] * (known > len(rows))
        words += ["Seconds per clip: the median of the model's own time. Times on different machines do not compare."]
    return [line for note in words for line in lettering.wrapped(note, PAGE - 2 * MARGIN, SMALL)]


def _panel(page: Sheet, board: Board, rows: Sequence[Row], between: tuple[float, float]) -> None:
    top, bottom = between
    times = [row.entry.efforts.seconds_per_clip or 1.0 for row in rows]
    left = MARGIN + 0.32
    low, high = _decades(min(times), max(times))
    across = Scale(low=low, high=high, start=left, end=PANEL - 0.05, log=True)
    up = Scale(low=board.rubric.lowest, high=board.rubric.highest, start=bottom, end=top)
    ticks = [(value, f"{value:,.10g}") for value in _ticks(low, high)]
    ruler(page, Ruler(scale=across, ticks=ticks, title="seconds per clip (left is faster)", top=top, bottom=bottom))
    marks = range(board.rubric.lowest, board.rubric.highest + 1)
    page.lines([(left, up.at(mark), across.end, up.at(mark)) for mark in marks], colour=PALE, width=0.5, zorder=0.5)
    page.lines([(left, top, left, bottom)], colour=GREY, width=0.6)
    for mark in marks:
        page.text(left - 0.05, up.at(mark), str(mark), ha="right", fontsize=SMALL)
    page.text(MARGIN + 0.05, (top + bottom) / 2, "overall", rotation=90, ha="center", fontsize=SMALL)
    points = [(across.at(time), up.at(_middle(row))) for row, time in zip(rows, times, strict=True)]
    shown = [of_overall(row, up, x) for row, (x, _) in zip(rows, points, strict=True)]
    show(page, shown, upright=True)
    frame = (left, top, across.end, bottom)
    leaders: list[Line] = []
    for number, (place, point) in enumerate(zip(_labels(shown, points, frame), points, strict=True), 1):
        if place is not None:
            leaders += _leader(point, place)
            page.text(*place, str(number), ha="center", fontsize=SMALL)
    page.lines(leaders, colour=GREY, width=0.4, zorder=1.5)


def _middle(row: Row) -> float:
    bounds = row.entry.summary.overall
    return (bounds.low + bounds.high) / 2


def _leader(point: Point, place: Point) -> list[Line]:
    """Return the line from a point to its number, if that stands apart."""
    across, down = place[0] - point[0], place[1] - point[1]
    far = math.hypot(across, down)
    if far < 0.15:
        return []
    part = (far - 0.07) / far
    return [(point[0], point[1], point[0] + across * part, point[1] + down * part)]


def _labels(shown: Sequence[Shown], points: Sequence[Point], frame: Box) -> list[Point | None]:
    """Return where each point's number stands, free of points, lines and other numbers; None where there is no room.

    The points with the nearest neighbours choose first.
    """
    left, top, right, bottom = frame
    taken = [*points, *(place for result in shown for place in _along(result))]
    found: list[Point | None] = [None] * len(points)
    for number in sorted(range(len(points)), key=lambda n: (_nearest(points, n), n)):
        x, y = points[number]
        for far in _RINGS:
            places = [(x + far * across, y + far * down) for across, down in _TURNS]
            inside = [place for place in places if left + _HALF < place[0] < right and top < place[1] < bottom - _HALF]
            free = [place for place in inside if all(_apart(place, other) for other in taken)]
            if free:
                found[number] = free[0]
                taken.append(free[0])
                break
    return found


def _along(result: Shown) -> list[Point]:
    """Return places on a result's line, so near to each other that no number fits between."""
    low, high = result.span or (0.0, 0.0)
    steps = math.ceil(abs(high - low) / 0.08)
    return [(result.across, low + (high - low) * step / steps) for step in range(steps + 1)] if steps else []


def _nearest(points: Sequence[Point], number: int) -> float:
    x, y = points[number]
    return min((math.hypot(x - a, y - b) for n, (a, b) in enumerate(points) if n != number), default=0.0)


def _apart(one: Point, other: Point) -> bool:
    return abs(one[0] - other[0]) > 0.13 or abs(one[1] - other[1]) > 0.1


def _list(page: Sheet, rows: Sequence[Row], top: float) -> None:
    """Write whose number each is: name, seconds, machine."""
    names = [lettering.fitted(label(row), NAME, SMALL) for row in rows]
    times = [_seconds(row.entry.efforts.seconds_per_clip or 0.0) for row in rows]
    number = PANEL + 0.1 + max(lettering.width(str(len(rows)), SMALL), 0.1)
    name = number + 0.07
    wide = max(lettering.width(words, SMALL) for words in ("seconds", *times))
    time = name + max(lettering.width(words, SMALL) for words in names) + GAP + wide
    machine = time + GAP
    for words, x, side in (("seconds", time, "right"), ("machine", machine, "left")):
        page.text(x, top, words, ha=side, fontsize=SMALL, color=GREY)
    for place, row in enumerate(rows, 1):
        y = top + LINE * place
        made_on = lettering.short(row.entry.machine.replace("NVIDIA ", ""), 60) or "not named"
        page.text(number, y, str(place), ha="right", fontsize=SMALL)
        page.text(name, y, names[place - 1], fontsize=SMALL)
        page.text(time, y, times[place - 1], ha="right", fontsize=SMALL)
        page.text(machine, y, lettering.fitted(made_on, PAGE - MARGIN - machine, SMALL), fontsize=SMALL)


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def _decades(low: float, high: float) -> tuple[float, float]:
    """Return the ends of the axis: all points lie well inside."""
    return low / 1.4, high * 1.4


def _ticks(low: float, high: float) -> list[float]:
    """Return round values between two: decades, and their double and half where these are few."""
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        found = [step * 10.0**ten for ten in tens for step in steps if low <= step * 10.0**ten <= high]
        if len(found) >= 3:
            break
    most = 7
    return found[:: math.ceil(len(found) / most)] if found else [low * 1.2]
