"""Which verdicts were asked for under this root, by whoever keeps it, and which came in with a result.

`results/judged_here.jsonl` holds a line for each result and judge key, with the size and the hash of `judgments.jsonl` as a
run left it. The verdicts were judged here as long as the file is still that one; all else is self-reported: results copied
in, imported scores, stored replies that were read again. The file is of worth only where nobody but the keeper writes it.

A run that is killed leaves lines without a note. So the hash of every line that is asked for is put down beforehand, under
`results/.cache`, which no result that is copied in brings along: the next run notes a file that is what was noted before
and, after that, nothing but such lines. Without that memory the lines of a killed run are self-reported.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench import disk
from sparkle_bench.errors import StoreError
from sparkle_bench.store import Store

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """That all lines of a `judgments.jsonl` were asked for here.

    Attributes:
        model: The result's name.
        judge_key: Whose verdicts.
        size: Of the file, in bytes.
        sha256: Of the file.
    """

    model: str
    judge_key: str
    size: int
    sha256: str


def judged_here(
    results: Store, model: str, judge_key: str, *, hash_of: Callable[[Path], str] = disk.file_sha256
) -> bool:
    """Whether all verdicts of one judge on a result were asked for under this root. Nothing is written.

    Args:
        results: The results.
        model: The result's name.
        judge_key: Whose verdicts.
        hash_of: Returns a file's sha256; `disk.Hashes.of` reads no unchanged file again.

    Raises:
        StoreError: A line of `judged_here.jsonl` is damaged.
    """
    noted = notes(results).get((model, judge_key))
    if noted is None:
        return False
    path = results.judgments_path(model, judge_key)
    try:
        return path.stat().st_size == noted.size and hash_of(path) == noted.sha256
    except OSError:
        return False


def notes(results: Store) -> dict[tuple[str, str], Note]:
    """Return the newest note of each result and judge key.

    Raises:
        StoreError: A line is damaged.
    """
    return {(note.model, note.judge_key): note for note in disk.read_lines(results.judged_here_path(), _note_from_json)}


def note(results: Store, model: str, judge_key: str) -> bool:
    """Write down that a result was judged here, if every line of its verdicts was asked for under this root.

    Returns:
        Whether it was.

    Raises:
        StoreError: `judged_here.jsonl` is damaged or cannot be written.
    """
    path = results.judgments_path(model, judge_key)
    with results.noting():  # shards may end at once
        if not path.is_file():
            return False
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        known = notes(results)
        if not whole or not _all_asked(whole, known.get((model, judge_key)), _asked(results, model, judge_key)):
            return False
        sha256 = hashlib.sha256(whole).hexdigest()
        known[model, judge_key] = Note(model=model, judge_key=judge_key, size=len(whole), sha256=sha256)
        lines = [disk.json_line(_to_json(known[name])) for name in sorted(known)]
        disk.write(results.judged_here_path(), b"".join(lines))
        return True


def _all_asked(whole: bytes, earlier: Note | None, asked: set[str]) -> bool:
    """Whether a file is what was noted and after that only lines that were asked for here."""
    rest = whole
    if earlier is not None and hashlib.sha256(whole[: earlier.size]).hexdigest() == earlier.sha256:
        rest = whole[earlier.size :]
    return all(hashlib.sha256(line + b"\n").hexdigest() in asked for line in rest.split(b"\n")[:-1])


def _asked(results: Store, model: str, judge_key: str) -> set[str]:
    """Return the hashes of the lines that were asked for; what is damaged is forgotten."""
    found: set[str] = set()
    with contextlib.suppress(StoreError):
        found.update(disk.read_lines(results.asked_path(model, judge_key), lambda line: str(line["sha256"])))
    return found


def _to_json(noted: Note) -> dict[str, Any]:
    return {
        "model": noted.model,
        "judge_key": noted.judge_key,
        "bytes": noted.size,
        "judgments_sha256": noted.sha256,
    }


def _note_from_json(data: Mapping[str, Any]) -> Note:
    model, judge_key, size, sha256 = (data.get(n) for n in ("model", "judge_key", "bytes", "judgments_sha256"))
    if not (isinstance(model, str) and isinstance(judge_key, str) and type(size) is int and size > 0):
        raise ValueError("no note")
    if not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        raise ValueError("no hash")
    return Note(model=model, judge_key=judge_key, size=size, sha256=sha256)
