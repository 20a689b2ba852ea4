"""How a derived file that is kept differs from the same file made again. Pure.

Bytes decide whether two files differ; what is said of it is for people. Of a table or a board: which row, which column, what
is there and what the evidence gives; of any other file: the first line. Line ends of another system are named as such, for
all else is then the same.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sparkle_bench.errors import printable
from sparkle_bench.verification.belonging import MOST_OF_A_FILE

ROWS: Mapping[str, tuple[str, ...]] = {
    "leaderboard.csv": ("model",),
    "scores.csv": ("sample_id", "repeat"),
    "flags.csv": ("sample_id", "repeat", "name"),
}
"""By name of a table, the columns by which its rows are told apart."""
MOST_MORE = 1_000_000
"""A file of twice the bytes and so many more is not read into: a table of commas alone would fill the memory."""


def differences(name: str, there: bytes, rebuilt: bytes) -> list[str]:
    """Return how a file differs from the one made again, the first few of it; nothing if it does not.

    Args:
        name: The file's name; it says how to read it.
        there: What is kept.
        rebuilt: What the evidence gives.
    """
    if there == rebuilt:
        return []
    if len(there) > 2 * len(rebuilt) + MOST_MORE:
        return [f"has {len(there)} bytes, rebuilt {len(rebuilt)}"]
    if there.replace(b"\r\n", b"\n") == rebuilt:
        return ["has line ends of Windows; put `* -text` into .gitattributes and check it out again"]
    try:
        found = list(_by_content(name, there.decode(), rebuilt.decode()))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        found = [f"cannot be read as what it should be ({printable(error, limit=100)})"]
    found = found or [_first_line(there, rebuilt)]
    rest = len(found) - MOST_OF_A_FILE
    return found[:MOST_OF_A_FILE] + ([f"{rest} more differences"] if rest > 0 else [])


def _by_content(name: str, there: str, rebuilt: str) -> Iterator[str]:
    if name in ROWS:
        yield from _of_rows(_table(there, ROWS[name]), _table(rebuilt, ROWS[name]))
    elif name == "leaderboard.json":
        yield from _of_rows(_document(there), _document(rebuilt))


def _of_rows(there: Mapping[str, Mapping[str, str]], rebuilt: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for row in rebuilt:
        if row not in there:
            yield f"lacks the row of {printable(row, limit=100)}"
    for row in there:
        if row not in rebuilt:
            yield f"has a row of {printable(row, limit=100)}, which the evidence does not give"
    for row, cells in rebuilt.items():
        found = there.get(row, cells)
        for column in dict.fromkeys([*cells, *found]):
            if found.get(column) != cells.get(column):
                place = (
                    f"{printable(row, limit=100)}: {printable(column, limit=100)}"
                    if row
                    else printable(column, limit=100)
                )
                yield f"{place} is {_cell(found.get(column))}, rebuilt {_cell(cells.get(column))}"
    if [*there] != [*rebuilt] and {*there} == {*rebuilt}:
        yield "its rows stand in another order"


def _cell(value: str | None) -> str:
    return "missing" if value is None else printable(value, limit=60) or "empty"


def _table(text: str, by: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return a table's rows by those of their cells that tell them apart; a row that is there twice is a row of its own."""
    table: dict[str, dict[str, str]] = {}
    met: Counter[str] = Counter()
    for row in csv.DictReader(io.StringIO(text, newline=""), restkey="a column too many", strict=True):
        cells = {column: str(value) for column, value in row.items() if value is not None}
        name = " ".join(cells[column] for column in by)
        met[name] += 1
        table[name if met[name] == 1 else f"{name} ({met[name]} times)"] = cells
    return table


def _document(text: str) -> dict[str, dict[str, str]]:
    """Return all values of a board's JSON by their paths: those of a row by its model, those of the head under ''."""
    data: dict[str, Any] = json.loads(text)
    rows: list[Any] = data.pop("rows")
    return {"": flat(data), **{str(row["model"]): flat(row) for row in rows}}


def flat(data: Any) -> dict[str, str]:
    """Return every value of JSON data that holds no other, as JSON, by its path, such as `rows.0.model`."""
    flat: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [("", data)]
    while waiting:
        path, value = waiting.pop()
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        inside = [(f"{path}.{name}".removeprefix("."), item) for name, item in pairs]
        waiting += reversed(inside)
        if not inside:
            flat[path] = json.dumps(value, ensure_ascii=False)
    return flat


def _first_line(there: bytes, rebuilt: bytes) -> str:
    """Name the first line that differs."""
    ours, theirs = rebuilt.decode("utf-8", "replace").split("\n"), there.decode("utf-8", "replace").split("\n")
    for number, (found, wanted) in enumerate(zip(theirs, ours, strict=False), 1):
        if found != wanted:
            start = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), 0)
            at = max(0, start - 20)
            return f"line {number} is {_part(found, at)}, rebuilt {_part(wanted, at)}"
    return f"has {len(theirs)} lines, rebuilt {len(ours)}"


def _part(line: str, at: int) -> str:
    """Return the part of a line that differs, with a little before it."""
    return f"“{'…' * (at > 0)}{printable(line[at : at + 60], limit=60)}{'…' * (len(line) > at + 60)}”"
