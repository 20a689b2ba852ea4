"""Boards: one per benchmark and judge key, rebuilt from `results/` alone. Read-only on `results/` but for `scores.csv`.

A board ranks complete results by their overall mean; equal means share a rank. Below the line, unranked, stand incomplete
results, with bounds, and results made on another version of the benchmark than the board's (the largest).
Nothing in a board depends on the clock: unchanged results give the same bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench import disk, plots, report
from sparkle_bench.audit import Audit, audit
from sparkle_bench.errors import PromptError, StoreError
from sparkle_bench.rubric import Rubric, rubric_from_data
from sparkle_bench.scoring import Evidence, Summary, counted, score_table, summarise
from sparkle_bench.signals.request import load_rules
from sparkle_bench.stats import Agreement, noise, repeated
from sparkle_bench.store import Store

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 4
FILES = (
    "leaderboard.csv",
    "leaderboard.json",
    "leaderboard.md",
    "index.html",
    *(f"figures/{name}.{kind}" for name in plots.NAMES for kind in plots.KINDS),
)
"""All that a board's folder holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One result on a board.

    Attributes:
        model: The result's name.
        summary: Its numbers.
        audit: Where the judge and the measured signals contradict each other; None if nothing was measured.
        units: Raw marks of the edits judged more than once, by dimension key.
        noise: How far these agree, by dimension key; empty if none was.
        run: Its `run.json`.
        judge: Its `judge.json`.
    """

    model: str
    summary: Summary
    audit: Audit | None
    units: Mapping[str, Sequence[Sequence[int]]]
    noise: Mapping[str, Agreement]
    run: Mapping[str, Any]
    judge: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The version of the benchmark that it was made on."""
        return str(self.run["benchmark"]["digest"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry in its place.

    Attributes:
        rank: From 1, or None below the line.
        why_unranked: Empty for a ranked row.
        entry: The result.
    """

    rank: int | None
    why_unranked: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One leaderboard.

    Attributes:
        benchmark: The benchmark's name.
        judge_key: Whose verdicts these are.
        rubric: The dimensions.
        themes: The themes, in the benchmark's order.
        rows: Ranked ones first, best first.
        judge: What every row's `judge.json` says alike: key, identity, notes.
        version: The benchmark's version, its size and whether it is partial.
    """

    benchmark: str
    judge_key: str
    rubric: Rubric
    themes: tuple[str, ...]
    rows: tuple[Row, ...]
    judge: Mapping[str, Any]
    version: Mapping[str, Any]

    @property
    def noise(self) -> dict[str, Agreement]:
        """The judge's own noise, by dimension key, over all edits on the board that it judged more than once."""
        units = {
            key: [marks for row in self.rows for marks in row.entry.units.get(key, ())] for key in self.rubric.keys
        }
        return noise(units, self.rubric)


def rebuild(results: Store) -> list[Board]:
    """Write every board that `results/` holds, and each result's `scores.csv`; remove boards of results that are gone.

    Raises:
        StoreError: A file in `results/` is damaged.
    """
    with results.rebuilding():
        groups: dict[tuple[str, str], list[Entry]] = {}
        for model in results.models():
            for key in results.judge_keys(model):
                entry = read_entry(results, model, key)
                groups.setdefault((str(entry.run["benchmark"]["name"]), key), []).append(entry)
        boards = [_board(name, key, entries) for (name, key), entries in sorted(groups.items())]
        for board in boards:
            _write(results, board)
        results.remove_boards(keep={(board.benchmark, board.judge_key) for board in boards}, files=FILES)
        if boards:
            disk.write(results.boards_index(), report.index(boards).encode())
        return boards


def read_entry(results: Store, model: str, judge_key: str) -> Entry:
    """Score one result under one judge and write its `scores.csv`.

    Raises:
        StoreError: There is no such result, or it is damaged.
    """
    run, judge = results.read_run(model), results.read_judge(model, judge_key)
    if run is None or judge is None:
        raise StoreError(f"results/{model} has no verdicts of {judge_key}")
    _check_fields(f"results/{model}/run.json", run, RUN_FIELDS)
    _check_fields(f"results/{model}/run.json", run["benchmark"], BENCHMARK_FIELDS)
    _check_fields(f"results/{model}/judged/{judge_key}/judge.json", judge, JUDGE_FIELDS)
    try:
        rubric = rubric_from_data(judge["rubric"])
        known = evidence(results, model, judge_key, judge)
        table = score_table(known, rubric)
        summary = summarise(table, rubric)
        units = repeated(counted(known), rubric)
        audited = _audit(results, model, known, benchmark=str(run["benchmark"]["name"]))
    except (PromptError, StoreError) as error:
        raise StoreError(f"results/{model} cannot be scored: {error}") from error
    folder = results.judged_dir(model, judge_key)
    disk.write(folder / "scores.csv", table.to_csv(index=False).encode())
    if audited is not None:
        disk.write(folder / "flags.csv", _flags_csv(audited))
    agreement = noise(units, rubric)
    return Entry(model=model, summary=summary, audit=audited, units=units, noise=agreement, run=run, judge=judge)


def _audit(results: Store, model: str, known: Evidence, *, benchmark: str) -> Audit | None:
    """Compare the verdicts that count with what was measured; None if nothing was, or the benchmark has no rules."""
    measurements = results.measurements(model)
    rules = load_rules(benchmark, root=results.root) if measurements else None
    return audit(known.samples, measurements, counted(known), rules) if rules else None


def _flags_csv(audited: Audit) -> bytes:
    import pandas as pd

    columns = ["sample_id", "repeat", "name", "why"]
    rows = [{column: getattr(flag, column) for column in columns} for flag in audited.flags]
    text: str = pd.DataFrame(rows, columns=columns).to_csv(index=False)
    return text.encode()


RUN_FIELDS: Mapping[str, type] = {"benchmark": dict, "editor": dict}
BENCHMARK_FIELDS: Mapping[str, type] = {"name": str, "digest": str, "samples": int, "partial": bool}
JUDGE_FIELDS: Mapping[str, type] = {
    "key": str,
    "identity": dict,
    "notes": list,
    "rubric": dict,
    "repeats": int,
    "date": str,
    "code_version": str,
}


def _check_fields(where: str, data: Mapping[str, Any], fields: Mapping[str, type]) -> None:
    for name, kind in fields.items():
        if not isinstance(data.get(name), kind):
            raise StoreError(f"{where} has no usable field {name!r}; restore it or remove the folder")


def evidence(results: Store, model: str, judge_key: str, judge: Mapping[str, Any]) -> Evidence:
    """Return all that is on disk of one model under one judge."""
    return Evidence(
        samples=results.samples(model),
        edits=results.edits(model),
        judgments=results.judgments(model, judge_key),
        repeats=int(judge["repeats"]),
    )


def _board(name: str, key: str, entries: Sequence[Entry]) -> Board:
    versions = Counter(entry.version for entry in entries)
    # The larger benchmark, then the one of most results, then the hash: the choice must not depend on file order.
    main = max(entries, key=lambda e: (e.summary.of, versions[e.version], e.version))
    rows = _ranked([e for e in entries if e.version == main.version])
    rows += _unranked([e for e in entries if e.version != main.version], "another version of the benchmark")
    return Board(
        benchmark=name,
        judge_key=key,
        rubric=rubric_from_data(main.judge["rubric"]),
        themes=tuple(main.summary.themes),
        rows=tuple(rows),
        judge={field: main.judge[field] for field in ("key", "identity", "notes")},
        version=main.run["benchmark"],
    )


def _ranked(entries: Sequence[Entry]) -> list[Row]:
    complete = sorted((e for e in entries if e.summary.complete), key=lambda e: (-e.summary.overall.low, e.model))
    rows: list[Row] = []
    for place, entry in enumerate(complete, 1):
        tied = rows and abs(rows[-1].entry.summary.overall.low - entry.summary.overall.low) < 1e-9
        rows.append(Row(rank=rows[-1].rank if tied else place, why_unranked="", entry=entry))
    return rows + _unranked([e for e in entries if not e.summary.complete], "incomplete")


def _unranked(entries: Sequence[Entry], why: str) -> list[Row]:
    ordered = sorted(entries, key=lambda e: (-e.summary.overall.low, e.model))
    return [Row(rank=None, why_unranked=f"{why}: {missing(e.summary)}", entry=e) for e in ordered]


def missing(summary: Summary) -> str:
    """Say in words what of a result is missing."""
    parts = [
        f"{summary.no_verdict} without verdict" * bool(summary.no_verdict),
        f"{summary.unattempted} not attempted" * bool(summary.unattempted),
    ]
    return ", ".join(filter(None, parts)) or f"{summary.of} samples"


# -- formats ---------------------------------------------------------------------------------------------------------


def to_frame(board: Board) -> pd.DataFrame:
    """Return the board as a table of plain values; unranked rows have no overall but its bounds."""
    import pandas as pd

    frame: pd.DataFrame = pd.DataFrame([_values(board, row) for row in board.rows])
    for column in ("rank", "flagged", *(f"flag_{name}" for name in flag_labels(board))):
        frame[column] = frame[column].astype("Int64")
    return frame


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
        "date": str(entry.judge["date"])[:10],
        "code_version": entry.judge["code_version"],
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
    }


def _noise(found: Mapping[str, Agreement]) -> dict[str, dict[str, float | None]]:
    return {
        key: {name: _number(value) for name, value in dataclasses.asdict(agreement).items()}
        for key, agreement in found.items()
    }


def _labels(board: Board) -> dict[str, str]:
    return {dimension.key: dimension.label for dimension in board.rubric.dimensions}


def _write(results: Store, board: Board) -> None:
    """Write a board's files, unless all are as they were written from the same data by the same code."""
    folder = results.board_dir(board.benchmark, board.judge_key)
    table = to_frame(board).to_csv(index=False, float_format=f"%.{DIGITS}f").encode()
    data = to_json(board).encode()
    drawn = results.drawn(board.benchmark, board.judge_key)
    made_from = hashlib.sha256(b"\0".join([table, data, _drawing_code().encode()])).hexdigest()
    if drawn.read() == {"made_from": made_from, "files": _hashes(folder)}:
        return
    disk.write(folder / "leaderboard.csv", table)
    disk.write(folder / "leaderboard.json", data)
    disk.write(folder / "leaderboard.md", report.markdown(board).encode())
    for name, figure in plots.figures(board).items():
        for kind in plots.KINDS:
            disk.write(folder / "figures" / f"{name}.{kind}", plots.render(figure, kind))
    disk.write(folder / "index.html", report.page(board).encode())
    drawn.write({"made_from": made_from, "files": _hashes(folder)})


def _hashes(folder: Path) -> dict[str, str | None]:
    """Return the hash of every file of a board, None for one that is not there."""
    paths = {name: folder / name for name in FILES}
    return {name: disk.file_sha256(path) if path.is_file() else None for name, path in paths.items()}


@functools.cache
def _drawing_code() -> str:
    """Return a hash of all that turns a board's data into its files: our code and templates, and the libraries."""
    here = Path(__file__).parent
    files = [here / "plots.py", *sorted(path for path in (here / "report").rglob("*") if path.suffix in (".py", ".j2"))]
    libraries = [f"{name} {version(name)}" for name in ("matplotlib", "jinja2")]
    return hashlib.sha256(b"\0".join([*(path.read_bytes() for path in files), *map(str.encode, libraries)])).hexdigest()
