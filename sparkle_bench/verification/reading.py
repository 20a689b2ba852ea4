"""Reading what a stranger handed in: plain files alone, bounded, one record a line, and every damage named.

The store's own reading stops at the first damaged line, as a run must. Here every other line still counts. Links, pipes
and devices are never opened; a field of the wrong kind is damage, so that no later step meets one.
"""

from __future__ import annotations

import functools
import json
import os
import re
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import sparkle_bench
from sparkle_bench.errors import SparkleError, one_line
from sparkle_bench.records import (
    Edit,
    Judgment,
    Measurement,
    Probe,
    Sample,
    edit_from_json,
    judgment_from_json,
    measurement_from_json,
    sample_from_json,
)
from sparkle_bench.rubric import Scores
from sparkle_bench.store import Store
from sparkle_bench.verification.findings import Findings

R = TypeVar("R")
LARGEST_RECORDS = 50_000_000
"""Bytes of a file of records; larger ones are not read."""
MOST_DAMAGED = 200
"""After so many damaged lines the rest of a file is not read: it is rubbish, and would cost minutes."""
LARGEST_DOCUMENT = 4 << 20
"""Bytes of a JSON document."""
MOST_FILES = 200_000
DEEPEST = 12
"""Folders inside one another, under the result's own."""
BIGGEST = 1e15
"""No number in a record is larger."""
LOCKS = ".locks"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What lies in a folder, found without following a link.

    Attributes:
        folder: The folder.
        plain: Its plain files, as paths inside it with forward slashes.
        others: Links, pipes, devices and folders that cannot be read.
    """

    folder: Path
    plain: frozenset[str]
    others: tuple[str, ...]


def files_in(folder: Path) -> Files:
    """Return what lies in a folder, up to `MOST_FILES` of each sort."""
    plain: set[str] = set()
    others: list[str] = []
    todo = [("", 0)]
    while todo and len(plain) < MOST_FILES and len(others) < MOST_FILES:
        inside, depth = todo.pop()
        try:
            with os.scandir(folder / inside) as entries:
                for entry in entries:
                    name = f"{inside}/{entry.name}" if inside else entry.name
                    if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                        todo += [(name, depth + 1)] * (entry.name != LOCKS)
                    elif entry.is_file(follow_symlinks=False):
                        plain.add(name)
                    else:
                        others.append(name)
        except OSError:
            others.append(inside or ".")
    return Files(folder=folder, plain=frozenset(plain), others=tuple(sorted(others)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Generic[R]):
    """A record and the number of its line."""

    number: int
    record: R


def content(files: Files, name: str, findings: Findings, *, largest: int = LARGEST_RECORDS) -> bytes | None:
    """Return a file's bytes; None if it is not there, or not one to be read, which is then put down."""
    if name not in files.plain:
        if any(name == other or name.startswith(f"{other}/") for other in files.others):
            findings.damage(name, "is a link or no plain file, and is not read; hand in the file itself")
        return None
    path = files.folder / name
    try:
        size = path.stat().st_size
        if size <= largest:
            return path.read_bytes()
        findings.damage(name, f"has {size} bytes; at most {largest} are read")
    except OSError as error:
        findings.damage(name, f"cannot be read: {error.strerror}")
    return None


def document(files: Files, name: str, findings: Findings) -> dict[str, Any] | None:
    """Return a JSON object; None if there is none that can be read, which is then put down."""
    data = content(files, name, findings, largest=LARGEST_DOCUMENT)
    if data is None:
        return None
    try:
        found = _loads(data)
    except (ValueError, RecursionError) as error:
        findings.damage(name, f"is damaged ({one_line(error, limit=120)})")
        return None
    if not isinstance(found, dict):
        findings.damage(name, "holds no JSON object")
        return None
    return found


def lines(files: Files, name: str, make: Callable[[Mapping[str, Any]], R], findings: Findings) -> list[Line[R]]:
    """Return every record of a file that can be read; damaged lines are put down."""
    data = content(files, name, findings)
    if data is None:
        return []
    found: list[Line[R]] = []
    damaged = 0
    *whole, rest = data.split(b"\n")
    if rest:
        findings.damage(name, "the last line is cut off and does not count", line=len(whole) + 1)
    known = _hints(_hints(make)["return"])
    for number, text in enumerate(whole, 1):
        try:
            fields = _loads(text)
            if (unknown := _unknown(fields, known)) is not None:
                findings.damage(name, unknown, line=number)
                continue
            record = make(fields)
            wrong = misfit(record)
        except (ValueError, TypeError, AttributeError, RecursionError, SparkleError) as error:
            findings.damage(name, f"is damaged ({one_line(error, limit=160)})", line=number)
            damaged += 1
            if damaged >= MOST_DAMAGED:
                findings.damage(name, f"{damaged} lines are damaged, and the rest is not read", line=number)
                break
            continue
        if wrong:
            findings.damage(name, f"is damaged (its field {wrong!r} is of the wrong kind)", line=number)
        else:
            found.append(Line(number=number, record=record))
    return found


def _unknown(fields: object, known: Mapping[str, Any]) -> str | None:
    """Say of a record that it has a field of another version, or None."""
    name = next((name for name in fields if name not in known), None) if isinstance(fields, dict) else None
    if name is None:
        return None
    return f"has the unknown field {one_line(name, limit=60)!r}; another version of sparkle-bench wrote it"


def _loads(text: bytes) -> Any:
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object none of whose fields stands twice: readers differ in which of the two they show."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a field stands twice")
    return data


def misfit(record: object) -> str | None:
    """Return the name of a record's first field that is not of the kind it should be, or None.

    Half a surrogate pair is no text, but in a reply: a judge may have ended there, and it is kept verbatim.
    """
    for name, hint in _hints(cast(Hashable, type(record))).items():
        value = getattr(record, name)
        if not (_fits(value, hint) or (name == "reply" and isinstance(value, str))):
            return name
    return None


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: object, hint: Any) -> bool:
    """Whether a value from JSON is of the kind that a field's annotation names."""
    kinds = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return types.NoneType in kinds
        return any(_fits(value, kind) for kind in kinds)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, kinds[0]) for item in value)
    if origin is not None:
        return isinstance(value, Mapping) and all(isinstance(k, str) and _fits(v, kinds[1]) for k, v in value.items())
    if hint in (int, float):
        return type(value) in (int, hint) and -BIGGEST < value < BIGGEST  # type: ignore[operator]
    if hint in (Probe, Scores):
        return isinstance(value, hint) and misfit(value) is None
    if hint is str:
        return isinstance(value, str) and not _SURROGATE.search(value)
    return _bounded(value) if hint is Any else isinstance(value, hint)


def _bounded(value: object) -> bool:
    """Whether a value from JSON holds no number beyond all reason."""
    if isinstance(value, Mapping):
        return all(map(_bounded, value.values()))
    if isinstance(value, list):
        return all(map(_bounded, value))
    return not isinstance(value, (int, float)) or -BIGGEST < value < BIGGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that is on disk of one model, read with care.

    Attributes:
        store: Where it lies.
        prompts: The root of the prompts and rules that it is held against; those under its own may be a stranger's.
        model: Its name.
        files: What lies in its folder.
        run: Its `run.json`, or None.
        samples: By id.
        edits: Every Edit ever recorded, by sample id, oldest first.
        measurements: In the order of the file.
    """

    store: Store
    prompts: Path
    model: str
    files: Files
    run: Mapping[str, Any] | None
    samples: Mapping[str, Sample]
    edits: Mapping[str, list[Line[Edit]]]
    measurements: tuple[Line[Measurement], ...]

    @property
    def newest(self) -> dict[str, Edit]:
        """The newest Edit of each sample."""
        return {sample_id: lines[-1].record for sample_id, lines in self.edits.items()}

    @property
    def measured(self) -> dict[tuple[str, str], Measurement]:
        """The newest Measurement of each sample and exact file."""
        return {(line.record.sample_id, line.record.edit_sha256): line.record for line in self.measurements}


def read_result(store: Store, model: str, findings: Findings, *, prompts: Path | None = None) -> Result:
    """Read a result's documents and records, whatever state they are in.

    Args:
        store: Where it lies.
        model: Its name.
        findings: Where damage goes.
        prompts: The root of the prompts and rules that it is held against; None for those that ship with the package.

    Raises:
        StoreError: The name cannot be a folder's.
    """
    files = files_in(store.model_dir(model))
    samples: dict[str, Sample] = {}
    for line in lines(files, "samples.jsonl", sample_from_json, findings):
        if line.record.id in samples:
            findings.differ(f"samples.jsonl:{line.number} {line.record.id}", "stands a second time")
        samples.setdefault(line.record.id, line.record)
    edits: dict[str, list[Line[Edit]]] = {}
    for edit in lines(files, "edits.jsonl", edit_from_json, findings):
        edits.setdefault(edit.record.sample_id, []).append(edit)
    return Result(
        store=store,
        prompts=Path(sparkle_bench.__file__).parent if prompts is None else prompts,
        model=model,
        files=files,
        run=document(files, "run.json", findings),
        samples=samples,
        edits=edits,
        measurements=tuple(lines(files, "signals.jsonl", measurement_from_json, findings)),
    )


def read_judgments(files: Files, judge_key: str, findings: Findings) -> list[Line[Judgment]]:
    """Return every judgment of one judge that can be read, in the order in which they were made."""
    return lines(files, f"judged/{judge_key}/judgments.jsonl", judgment_from_json, findings)


def that_count(judgments: list[Line[Judgment]]) -> dict[tuple[str, str, int], Judgment]:
    """Return the newest judgment of each sample, exact file and repeat; no failure displaces a verdict, as in the store."""
    newest: dict[tuple[str, str, int], Judgment] = {}
    for judgment in (line.record for line in judgments):
        if judgment.ok or not (judgment.key in newest and newest[judgment.key].ok):
            newest[judgment.key] = judgment
    return newest
