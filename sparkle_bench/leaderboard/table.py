"""A board as plain values: a table for CSV, and JSON with the bounds of every cell."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparkle_bench.leaderboard.cells import unarmed
from sparkle_bench.leaderboard.entry import Entry
from sparkle_bench.leaderboard.ranking import Board, Row
from sparkle_bench.scoring import Efforts, Summary
from sparkle_bench.stats import Agreement
from sparkle_bench.submission import card

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 4


def to_frame(board: Board) -> pd.DataFrame:
    """Return the board as a table of plain values; unranked rows have no overall but its bounds."""
    import pandas as pd

    frame: pd.DataFrame = pd.DataFrame([_values(board, row) for row in board.rows])
    for column in ("rank", "parameters", "flagged", *(f"flag_{name}" for name in flag_labels(board))):
        frame[column] = frame[column].astype("Int64")
    return unarmed(frame)


def _values(board: Board, row: Row) -> dict[str, Any]:
    entry, summary = row.entry, row.entry.summary
    return {
        "rank": row.rank,
        "model": entry.model,
        "overall": _number(summary.overall.value),
        **{key: _number(bounds.value) for key, bounds in summary.dimensions.items()},
        **{theme: _number(_theme(summary, theme)) for theme in board.themes},
        "n": summary.scored,
        "of": summary.of,
        "overall_low": _number(summary.overall.low),
        "overall_high": _number(summary.overall.high),
        "scored_overall": _number(summary.scored_overall),
        "no_edit": summary.no_edit,
        "no_verdict": summary.no_verdict,
        "not_attempted": summary.unattempted,
        "cap_bound": _number(summary.cap_bound),
        "measured": entry.audit.measured if entry.audit else 0,
        **_flag_values(board, entry),
        "repeats": entry.judge["repeats"],
        **_effort_values(entry),
        "date": str(entry.judge["date"])[:10],
        "code_version": entry.judge["code_version"],
        **_declared_values(entry),
        "unranked": row.why_unranked,
        "judge": board.judge_key,
    }


def _flag_values(board: Board, entry: Entry) -> dict[str, int | None]:
    """Return the counts of flags; without a measured sample none is known."""
    audited = entry.audit if entry.audit and entry.audit.measured else None
    counts = audited.counts if audited else {}
    return {
        "flagged": audited.samples if audited else None,
        **{f"flag_{name}": counts.get(name) for name in flag_labels(board)},
    }


def _effort_values(entry: Entry) -> dict[str, float | None]:
    """Return what a table shows of what the edits took."""
    took = entry.efforts
    return {
        "seconds_per_clip": _number(took.seconds_per_clip),
        "frames_per_second": _number(took.frames_per_second),
        "gpu_memory_gb": _number(took.gpu_memory_gb),
        "host_memory_gb": _number(took.host_memory_gb),
        "cost_usd": _number(took.cost_usd),
        "cost_per_clip_usd": _number(took.cost_per_clip_usd),
        "aligned": _number(took.aligned),
    }


def _declared_values(entry: Entry) -> dict[str, str | int | None]:
    """Return what a table shows of what the makers declared; they did not declare what is None."""
    said = entry.declared
    return {
        "track": entry.track,
        "parameters": said.model.parameters if said else None,
        "license": said.model.license if said else None,
        "made_by": said.made_by.who if said else None,
        "overlap": entry.overlap,
    }


def flag_labels(board: Board) -> dict[str, str]:
    """Return the label of every flag that some result of the board was looked at for, by name."""
    labels: dict[str, str] = {}
    for row in board.rows:
        labels |= row.entry.audit.labels if row.entry.audit else {}
    return labels


def _theme(summary: Summary, theme: str) -> float | None:
    return summary.themes[theme].value if theme in summary.themes else None


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def to_json(board: Board) -> str:
    """Return the board as JSON: what it stands on, then its rows with the bounds of every cell."""
    head = {
        "benchmark": board.version,
        "judge": board.judge,
        "dimensions": _labels(board),
        "themes": list(board.themes),
        "noise": _noise(board.noise),
    }
    rows = [row_values(board, row) for row in board.rows]
    return json.dumps({**head, "rows": rows}, indent=2, ensure_ascii=False) + "\n"


def row_values(board: Board, row: Row) -> dict[str, Any]:
    """Return all that a board says of one result, with the bounds of every cell, as JSON data."""
    summary = row.entry.summary
    cells = {"overall": summary.overall, **summary.dimensions, **summary.themes}
    bounds = {name: [round(b.low, DIGITS), round(b.high, DIGITS)] for name, b in cells.items()}
    return {
        **_values(board, row),
        "bounds": bounds,
        "noise": _noise(row.entry.noise),
        "usage": row.entry.judge.get("usage"),
        "editor": row.entry.run["editor"],
        "machine": row.entry.machine,
        "efforts": _counts(row.entry.efforts),
        "declared": card.to_data(row.entry.declared) if row.entry.declared else {},
    }


def _counts(took: Efforts) -> dict[str, int]:
    """Return on how many edits each of the numbers stands."""
    return {"edits": took.edits, "timed": took.timed, "priced": took.priced, "timekeeping": took.timekeeping}


def _noise(found: Mapping[str, Agreement]) -> dict[str, dict[str, float | None]]:
    return {
        key: {name: _number(value) for name, value in dataclasses.asdict(agreement).items()}
        for key, agreement in found.items()
    }


def _labels(board: Board) -> dict[str, str]:
    return {dimension.key: dimension.label for dimension in board.rubric.dimensions}
