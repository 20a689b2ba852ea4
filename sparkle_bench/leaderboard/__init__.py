"""Boards: one per benchmark and judge key, rebuilt from `results/` alone.

Only what is derived is written in `results/`: `scores.csv` and `flags.csv`.

A board ranks complete results by their overall mean; equal means share a rank. Models that were given more than the source
and the instruction, such as masks, are ranked apart, in a track of their own. Below the line, unranked, stand incomplete
results, with bounds, and results made on another version of the benchmark than the board's (the largest).
Nothing in a board depends on the clock: unchanged results give the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

from sparkle_bench import disk, plots, report
from sparkle_bench.leaderboard.entry import (
    DERIVED,
    FLAGS,
    SCORES,
    Entry,
    derived_texts,
    evidence,
    read_entry,
)
from sparkle_bench.leaderboard.ranking import Board, Row, missing, ranked_board
from sparkle_bench.leaderboard.table import DIGITS, flag_labels, row_values, to_frame, to_json
from sparkle_bench.store import Store

__all__ = [
    "DERIVED",
    "DIGITS",
    "FILES",
    "FLAGS",
    "SCORES",
    "Board",
    "Entry",
    "Row",
    "derived_texts",
    "evidence",
    "flag_labels",
    "missing",
    "ranked_board",
    "read_entry",
    "rebuild",
    "row_values",
    "texts",
    "to_frame",
    "to_json",
]

FILES = (
    "leaderboard.csv",
    "leaderboard.json",
    "leaderboard.md",
    "index.html",
    *(f"figures/{name}.{kind}" for name in plots.NAMES for kind in plots.KINDS),
)
"""All that a board's folder holds."""


def rebuild(results: Store) -> list[Board]:
    """Write every board that `results/` holds, and each result's derived files; remove boards of results that are gone.

    Raises:
        StoreError: A file in `results/` is damaged.
    """
    with results.rebuilding():
        groups: dict[tuple[str, str], list[Entry]] = {}
        for model in results.models():
            for key in results.judge_keys(model):
                entry = read_entry(results, model, key)
                for name, text in entry.texts.items():
                    disk.write(results.judged_dir(model, key) / name, text)
                groups.setdefault((str(entry.run["benchmark"]["name"]), key), []).append(entry)
        boards = [ranked_board(name, key, entries) for (name, key), entries in sorted(groups.items())]
        for board in boards:
            _write(results, board)
        results.remove_boards(keep={(board.benchmark, board.judge_key) for board in boards}, files=FILES)
        if boards:
            disk.write(results.boards_index(), report.index(boards).encode())
        return boards


def _write(results: Store, board: Board) -> None:
    """Write a board's files, unless all are as they were written from the same data by the same code."""
    folder = results.board_dir(board.benchmark, board.judge_key)
    made = texts(board)
    drawn = results.drawn(board.benchmark, board.judge_key)
    made_from = hashlib.sha256(b"\0".join([*made.values(), _drawing_code().encode()])).hexdigest()
    if drawn.read() == {"made_from": made_from, "files": _hashes(folder)}:
        return
    for name, figure in plots.figures(board).items():
        for kind in plots.KINDS:
            disk.write(folder / "figures" / f"{name}.{kind}", plots.render(figure, kind))
    for name, text in made.items():
        disk.write(folder / name, text)
    drawn.write({"made_from": made_from, "files": _hashes(folder)})


def texts(board: Board) -> dict[str, bytes]:
    """Return a board's files but its figures, by name."""
    table: str = to_frame(board).to_csv(index=False, float_format=f"%.{DIGITS}f")
    made = {
        "leaderboard.csv": table,
        "leaderboard.json": to_json(board),
        "leaderboard.md": report.markdown(board),
        "index.html": report.page(board),
    }
    return {name: text.encode() for name, text in made.items()}


def _hashes(folder: Path) -> dict[str, str | None]:
    """Return the hash of every file of a board, None for one that is not there."""
    paths = {name: folder / name for name in FILES}
    return {name: disk.file_sha256(path) if path.is_file() else None for name, path in paths.items()}


@functools.cache
def _drawing_code() -> str:
    """Return a hash of all that turns a board's data into its files: our code and templates, and the libraries."""
    here = Path(__file__).parent.parent
    files = [here / "plots.py", *sorted(path for path in (here / "report").rglob("*") if path.suffix in (".py", ".j2"))]
    libraries = [f"{name} {version(name)}" for name in ("matplotlib", "jinja2")]
    return hashlib.sha256(b"\0".join([*(path.read_bytes() for path in files), *map(str.encode, libraries)])).hexdigest()
