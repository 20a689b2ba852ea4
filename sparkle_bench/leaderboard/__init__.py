"""Boards: one per benchmark and judge key, rebuilt from `results/` alone.

Only what is derived is written in `results/`: `scores.csv` and `flags.csv`, and memories under `.cache`.

A board orders complete results by their overall mean (`place`) and ranks them by whom they can be told apart from. Models
that were given more than the source and the instruction, such as masks, are ranked apart, in a track of their own. Below the
line, unranked, stand incomplete results, with bounds, and results made on another version of the benchmark than the board's
(the largest).
Nothing in a board depends on the clock: unchanged results give the same bytes.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence, Set
from importlib.metadata import version
from pathlib import Path

from sparkle_bench import disk, plots, report
from sparkle_bench.errors import StoreError
from sparkle_bench.leaderboard.entry import (
    DERIVED,
    FLAGS,
    SCORES,
    Entry,
    derived_texts,
    evidence,
    read_entry,
)
from sparkle_bench.leaderboard.kept import Read, Reading, read, remember
from sparkle_bench.leaderboard.published import Quoted, read_published
from sparkle_bench.leaderboard.ranking import Board, Row, ranked_board
from sparkle_bench.leaderboard.table import (
    DIGITS,
    pairs,
    row_values,
    statistics,
    subthemes,
    to_frame,
    to_json,
)
from sparkle_bench.report.assets import DATA, FOLDER, MEDIA, details_of
from sparkle_bench.report.media import Places, media
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
    "code",
    "derived_texts",
    "evidence",
    "index_texts",
    "ranked_board",
    "read_entry",
    "read_published",
    "rebuild",
    "row_values",
    "statistics",
    "texts",
    "to_frame",
    "to_json",
]

FLOATS = {"leaderboard.csv": f"%.{DIGITS}f", "subthemes.csv": f"%.{DIGITS}f", "pairs.csv": "%.6g"}
"""How numbers are written in each table; a p may be small, and is never 0."""
INDEX = ("index.html", "index.md", "index.json")
"""What links to all boards."""
PAGE = FOLDER
"""The folder of what the page loads: scripts, data, and what is said of each result's samples. It is for this machine: it is
as large as the replies are, tells where videos lie here, and is no part of what is kept in git."""
FILES = (
    "leaderboard.csv",
    "subthemes.csv",
    "pairs.csv",
    "leaderboard.json",
    "leaderboard.md",
    "leaderboard.tex",
    "leaderboard-intervals.tex",
    "index.html",
    *(f"figures/{name}.{kind}" for name in plots.NAMES for kind in plots.KINDS),
)
"""All that a board's folder holds, beside `PAGE`."""


def rebuild(results: Store, *, sources: Path | None = None) -> list[Board]:
    """Write every board that `results/` holds, and each result's derived files; remove boards of results that are gone.

    Args:
        results: Where results lie and boards go.
        sources: The benchmark's folder, whose videos the local page plays; None for where they were found before.

    Raises:
        StoreError: A file in `results/` is damaged.
    """
    with results.rebuilding(), _uncollected():
        quoted = read_published(results.root)
        reading = Reading(results=results, code=code(), hashes=results.hashes())
        groups: dict[tuple[str, str], list[Read]] = {}
        for model in results.models():
            for key in results.judge_keys(model):
                found = read(reading, model, key)
                groups.setdefault((str(found.entry.run["benchmark"]["name"]), key), []).append(found)
        boards = []
        for (name, key), every in sorted(groups.items()):
            for found in every:
                _keep(reading, found, name, key)
            boards.append(ranked_board(name, key, [found.entry for found in every]))
            _write(results, boards[-1], sources, quoted)
        reading.hashes.save()
        results.remove_boards(keep={(board.benchmark, board.judge_key) for board in boards}, files=FILES)
        if boards:
            _write_index(results, boards, quoted)
        elif results.models():  # not the wrong root: all verdicts are gone
            for name in INDEX:
                results.boards_index().with_name(name).unlink(missing_ok=True)
        return boards


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave garbage in cycles lying for a while: records have none, and looking for it takes a tenth of a large rebuild."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _write_index(results: Store, boards: Sequence[Board], quoted: Sequence[Quoted]) -> None:
    """Write the files that link to all boards, unless all are as they were written from the same boards."""
    folder = results.boards_index().parent
    known = [repr(quoted), *(to_json(board) for board in boards), code()]
    made_from = hashlib.sha256("\0".join(known).encode(errors="surrogatepass")).hexdigest()
    memory = results.index_memory()
    if memory.read() == {"made_from": made_from, "files": _stamps(folder, INDEX)}:
        return
    for name, text in index_texts(boards, quoted).items():
        disk.write(folder / name, text)
    memory.write({"made_from": made_from, "files": _stamps(folder, INDEX)})


def index_texts(boards: Sequence[Board], quoted: Sequence[Quoted]) -> dict[str, bytes]:
    """Return the files that link to all boards and compare them, by name."""
    made = (report.index(boards, quoted), report.index_markdown(boards, quoted), report.index_json(boards, quoted))
    return {name: text.encode() for name, text in zip(INDEX, made, strict=True)}


def _keep(reading: Reading, found: Read, benchmark: str, key: str) -> None:
    """Write what is derived from one result alone, and remember the result."""
    entry, folder = found.entry, reading.results.judged_dir(found.entry.model, key)
    if entry.texts is None or entry.details is None:
        return
    made = {folder / name: text for name, text in entry.texts.items()}
    made[reading.results.board_dir(benchmark, key) / details_of(entry.model)] = entry.details
    for path, text in made.items():
        disk.write(path, text)
    for name in DERIVED:
        if name not in entry.texts:  # as flags, once the signals are gone
            (folder / name).unlink(missing_ok=True)
    remember(reading, found, key, list(made))


def _write(results: Store, board: Board, sources: Path | None, quoted: Sequence[Quoted]) -> None:
    """Write a board's files, unless all are as they were written from the same data by the same code."""
    folder = results.board_dir(board.benchmark, board.judge_key)
    rows = [row_values(board, row) for row in board.rows]
    data = report.data(board, rows, statistics(board), report.printed_elsewhere(board, quoted))
    made = {**texts(board), DATA: data, **report.assets()}
    disk.write(folder / MEDIA, _media(results, board, folder, sources))
    _remove_strangers(folder / PAGE, {*made, MEDIA, *(details_of(row.entry.model) for row in board.rows)})
    drawn = results.drawn(board.benchmark, board.judge_key)
    made_from = hashlib.sha256(b"\0".join([*made.values(), code().encode()])).hexdigest()
    names = (*FILES, *(name for name in made if name not in FILES))
    if drawn.read() == {"made_from": made_from, "files": _stamps(folder, names)}:
        return
    for name, figure in plots.figures(board).items():
        for kind in plots.KINDS:
            disk.write(folder / "figures" / f"{name}.{kind}", plots.render(figure, kind))
    for name, text in made.items():
        disk.write(folder / name, text)
    drawn.write({"made_from": made_from, "files": _stamps(folder, names)})


def _media(results: Store, board: Board, folder: Path, sources: Path | None) -> bytes:
    """Return where the page finds videos on this machine, by relative paths that stay under the root."""
    here = [row.entry.model for row in board.rows if (results.model_dir(row.entry.model) / "videos").is_dir()]
    link = _link_sources(results, board, sources)
    places = Places(
        results=Path(os.path.relpath(results.kept()[0], folder)).as_posix() if here else None,
        sources=Path(os.path.relpath(link, folder)).as_posix() if link else None,
        models=here,
    )
    return media(places)


def _link_sources(results: Store, board: Board, given: Path | None) -> Path | None:
    """Return a link to the folder of the board's source videos: the one given, else the one that was given before.

    The page goes through a link under the root, so that no folder of the machine stands in it.
    """
    link = results.sources_link(board.benchmark, str(board.version["digest"]))
    first = board.rows[0].entry.marks.samples[0].source
    if given is not None and (given / first).is_file() and not (link.exists() and link.samefile(given)):
        with contextlib.suppress(OSError, NotImplementedError, StoreError):  # without links the page lacks the sources
            disk.make_folder(link.parent)
            link.unlink(missing_ok=True)
            link.symlink_to(given.resolve(), target_is_directory=True)
    return link if (link / first).is_file() else None


def _remove_strangers(page: Path, known: Set[str]) -> None:
    """Remove scripts and style sheets of earlier versions, and what was said of results that are no longer on the board."""
    for path in (*page.glob("*.js"), *page.glob("*.css"), *page.glob("details/*.js")):
        if path.relative_to(page.parent).as_posix() not in known:
            path.unlink(missing_ok=True)


def texts(board: Board) -> dict[str, bytes]:
    """Return a board's files but its figures and its page's data, by name."""
    csv = {"leaderboard.csv": to_frame(board), "subthemes.csv": subthemes(board), "pairs.csv": pairs(board)}
    made = {
        **{name: table.to_csv(index=False, float_format=FLOATS[name]) for name, table in csv.items()},
        "leaderboard.json": to_json(board),
        "leaderboard.md": report.markdown(board),
        "leaderboard.tex": report.tex(board),
        "leaderboard-intervals.tex": report.tex(board, intervals=True),
        "index.html": report.page(board),
    }
    return {name: text.encode() for name, text in made.items()}


def _stamps(folder: Path, names: Iterable[str]) -> dict[str, list[int] | None]:
    """Return the stamp of every file of a board, None for one that is not there."""
    return {name: disk.stamp(folder / name) for name in names}


@functools.cache
def code() -> str:
    """Return a hash of all that turns results into boards: our code and templates, and the libraries."""
    package = Path(__file__).parent.parent
    kinds = (".py", ".j2", ".js", ".css", ".toml", ".csv")
    files = sorted(path for path in package.rglob("*") if path.suffix in kinds)
    libraries = [f"{name} {version(name)}" for name in ("matplotlib", "jinja2", "pandas", "numpy", "scipy")]
    return hashlib.sha256(b"\0".join([*(path.read_bytes() for path in files), *map(str.encode, libraries)])).hexdigest()
