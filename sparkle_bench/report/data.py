"""What the page knows of a board, as the script that the page loads: the board's rows, and every mark as one character."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench.report.details import call

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkle_bench.leaderboard import Board, Row
    from sparkle_bench.scoring import Bounds, Marks

FORMAT = 1
DIGITS = 7
"""Of means: enough that the page, which rounds them again, shows what the board's other files show."""
P_DIGITS = 4
SCORED, NO_EDIT, NO_VERDICT, UNATTEMPTED = "s", "e", "v", "u"
NO_MARK = "."
LARGEST_DIGIT = 9
"""A rubric whose marks go higher has lists of numbers in place of texts."""


def data(
    board: Board, rows: Sequence[Mapping[str, Any]], statistics: Mapping[str, Any], quoted: Sequence[Any] = ()
) -> bytes:
    """Return `page/data.js`. It depends on the board alone.

    Args:
        board: What the page shows.
        rows: What the board's tables say of every row, in the board's order.
        statistics: How intervals and ranks were made, by track what can be told apart.
        quoted: Models of this board that are printed elsewhere too, as `printed_elsewhere` gives them.
    """
    samples = board.rows[0].entry.marks  # the board's own, for rows of another version stand last
    said = {
        "format": FORMAT,
        "benchmark": dict(board.version),
        "judge": dict(board.judge),
        "rubric": {
            "lowest": board.rubric.lowest,
            "highest": board.rubric.highest,
            "cap": board.rubric.cap,
            "dimensions": [{"key": key, "label": board.rubric.label(key)} for key in board.rubric.keys],
        },
        "themes": list(board.themes),
        "subthemes": [list(name) for name in board.design.subthemes],
        "statistics": {**statistics, "tracks": _tracks(board, statistics.get("tracks", {}))},
        "samples": [
            {name: getattr(sample, name) for name in ("id", "theme", "subtheme", "scene", "instruction", "source")}
            for sample in samples.samples
        ],
        "models": [{**values, **_beyond(row, values, samples)} for row, values in zip(board.rows, rows, strict=True)],
    }
    return call("board", {**said, "quoted": list(quoted)} if quoted else said)


def _beyond(row: Row, values: Mapping[str, Any], board: Marks) -> dict[str, Any]:
    """Return what a row's tables do not say: bounds of what is not capped, every mark, and means in more digits."""
    summary, marks = row.entry.summary, row.entry.marks
    place = {sample.id: number for number, sample in enumerate(marks.samples)}
    order = np.array([place.get(sample.id, -1) for sample in board.samples])
    letters = np.where(order[:, None] < 0, UNATTEMPTED, _letters(marks)[order])
    raw = marks.raw[order]
    cells = {"overall": summary.overall, **summary.dimensions, **summary.themes}
    return {
        "bounds": {name: _ends(bounds) for name, bounds in cells.items()},
        "uncapped": _ends(summary.uncapped),
        "raw": {key: _ends(bounds) for key, bounds in summary.raw.items()},
        "subthemes": [
            {**cell, "bounds": _ends(summary.subthemes[cell["theme"], cell["subtheme"]].mean)}
            for cell in values["subthemes"]
        ],
        "repeats": marks.status.shape[1],
        "status": "".join(letters.ravel().tolist()),
        "marks": _written(raw, letters == SCORED, board.rubric.highest),
    }


def _letters(marks: Marks) -> NDArray[np.str_]:
    """Return (S, R) one letter for every verdict that there should be."""
    found = np.full(marks.status.shape, NO_VERDICT)
    found[marks.scored] = SCORED
    found[marks.no_edit] = NO_EDIT
    found[~marks.attempted] = UNATTEMPTED
    return found


def _written(raw: NDArray[np.int16], scored: NDArray[np.bool_], highest: int) -> str | list[int | None]:
    """Return every raw mark, sample by sample, repeat by repeat, dimension by dimension."""
    there = np.repeat(scored[:, :, None], raw.shape[2], axis=2).ravel().tolist()
    marks: list[int] = raw.ravel().tolist()
    if highest > LARGEST_DIGIT:
        return [mark if known else None for mark, known in zip(marks, there, strict=True)]
    return "".join(str(mark) if known else NO_MARK for mark, known in zip(marks, there, strict=True))


def _tracks(board: Board, told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Add to each track every pair of its models, as the upper triangle row by row, in the order of `models`."""
    found = {}
    for track, contest in board.contests.items():
        upper = np.triu_indices(len(contest.models), 1)
        pairs = {
            name: [_number(value) for value in getattr(contest.pairs, name)[upper].tolist()]
            for name in ("difference", "low", "high", "adjusted")
        }
        found[track] = {
            **told.get(track, {}),
            "models": list(contest.models),
            "pairs": {**pairs, "apart": contest.pairs.apart[upper].astype(int).tolist()},
        }
    return found


def _ends(bounds: Bounds) -> list[float]:
    return [round(bounds.low, DIGITS), round(bounds.high, DIGITS)]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, P_DIGITS)
