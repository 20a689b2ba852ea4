"""Reading a verdict that is JSON: an object with a member per dimension, or a list with an object per dimension."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sparkle_bench.errors import VerdictError
from sparkle_bench.rubric.mark import read_mark
from sparkle_bench.rubric.scale import Dimension, Rubric, Scores

MOST_OBJECTS = 200
_VALUES = ("score", "mark", "rating", "value")
_NAMES = ("dimension", "name", "label", "criterion", "category", "metric")
_HOLDERS = ("scores", "marks", "ratings")


def find(said: str, rubric: Rubric) -> tuple[int, list[dict[str, Any]]] | None:
    """Return where the last JSON verdict of a text ends, and its sets of values by dimension key (usually one).

    None if there is no JSON that names every dimension.
    """
    found = [(end, rows) for end, value in _json_values(said) for rows in [_verdicts(value, rubric)] if rows]
    return found[-1] if found else None


def read(last: list[dict[str, Any]], rubric: Rubric) -> Scores:
    """Return the marks of a JSON verdict.

    Raises:
        VerdictError: A mark is no whole number on the scale, or two parts of the verdict disagree.
    """
    different = {tuple(str(row[key]) for key in rubric.keys) for row in last}
    if len(different) > 1:
        raise VerdictError(
            f"{rubric.dimensions[0].label}: the JSON gives two sets of values, and it is not clear which"
        )
    return Scores(marks={d.key: _mark(last[0][d.key], d, rubric) for d in rubric.dimensions})


def inner(said: str, start: int) -> str | None:
    """Return the mark of an object such as `{"reason": "…", "score": 4}` that begins at `start`, or None."""
    try:
        value, _ = json.JSONDecoder().raw_decode(said, start)
    except (ValueError, RecursionError):
        return None
    mark = _member(value, _VALUES) if isinstance(value, dict) else None
    return None if mark is None else str(mark)


def _json_values(said: str) -> Iterator[tuple[int, Any]]:
    """Yield the outermost JSON objects and lists in a text, each with its end."""
    decoder = json.JSONDecoder()
    position = tries = 0
    while tries < MOST_OBJECTS:
        opening = re.compile(r"[{\[]").search(said, position)
        if opening is None:
            return
        tries += 1
        try:
            value, position = decoder.raw_decode(said, opening.start())
            yield position, value
        except (ValueError, RecursionError):
            position = opening.end()


def _verdicts(value: Any, rubric: Rubric) -> list[dict[str, Any]]:
    """Return every set of values for all dimensions in a JSON value; only those called scores, if some are."""
    found: list[tuple[bool, dict[str, Any]]] = []
    todo: list[tuple[Any, bool]] = [(value, False)]
    while todo:
        item, called = todo.pop()
        row = _row(item, rubric)
        if row is not None:
            found.append((called, row))
        elif isinstance(item, dict):
            todo += [(inner, str(name).lower() in _HOLDERS) for name, inner in item.items()]
        elif isinstance(item, list):
            todo += [(inner, called) for inner in item]
    named = [row for called, row in found if called]
    return named or [row for _, row in found]


def _row(item: Any, rubric: Rubric) -> dict[str, Any] | None:
    """Return one value per dimension, if an object or a list of objects has all of them."""
    if isinstance(item, dict):
        pairs = [(str(name), value) for name, value in item.items()]
    elif isinstance(item, list):
        pairs = [(_member(entry, _NAMES), entry) for entry in item if isinstance(entry, dict)]
    else:
        return None
    row: dict[str, Any] = {}
    for name, value in pairs:
        for dimension in rubric.dimensions:
            if _plain(str(name)) in _plain_names(dimension):
                row[dimension.key] = value
    return row if len(row) == len(rubric.dimensions) else None


def _plain_names(dimension: Dimension) -> set[str]:
    return {_plain(name) for name in (dimension.key, dimension.label, *dimension.aliases)}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _member(entry: dict[Any, Any], names: tuple[str, ...]) -> Any:
    return next((entry[name] for name in entry if str(name).lower() in names), None)


def _mark(value: Any, dimension: Dimension, rubric: Rubric) -> int:
    if isinstance(value, dict):
        value = _member(value, _VALUES)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise VerdictError(f"no mark for {dimension.label}")
    return read_mark(str(value).strip(), dimension.label, rubric)
