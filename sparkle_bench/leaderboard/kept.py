"""Entries remembered from run to run, so that a result whose files are untouched is not read again.

What is remembered is what reading gave: marks, flags, what edits took. Means and everything above them are computed anew. A
memory counts only if every file that it was made from, and every file that was made of it, is untouched by size, times,
device and inode, and the code is the same. It may be lost or damaged: then the result is read.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench import disk
from sparkle_bench.audit import Audit, Flag
from sparkle_bench.errors import SparkleError
from sparkle_bench.leaderboard.entry import Entry, Header, entry_of, read_entry, read_header
from sparkle_bench.prompts import companion
from sparkle_bench.records import Sample
from sparkle_bench.rubric import Rubric
from sparkle_bench.scoring import Efforts, Marks, counting
from sparkle_bench.signals.request import FILE
from sparkle_bench.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading many results has in common.

    Attributes:
        results: Where they lie.
        code: A hash of the code that makes entries.
        hashes: What is remembered of the hashes of files.
        samples: Samples of remembered results, by the hash of their file: those of one benchmark are held once.
    """

    results: Store
    code: str
    hashes: disk.Hashes
    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An entry, and what it takes to remember it.

    Attributes:
        entry: The entry; without texts and details if it comes from memory.
        made_from: The stamps of all that it was made from, as they were before it was read.
        begun: When reading began, in nanoseconds.
    """

    entry: Entry
    made_from: Mapping[str, Any]
    begun: int


def read(reading: Reading, model: str, key: str) -> Read:
    """Return an entry, from memory if nothing of it has changed.

    Raises:
        StoreError: There is no such result, or it is damaged.
    """
    begun, made_from = time.time_ns(), _made_from(reading, model, key)
    memory = reading.results.kept_entry(model, key).read()
    if memory is not None:
        try:
            if memory["made_from"] == made_from and _untouched(reading.results, memory["made"]):
                header = read_header(reading.results, model, key, hash_of=reading.hashes.of)
                return Read(entry=_entry(reading, header, memory), made_from=made_from, begun=begun)
        except (SparkleError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
            pass  # whatever is wrong is found, and named, by reading
    return Read(
        entry=read_entry(reading.results, model, key, hash_of=reading.hashes.of), made_from=made_from, begun=begun
    )


def remember(reading: Reading, found: Read, key: str, made: Sequence[Path]) -> None:
    """Remember an entry that was read from its files.

    As in git's index, what was touched shortly before it was read is not remembered: it may have changed again without its
    times telling.

    Args:
        reading: With which it was read.
        found: What was read.
        key: Of its judge.
        made: The files that were made of it, as they lie on disk now.
    """
    entry, marks = found.entry, found.entry.marks
    stamps = [stamp for stamp in found.made_from["stamps"] if stamp]
    settled = max((max(stamp[1], stamp[2]) for stamp in stamps), default=0) + disk.SETTLED_NS <= found.begun
    if entry.texts is None or not settled or _made_from(reading, entry.model, key) != found.made_from:
        return
    root = reading.results.root
    reading.results.kept_entry(entry.model, key).write(
        {
            "made_from": found.made_from,
            "made": [[path.relative_to(root).as_posix(), disk.stamp(path)] for path in made],
            "samples": reading.hashes.of(reading.results.model_dir(entry.model) / "samples.jsonl"),
            "status": _packed(marks.status),
            "attempted": _packed(marks.attempted),
            "fresh": _packed(marks.fresh),
            "raw": _packed(marks.raw),
            "errors": [[*place, error] for place, error in marks.errors.items()],
            "audit": asdict(entry.audit) if entry.audit else None,
            "efforts": asdict(entry.efforts),
        }
    )


def _made_from(reading: Reading, model: str, key: str) -> dict[str, Any]:
    """Return what changes with anything that an entry is made from."""
    results = reading.results
    run = results.read_run(model) or {}
    name = run["benchmark"].get("name") if isinstance(run.get("benchmark"), Mapping) else None
    rules = companion(name, FILE, results.root) if isinstance(name, str) else None
    paths = [*results.inputs(model, key), *([rules] if rules else [])]
    return {"code": reading.code, "stamps": [disk.stamp(path) for path in paths]}


def _untouched(results: Store, made: Sequence[tuple[str, Any]]) -> bool:
    return bool(made) and all(disk.stamp(results.root / name) == stamp is not None for name, stamp in made)


def _entry(reading: Reading, header: Header, memory: Mapping[str, Any]) -> Entry:
    return entry_of(
        header,
        marks=_marks(_samples(reading, header.model, str(memory["samples"])), header.rubric, memory),
        audit=_audit(memory["audit"]),
        efforts=Efforts(**memory["efforts"]),
        texts=None,
        details=None,
    )


def _samples(reading: Reading, model: str, digest: str) -> tuple[Sample, ...]:
    if digest not in reading.samples:
        reading.samples[digest] = tuple(reading.results.samples(model))
    return reading.samples[digest]


def _marks(samples: tuple[Sample, ...], rubric: Rubric, memory: Mapping[str, Any]) -> Marks:
    shape = (len(samples), -1)
    status = _unpacked(memory["status"], np.int8).reshape(shape)
    attempted = _unpacked(memory["attempted"], np.bool_)
    raw = _unpacked(memory["raw"], np.int16).reshape((*status.shape, len(rubric.keys)))
    return Marks(
        samples=samples,
        rubric=rubric,
        status=status,
        attempted=attempted,
        raw=raw,
        counts=counting(raw, status, attempted, rubric),
        fresh=_unpacked(memory["fresh"], np.bool_).reshape(shape),
        errors={(s, r): error for s, r, error in memory["errors"]},
    )


def _audit(data: Mapping[str, Any] | None) -> Audit | None:
    return None if data is None else Audit(**{**data, "flags": tuple(Flag(**flag) for flag in data["flags"])})


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def _unpacked(text: str, kind: Any) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), np.dtype(kind).newbyteorder("<"))
