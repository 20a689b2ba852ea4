"""The file beside exported score files, `sparkle_bench.json`: all of a result that the authors' form has no room for.

It holds `run.json`, `judge.json`, the samples, and every newest record. A verdict that stands in a score file has its reply
there alone. A hash over each file ties the two together.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sparkle_bench import disk
from sparkle_bench.errors import SparkleError, StoreError, SubmissionError, listed, one_line
from sparkle_bench.exchange.authors import ScoreFile
from sparkle_bench.records import (
    BENCHMARK_FIELDS,
    JUDGE_FIELDS,
    RUN_FIELDS,
    Edit,
    Judgment,
    Measurement,
    Sample,
    edit_from_json,
    judgment_from_json,
    measurement_from_json,
    sample_from_json,
    to_json,
    unusable,
)
from sparkle_bench.submission import card

NAME = "sparkle_bench.json"
VERSION = 1
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What belongs to score files.

    Attributes:
        model: The result's name where it was made.
        judge_key: The judge key.
        files: By name of a score file, a hash over what it says.
        run: `run.json`.
        judge: `judge.json`.
        samples: Of the whole benchmark.
        edits: The newest of each sample.
        judgments: The newest of each sample, exact file and repeat, without the replies that stand in score files.
        measurements: The newest of each sample and exact file.
    """

    model: str
    judge_key: str
    files: Mapping[str, str]
    run: Mapping[str, Any]
    judge: Mapping[str, Any]
    samples: tuple[Sample, ...]
    edits: tuple[Edit, ...]
    judgments: tuple[Judgment, ...]
    measurements: tuple[Measurement, ...]


def in_files(edits: Sequence[Edit], judgments: Sequence[Judgment]) -> dict[str, Judgment]:
    """Return, by sample, the verdicts that have a line: marks of the first repeat on the file that is the edit now."""
    current = {edit.sample_id: edit.sha256 for edit in edits}
    return {j.sample_id: j for j in judgments if j.ok and j.repeat == 0 and current.get(j.sample_id) == j.edit_sha256}


def to_bytes(sidecar: Sidecar) -> bytes:
    """Return the file's content; it leaves out the replies that stand in score files."""
    lines = in_files(sidecar.edits, sidecar.judgments)
    shorter = [_without_reply(j) if lines.get(j.sample_id) is j else j for j in sidecar.judgments]
    sidecar = dataclasses.replace(sidecar, judgments=tuple(shorter))
    data = {
        "format": VERSION,
        **{name: getattr(sidecar, name) for name in _HEAD},
        **{name: [to_json(record) for record in getattr(sidecar, name)] for name in _RECORDS},
    }
    # A reply may hold half a surrogate pair, which only JSON's own escape can hold.
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _without_reply(judgment: Judgment) -> Judgment:
    blank = not (judgment.reply or "").strip()  # a line tells no such reply from none
    return judgment if blank else dataclasses.replace(judgment, reply=None)


_HEAD = ("model", "judge_key", "files", "run", "judge")
_RECORDS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "samples": sample_from_json,
    "edits": edit_from_json,
    "judgments": judgment_from_json,
    "measurements": measurement_from_json,
}


def read(path: Path) -> Sidecar | None:
    """Return what is in a sidecar, or None if there is no such file.

    Raises:
        StoreError: It is damaged, or of a later version of the format.
    """
    data = disk.read_json(path)
    if data is None:
        return None
    if data.get("format") != VERSION:
        raise StoreError(
            f"{path} has the format {data.get('format')!r} and this version reads {VERSION}; update, or export again"
        )
    try:
        if not (isinstance(data["files"], dict) and isinstance(data["judge_key"], str)):
            raise TypeError("files or judge_key is of the wrong kind")
        check_fields(data["run"], data["judge"])
        records: dict[str, Any] = {name: tuple(map(make, data[name])) for name, make in _RECORDS.items()}
        return Sidecar(**{name: data[name] for name in _HEAD}, **records)
    except (KeyError, TypeError, ValueError, AttributeError, SparkleError) as error:
        raise StoreError(f"{path} is damaged ({one_line(error)}); export again") from error


def check_fields(run: Mapping[str, Any], judge: Mapping[str, Any]) -> None:
    """Check that `run.json` and `judge.json` have what a board needs.

    Raises:
        StoreError: Naming the first field that is missing or of the wrong kind.
    """
    for document, data, kinds in (("run.json", run, RUN_FIELDS), ("judge.json", judge, JUDGE_FIELDS)):
        _check(document, data, kinds)
    _check("run.json's benchmark", run["benchmark"], BENCHMARK_FIELDS)
    if "declared" in run:
        try:
            card.from_data(run["declared"])
        except SubmissionError as error:
            raise StoreError(f"run.json declares what cannot be: {error}") from error


def _check(document: str, data: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    name = unusable(data, kinds)
    if name is not None:
        raise StoreError(f"{document} has no usable field {name!r}")


def read_beside(files: Sequence[ScoreFile]) -> Sidecar | None:
    """Return the sidecar of score files; None if they have none.

    Raises:
        StoreError: It is damaged, or the files are not, or not all, those that it was written with.
    """
    folders = sorted({file.path.parent for file in files})
    found = {folder: sidecar for folder in folders if (sidecar := read(folder / NAME)) is not None}
    if not found:
        return None
    folder, sidecar = next(iter(found.items()))
    if len(folders) > 1:
        raise StoreError(f"the files beside {folder / NAME} come back together; name that folder alone")
    given = {file.path.name: file.digest for file in files}
    missing = sorted(sidecar.files.keys() - given)
    if missing:
        raise StoreError(f"{folder / NAME} was written with {listed(missing)} too; name the folder, with all its files")
    for name, digest in given.items():
        if sidecar.files.get(name) != digest:
            raise StoreError(
                f"{folder / name} is not as it was exported; restore it, or take {NAME} away to import it as the authors' own"
            )
    return sidecar
