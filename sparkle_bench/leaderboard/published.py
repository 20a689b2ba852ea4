"""Boards printed elsewhere: their figures as quoted, each with its source. They are never ranked with ours.

One CSV is one board: one benchmark, judge and scope. `published/` of the package comes first, then `leaderboards/published/`
under the root; a file there stands in place of a packaged one of the same name. A file is read strictly, for what is misread
would be put into somebody's mouth. Figures stay texts, with the digits that were printed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sparkle_bench.errors import StoreError, one_line, printable
from sparkle_bench.store import NAME
from sparkle_bench.submission.card_rules import RULES

FOLDER = "published"
OVERALL = "overall"
OF_THE_BOARD = ("benchmark", "scope", "scale", "judge")
OF_A_ROW = ("name", "parameters", "model", "akin", "differs", OVERALL, "source", "link", "date", "note")
NEEDED = ("name", OVERALL, "source", "date", *OF_THE_BOARD)
"""Columns in which no cell may be empty."""
MOST_BYTES, MOST_ROWS, MOST_CHARACTERS = 256 * 1024, 1000, 300
_DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DATE = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")
_SCALE = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")
_FIGURE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,4})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """One model's figures as printed elsewhere.

    Attributes:
        name: As printed.
        parameters: Its size as printed; empty if it is not.
        model: Our preset of the very model; None if there is none.
        akin: Our preset of another version or size of it; None if there is none.
        differs: How it differs from `akin`.
        figures: As printed: `overall`, then by dimension key what was printed of these.
        source: Where they are printed.
        link: Its address; None if that is not known.
        date: Of the source: year, month or day.
        note: Whatever else must be known to read them.
    """

    name: str
    parameters: str
    model: str | None
    akin: str | None
    differs: str
    figures: Mapping[str, str]
    source: str
    link: str | None
    date: str
    note: str

    @property
    def overall(self) -> float:
        """The headline number."""
        return float(self.figures[OVERALL])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A board printed elsewhere. How many samples, repeats and frames it stands on is not known.

    Attributes:
        name: Its file's name.
        benchmark: The benchmark's name.
        scope: Which part of it, and how averaged, in words.
        lowest: The lowest mark of its scale.
        highest: The highest.
        judge: The judge's model, or that it is not named.
        dimensions: Keys of those that were printed.
        rows: In the file's order.
    """

    name: str
    benchmark: str
    scope: str
    lowest: int
    highest: int
    judge: str
    dimensions: tuple[str, ...]
    rows: tuple[Quotation, ...]

    @property
    def best_first(self) -> tuple[Quotation, ...]:
        """The rows by their overall figure."""
        return tuple(sorted(self.rows, key=lambda row: (-row.overall, row.name)))

    @property
    def notes(self) -> tuple[str, ...]:
        """The rows' notes, each once."""
        return tuple(dict.fromkeys(row.note for row in self.rows if row.note))


def read_published(root: Path) -> tuple[Quoted, ...]:
    """Return all quoted boards by name: those that ship with the package, and those under `root`.

    Raises:
        StoreError: A file cannot be read as such a board.
    """
    files: dict[str, Path] = {}
    for folder in (packaged(), root / "leaderboards" / FOLDER):
        files |= {path.stem: path for path in sorted(folder.glob("*.csv"))}
    return tuple(read_board(files[name]) for name in sorted(files))


def packaged() -> Path:
    """Return the folder that ships with the package: in an installed wheel, or in a checkout."""
    package = Path(__file__).parent.parent
    candidates = (package / "_data" / FOLDER, package.parent / "leaderboards" / FOLDER)
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def read_board(path: Path) -> Quoted:
    """Read one quoted board.

    Raises:
        StoreError: It is no such board; the message names the file, the line and the column.
    """
    if not NAME.fullmatch(path.stem):
        raise StoreError(f"{_called(path)} cannot name a board; use letters, digits, dots, dashes and underscores")
    header, lines = _table(path)
    dimensions = tuple(column for column in header if column not in (*OF_A_ROW, *OF_THE_BOARD))
    _check_header(path, header, dimensions)
    if not 1 <= len(lines) <= MOST_ROWS:
        raise StoreError(f"{_called(path)} has {len(lines)} rows; 1 to {MOST_ROWS} are read")
    cells = [_cells(_Place(path, number), header, line) for number, line in lines]
    of_all = _of_all(path, [number for number, _ in lines], cells)
    lowest, highest = _scale(_Place(path, lines[0][0]), of_all["scale"])
    rows = [
        _quotation(_Place(path, number), row, (lowest, highest), dimensions)
        for (number, _), row in zip(lines, cells, strict=True)
    ]
    _check_unique(path, rows)
    return Quoted(
        name=path.stem,
        benchmark=of_all["benchmark"],
        scope=of_all["scope"],
        lowest=lowest,
        highest=highest,
        judge=of_all["judge"],
        dimensions=dimensions,
        rows=tuple(rows),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a file something is wrong."""

    path: Path
    line: int

    def refuse(self, column: str, value: str, expected: str) -> NoReturn:
        raise StoreError(f"{_called(self.path)} line {self.line}: {column} is {_shown(value)}; {expected}")


def _called(path: Path) -> str:
    return f"leaderboards/{FOLDER}/{printable(path.name, limit=100)}"


def _shown(value: str) -> str:
    return repr(printable(value, limit=60)) if value else "empty"


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and the rows with the numbers of their last lines."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise StoreError(f"{_called(path)} is larger than {MOST_BYTES // 1024} KiB; one file is one board")
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(reader, [])
        lines = [(reader.line_num, line) for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"{_called(path)} cannot be read as CSV: {one_line(error)}") from error
    return header, lines


def _check_header(path: Path, header: Sequence[str], dimensions: Sequence[str]) -> None:
    lacking = [column for column in (*OF_A_ROW, *OF_THE_BOARD) if column not in header]
    if lacking:
        raise StoreError(f"{_called(path)} lacks the column {lacking[0]}; leaderboards/{FOLDER}/README.md lists them")
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise StoreError(f"{_called(path)} has the column {_shown(twice[0])} twice; keep one")
    strange = [column for column in dimensions if not _DIMENSION.fullmatch(column)]
    if strange:
        raise StoreError(
            f"{_called(path)} has the column {_shown(strange[0])}; a dimension's key is of small letters, digits and _"
        )


def _cells(place: _Place, header: Sequence[str], line: Sequence[str]) -> dict[str, str]:
    if len(line) != len(header):
        raise StoreError(f"{_called(place.path)} line {place.line} has {len(line)} cells, the header {len(header)}")
    cells = dict(zip(header, (cell.strip() for cell in line), strict=True))
    for column, value in cells.items():
        if not value and column in NEEDED:
            place.refuse(column, value, "it must be known to quote a figure")
        if len(value) > MOST_CHARACTERS or not value.isprintable():
            place.refuse(column, value, f"a text of one line, at most {MOST_CHARACTERS} characters, is read")
    return cells


def _of_all(path: Path, numbers: Sequence[int], cells: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first = cells[0]
    for number, row in zip(numbers, cells, strict=True):
        for column in OF_THE_BOARD:
            if row[column] != first[column]:
                place = _Place(path, number)
                place.refuse(column, row[column], f"the rows above have {_shown(first[column])}; one file is one board")
    return {column: first[column] for column in OF_THE_BOARD}


def _scale(place: _Place, text: str) -> tuple[int, int]:
    found = _SCALE.fullmatch(text)
    if found is None or int(found[1]) >= int(found[2]):
        place.refuse("scale", text, "the lowest and the highest mark are asked for, such as 1-5")
    return int(found[1]), int(found[2])


def _quotation(place: _Place, row: Mapping[str, str], scale: tuple[int, int], dimensions: Sequence[str]) -> Quotation:
    for column in ("model", "akin"):
        if row[column] and not NAME.fullmatch(row[column]):
            place.refuse(column, row[column], "the name of a preset or a result is asked for")
    if row["model"] and row["akin"]:
        place.refuse("akin", row["akin"], "leave it empty where model says that it is the same")
    if bool(row["akin"]) != bool(row["differs"]):
        place.refuse("differs", row["differs"], "akin and differs go together")
    if not _DATE.fullmatch(row["date"]):
        place.refuse("date", row["date"], "use YYYY, YYYY-MM or YYYY-MM-DD")
    if row["link"] and RULES["model"]["link"].kept(row["link"]) is None:
        place.refuse("link", row["link"], "use an address, https://… or http://…, without a user")
    for column in (OVERALL, *dimensions):
        _check_figure(place, column, row[column], scale)
    return Quotation(
        name=row["name"],
        parameters=row["parameters"],
        model=row["model"] or None,
        akin=row["akin"] or None,
        differs=row["differs"],
        figures={column: row[column] for column in (OVERALL, *dimensions) if row[column]},
        source=row["source"],
        link=row["link"] or None,
        date=row["date"],
        note=row["note"],
    )


def _check_figure(place: _Place, column: str, text: str, scale: tuple[int, int]) -> None:
    if text and not (_FIGURE.fullmatch(text) and scale[0] <= float(text) <= scale[1]):
        place.refuse(column, text, f"a number from {scale[0]} to {scale[1]} is asked for, as printed")


def _check_unique(path: Path, rows: Sequence[Quotation]) -> None:
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (row.name, row.parameters) in seen:
            raise StoreError(f"{_called(path)} has {_shown(row.name)} twice; keep one row of a model")
        seen.add((row.name, row.parameters))
    models = [row.model for row in rows if row.model]
    twice = [model for model in models if models.count(model) > 1]
    if twice:
        raise StoreError(f"{_called(path)} says of two rows that they are the model {_shown(twice[0])}; one can be")
