"""Turning a name into an object: built-in tables, `module:Class` and Python entry points take one road.

A table is a plain dict `{"name": "package.module:Class"}`. Outsiders pass `module:Class` or register an entry point in the
table's group. Options are the constructor's keywords; one it does not have is refused with the list of those it has.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import types
import typing
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import EditorError, SparkleError, one_line

_PLAIN = {"int": int, "float": float, "bool": bool, "Path": Path}
_OPTIONAL = re.compile(r"^(?:typing\.)?Optional\[(.*)\]$")


def find(name: str, table: Mapping[str, str], *, group: str, what: str) -> type[Any]:
    """Return the class called `name`: built in, installed as an entry point of `group`, or `module:Class`.

    Raises:
        EditorError: There is none; the message offers near misses and the list.
    """
    where = address(name, table, group=group, what=what)
    module, _, attribute = where.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # other people's code: whatever its import raises
        raise EditorError(f"cannot load {where}: {type(error).__name__}: {one_line(error)}") from error
    if not inspect.isclass(found):
        raise EditorError(f"{where} is not a class")
    return found


def address(name: str, table: Mapping[str, str], *, group: str, what: str) -> str:
    """Return where the class called `name` is, as `module:Class`; nothing is imported.

    Raises:
        EditorError: There is none; the message offers near misses and the list.
    """
    where = table.get(name, name)
    if ":" in where:
        return where
    plugins = {point.name: point.value for point in points(group)}
    if name not in plugins:
        names = [*table, *plugins]
        raise EditorError(f"no {what} called {name!r}; {suggestion(name, names)}; or pass module:Class")
    return plugins[name]


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
    kinds = _kinds(cls)
    values = {
        name: _convert(name, value, kinds.get(name, (str,))) if isinstance(value, str) else value
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


def _kinds(cls: type[Any]) -> dict[str, tuple[Any, ...]]:
    """Return the types that each of the constructor's keywords may have.

    A type that is only imported for type checkers cannot be looked up; plain types are then told by their names.
    """
    try:
        hints = typing.get_type_hints(cls.__init__)
    except Exception:  # other people's code: whatever their annotations raise
        hints = dict(getattr(cls.__init__, "__annotations__", {}))
    return {name: _alternatives(hint) for name, hint in hints.items()}


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type; of text, those that are plain."""
    if not isinstance(hint, str):
        return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    names = [part.strip(" '\"").rpartition(".")[2] for part in _OPTIONAL.sub(r"\1", hint.strip(" '\"")).split("|")]
    return tuple(_PLAIN.get(name, str) for name in names if name != "None")


def _convert(name: str, text: str, kinds: tuple[Any, ...]) -> Any:
    truths = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if bool in kinds and (text.lower() in truths or str not in kinds):
        if text.lower() not in truths:
            raise EditorError(f"option {name}={text!r} is neither true nor false")
        return truths[text.lower()]
    for plain in (int, float, Path):
        if plain in kinds:
            try:
                return plain(text)
            except ValueError as error:
                if str in kinds:
                    return text
                raise EditorError(f"option {name}={text!r} is not a {plain.__name__}") from error
    return text
