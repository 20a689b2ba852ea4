"""Turning a name into an object: built-in tables, `module:Class` and Python entry points take one road.

A table is a plain dict `{"name": "package.module:Class"}`. Outsiders pass `module:Class` or register an entry point in the
table's group. Options are the constructor's keywords; one it does not have is refused with the list of those it has.
"""

from __future__ import annotations

import contextlib
import inspect
import typing
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import EditorError, SparkleError, one_line


def find(name: str, table: Mapping[str, str], *, group: str, what: str) -> type[Any]:
    """Return the class called `name`: built in, installed as an entry point of `group`, or `module:Class`.

    Raises:
        EditorError: There is none; the message offers near misses and the list.
    """
    address = table.get(name, name)
    if ":" not in address:
        plugins = {point.name: point.value for point in points(group)}
        if name not in plugins:
            names = [*table, *plugins]
            raise EditorError(f"no {what} called {name!r}; {suggestion(name, names)}; or pass module:Class")
        address = plugins[name]
    module, _, attribute = address.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # other people's code: whatever its import raises
        raise EditorError(f"cannot load {address}: {type(error).__name__}: {one_line(error)}") from error
    if not inspect.isclass(found):
        raise EditorError(f"{address} is not a class")
    return found


def points(group: str) -> list[EntryPoint]:
    """Return what installed packages bring, each package on its own: one whose files are damaged hides no other."""
    found = []
    for package in distributions():
        with contextlib.suppress(Exception):  # whatever reading somebody's metadata raises
            found += [point for point in package.entry_points if point.group == group]
    return sorted(set(found), key=lambda point: (point.name, point.value))


def build(cls: type[Any], options: Mapping[str, Any], **given: object) -> Any:
    """Construct `cls` with options, converted from text to the types its constructor names.

    Args:
        cls: The class.
        options: What a user chose; values that are no text are passed on as they are.
        given: Keywords that are no options, passed on as well.

    Raises:
        EditorError: An option is unknown, missing or not of its type.
    """
    known = {name: p for name, p in accepted_options(cls).items() if name not in given}
    for name in options:
        if name in given or (name not in known and not _takes_any(cls)):
            raise EditorError(f"{cls.__name__} has no option {name!r}; known: {', '.join(known) or 'none'}")
    missing = [n for n, p in known.items() if p.default is inspect.Parameter.empty and n not in options]
    if missing:
        raise EditorError(f"{cls.__name__} needs --option {missing[0]}=…")
    hints = typing.get_type_hints(cls.__init__)
    values = {
        name: _convert(name, value, hints.get(name, str)) if isinstance(value, str) else value
        for name, value in options.items()
    }
    try:
        return cls(**values, **given)
    except SparkleError:
        raise
    except Exception as error:  # other people's code: whatever its constructor raises
        raise EditorError(f"{cls.__name__} cannot be built: {type(error).__name__}: {one_line(error)}") from error


def accepted_options(cls: type[Any]) -> dict[str, inspect.Parameter]:
    """Return the constructor's keywords by name."""
    if cls.__init__ is object.__init__:
        return {}
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def _takes_any(cls: type[Any]) -> bool:
    """Whether the constructor takes keywords beyond those it names, and checks them itself."""
    if cls.__init__ is object.__init__:
        return False
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls.__init__).parameters.values())


def _convert(name: str, text: str, kind: Any) -> Any:
    truths = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if kind is bool:
        if text.lower() not in truths:
            raise EditorError(f"option {name}={text!r} is neither true nor false")
        return truths[text.lower()]
    for plain in (int, float, Path):
        if kind is plain or plain in typing.get_args(kind):
            try:
                return plain(text)
            except ValueError as error:
                raise EditorError(f"option {name}={text!r} is not a {plain.__name__}") from error
    return text
