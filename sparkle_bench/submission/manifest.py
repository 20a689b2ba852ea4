"""Manifests: a CSV, JSONL or JSON file that names the video of each sample.

CSV and JSONL hold `id` and `path` in every row; JSON, as `sparkle-bench pack` writes it, holds such rows under `videos`, with
what each file was, and the benchmark's hash. Paths are relative to the manifest.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench.benchmark import is_inside
from sparkle_bench.errors import SubmissionError, listed, one_line

MANIFESTS = ("manifest.json", "manifest.csv", "manifest.jsonl")
SUFFIXES = (".csv", ".jsonl", ".json")
FORMAT = 1
MOST_BYTES = 16 << 20
MOST_ROWS = 50_000
LONGEST_PART, LONGEST_PATH = 255, 4000
"""Bytes of a name and of a whole path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a manifest says of a file.

    Attributes:
        sha256: Its hash, hexadecimal, or None.
        bytes: Its size, or None.
    """

    sha256: str | None = None
    bytes: int | None = None

    def is_kept(self, size: int, sha256: str | None) -> bool:
        """Whether a file of this size and hash is the one that was promised; an unknown hash breaks no promise."""
        return self.bytes in (None, size) and (sha256 is None or self.sha256 in (None, sha256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a manifest.

    Attributes:
        id: The sample's id.
        path: Of its video, relative to the manifest.
        promise: What the file was when the manifest was written, or None.
    """

    id: str
    path: str
    promise: Promise | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says.

    Attributes:
        rows: In the file's order.
        benchmark: The hash of the benchmark that it was written for, or None.
    """

    rows: tuple[Row, ...]
    benchmark: str | None = None


def read(path: Path, *, inside: bool = False) -> Manifest:
    """Read a manifest.

    Args:
        path: The file; its ending tells its form.
        inside: Whether its paths must stay in its folder.

    Raises:
        SubmissionError: It cannot be read, lacks a field, names an id twice, or names a file outside.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SubmissionError(
            f"{path} is no folder, archive (.zip, .tar, .tar.gz) or manifest (.csv, .jsonl or .json with id and path)"
        )
    benchmark, data = _content(path)
    rows: dict[str, Row] = {}
    for number, item in enumerate(data, 1):
        row = _row(path, number, item)
        if row.id in rows:
            raise SubmissionError(f"the manifest {path} names {listed([row.id])} more than once")
        if inside and not is_inside(row.path):
            raise SubmissionError(f"the manifest {path} names a file outside its folder: {listed([row.path])}")
        rows[row.id] = row
        if number > MOST_ROWS:
            raise SubmissionError(f"the manifest {path} has more than {MOST_ROWS} rows")
    return Manifest(rows=tuple(rows.values()), benchmark=benchmark)


def _content(path: Path) -> tuple[str | None, Iterator[Any]]:
    """Return the benchmark's hash, if any, and the rows as they stand."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SubmissionError(f"the manifest {path} has more than {MOST_BYTES >> 20} MB")
        with path.open(encoding="utf-8-sig", newline="" if path.suffix.lower() == ".csv" else None) as file:
            if path.suffix.lower() == ".csv":
                return None, iter(list(csv.DictReader(file)))
            if path.suffix.lower() == ".jsonl":
                return None, iter([json.loads(line) for line in file if line.strip()])
            return _document(path, json.load(file))
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise SubmissionError(f"the manifest {path} cannot be read: {one_line(error)}") from error


def _document(path: Path, data: Any) -> tuple[str | None, Iterator[Any]]:
    if not isinstance(data, dict) or not isinstance(data.get("videos"), list):
        raise SubmissionError(f'the manifest {path} holds no list under "videos"; `sparkle-bench pack` writes one')
    if data.get("format") != FORMAT:
        raise SubmissionError(
            f"the manifest {path} has the format {data.get('format')!r} and this version reads {FORMAT}; pack again"
        )
    benchmark = data.get("benchmark")
    digest = benchmark.get("digest") if isinstance(benchmark, dict) else None
    return digest if isinstance(digest, str) else None, iter(data["videos"])


def _row(path: Path, number: int, item: Any) -> Row:
    row: Mapping[str, Any] = item if isinstance(item, dict) else {}
    sample_id, video = row.get("id"), row.get("path")
    if not (isinstance(sample_id, str) and sample_id and isinstance(video, str) and _can_be_a_path(video)):
        raise SubmissionError(f"the manifest {path} needs the fields id and path in every row; row {number} lacks one")
    sha256, size = row.get("sha256"), row.get("bytes")
    promise = Promise(
        sha256=sha256 if isinstance(sha256, str) else None,
        bytes=size if type(size) is int else None,
    )
    return Row(id=sample_id, path=video, promise=None if promise == Promise() else promise)


def _can_be_a_path(text: str) -> bool:
    """Whether a file system can be asked for it without an error."""
    try:
        parts = [len(part) for part in text.encode().split(b"/")]
    except UnicodeEncodeError:
        return False
    return bool(text) and "\0" not in text and max(parts) <= LONGEST_PART and sum(parts) < LONGEST_PATH
