"""A board as plain values: tables for CSV, and JSON with the bounds and intervals of every cell."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import StoreError
from sparkle_bench.leaderboard.cells import unarmed
from sparkle_bench.leaderboard.contest import ALPHA, SEED
from sparkle_bench.leaderboard.entry import Entry
from sparkle_bench.leaderboard.ranking import Board, Row
from sparkle_bench.scoring import Bounds, Efforts, Summary
from sparkle_bench.stats import Agreement, Interval
from sparkle_bench.stats.bootstrap import CONFIDENCE
from sparkle_bench.submission import card

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 4
BESIDE = frozenset(
    (
        "bounds", "intervals", "raw_intervals", "subthemes", "judge_error", "noise", "usage", "editor", "machine",
        "efforts", "declared", "control", "uncapped", "raw", "status", "marks",
    )
)  # fmt: skip
"""What JSON and the page say of a row beside its columns; no theme can be called so either."""
RANKS = ("rank", "rank_low", "rank_high", "place", "rank_uncapped", "place_uncapped")


def to_frame(board: Board) -> pd.DataFrame:
    """Return the board as a table of plain values; unranked rows have no overall but its bounds."""
    import pandas as pd

    frame: pd.DataFrame = pd.DataFrame([_values(board, row) for row in board.rows])
    whole = (*RANKS, "parameters", "flagged", *(f"flag_{name}" for name in flag_labels(board)))
    for column in whole:
        frame[column] = frame[column].astype("Int64")
    return unarmed(frame)


def subthemes(board: Board) -> pd.DataFrame:
    """Return one row for every result and subtheme: `model, theme, subtheme, samples, mean, ci_low, ci_high, low, high`."""
    import pandas as pd

    rows = [
        {"model": row.entry.model, "theme": cell["theme"], "subtheme": cell["subtheme"], "samples": cell["samples"]}
        | {"mean": cell["mean"], **_ends("ci", cell["interval"]), **_ends(None, cell["bounds"])}
        for row in board.rows
        for cell in _subthemes(board, row)
    ]
    columns = ["model", "theme", "subtheme", "samples", "mean", "ci_low", "ci_high", "low", "high"]
    return unarmed(pd.DataFrame(rows, columns=columns))


def pairs(board: Board) -> pd.DataFrame:
    """Return one row for every two ranked results of a track, the better first.

    Columns: `track, model, other, difference, ci_low, ci_high, p, p_adjusted, apart`.
    """
    import pandas as pd

    rows = []
    for track, contest in board.contests.items():
        ranked = [contest.models.index(row.entry.model) for row in board.rows if row.rank and row.track == track]
        found = contest.pairs
        for one, other in itertools.combinations(ranked, 2):
            low, high = float(found.low[one, other]), float(found.high[one, other])
            known = not math.isnan(low)
            rows.append(
                {"track": track, "model": contest.models[one], "other": contest.models[other]}
                | {"difference": _number(float(found.difference[one, other]))}
                | _ends("ci", [_number(low), _number(high)] if known else None)
                | {
                    "p": float(found.p[one, other]),
                    "p_adjusted": float(found.adjusted[one, other]),
                }
                | {"apart": contest.apart(contest.models[one], contest.models[other])}
            )
    columns = ["track", "model", "other", "difference", "ci_low", "ci_high", "p", "p_adjusted", "apart"]
    return unarmed(pd.DataFrame(rows, columns=columns))


def _values(board: Board, row: Row) -> dict[str, Any]:
    entry, summary = row.entry, row.entry.summary
    head = {
        "rank": row.rank,
        "model": entry.model,
        "overall": _number(summary.overall.value),
        **{key: _number(bounds.value) for key, bounds in summary.dimensions.items()},
    }
    themes = {theme: _number(_theme(summary, theme)) for theme in board.themes}
    rest = {
        "n": summary.scored,
        "of": summary.of,
        **_ends("overall_ci", _interval(board, row, "overall")),
        **_known_ranks(row),
        "overall_low": _number(summary.overall.low),
        "overall_high": _number(summary.overall.high),
        "scored_overall": _number(summary.scored_overall),
        "no_edit": summary.no_edit,
        "no_verdict": summary.no_verdict,
        "not_attempted": summary.unattempted,
        "cap_bound": _number(summary.cap_bound),
        **_uncapped(row),
        **{f"raw_{key}": _number(bounds.value) for key, bounds in summary.raw.items()},
        "measured": entry.audit.measured if entry.audit else 0,
        **_flag_values(board, entry),
        "repeats": entry.judge["repeats"],
        **_effort_values(entry),
        "date": str(entry.judge["date"])[:10],
        "code_version": entry.judge["code_version"],
        "edit_code_version": entry.edit_code_version,
        **_declared_values(entry),
        "judged": entry.judged,
        "unranked": row.why_unranked,
        "judge": board.judge_key,
        "command": entry.command,
    }
    for theme in themes:
        if theme in head or theme in rest or theme in BESIDE:
            raise StoreError(f"a theme of {board.benchmark} is called {theme!r}, which is a column's name; rename it")
    return {**head, **themes, **rest}


def _known_ranks(row: Row) -> dict[str, Any]:
    found = row.standing
    return {
        "rank_low": found and found.low,
        "rank_high": found and found.high,
        "group": found and found.group,
        "place": row.place,
    }


def _uncapped(row: Row) -> dict[str, Any]:
    return {
        "overall_uncapped": _number(row.entry.summary.uncapped.value),
        "rank_uncapped": row.uncapped and row.uncapped.rank,
        "place_uncapped": row.uncapped_place,
    }


def _ends(name: str | None, pair: Sequence[float | None] | None) -> dict[str, float | None]:
    """Return two columns for the ends of an interval, or of bounds."""
    head = f"{name}_" if name else ""
    low, high = pair or (None, None)
    return {f"{head}low": low, f"{head}high": high}


def _interval(board: Board, row: Row, name: str) -> list[float | None] | None:
    found = board.interval(row, name)
    return None if found is None else _rounded(found)


def _rounded(found: Interval | Bounds) -> list[float | None]:
    return [_number(found.low), _number(found.high)]


def _subthemes(board: Board, row: Row) -> list[dict[str, Any]]:
    """Return the subthemes of a result with mean, interval and bounds, in the board's order."""
    intervals = dict(zip(board.design.subthemes, row.intervals.subthemes, strict=True)) if row.intervals else {}
    cells = row.entry.summary.subthemes
    known = [name for name in board.design.subthemes if name in cells]
    return [
        {
            "theme": name[0],
            "subtheme": name[1],
            "samples": cells[name].samples,
            "mean": _number(cells[name].mean.value),
            "interval": _rounded(found) if (found := intervals.get(name)) else None,
            "bounds": _rounded(cells[name].mean),
        }
        for name in [*known, *(name for name in cells if name not in known)]
    ]


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
        "weights": entry.weights,
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
        "statistics": statistics(board),
    }
    rows = [row_values(board, row) for row in board.rows]
    return json.dumps({**head, "rows": rows}, indent=2, ensure_ascii=False) + "\n"


def row_values(board: Board, row: Row) -> dict[str, Any]:
    """Return all that a board says of one result, with the bounds of every cell, as JSON data."""
    summary = row.entry.summary
    cells = {"overall": summary.overall, **summary.dimensions, **summary.themes}
    raw = row.raw_intervals
    return {
        **_values(board, row),
        "bounds": {name: _rounded(bounds) for name, bounds in cells.items()},
        "intervals": {name: _interval(board, row, name) for name in cells} if row.intervals else {},
        "raw_intervals": {
            key: _rounded(found) if found else None
            for key, found in zip(("overall", *summary.raw), (raw.overall, *raw.dimensions), strict=True)
        }
        if raw
        else {},
        "subthemes": _subthemes(board, row),
        "judge_error": _number(board.judge_error(row)),
        "noise": _noise(row.entry.noise),
        "usage": row.entry.judge.get("usage"),
        "control": row.entry.is_control,
        "editor": row.entry.run["editor"],
        "machine": row.entry.machine,
        "efforts": _counts(row.entry.efforts),
        "declared": card.to_data(row.entry.declared) if row.entry.declared else {},
    }


def statistics(board: Board) -> dict[str, Any]:
    """Return how a board's intervals and ranks were made, and what it can tell apart, as JSON data."""
    return {
        "confidence": CONFIDENCE,
        "alpha": ALPHA,
        "seed": SEED,
        "scenes": board.design.scenes,
        "tracks": {
            track: {
                "models": list(contest.models),
                "detectable": _number(contest.detectable),
                "detectable_of_all": _number(contest.detectable_of_all),
            }
            for track, contest in board.contests.items()
        },
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
