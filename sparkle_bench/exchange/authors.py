"""The authors' score files: `{theme}_{judge}_sparkle_score.jsonl`, their names and their lines, read with care.

A line holds `id, prompt, edit_type, subtheme, scene`, the capped marks as the list `scores` in the rubric's order, and the
judge's reply as `result`. The script drops a sample that has no video or no verdict; nothing in a file says which.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench.errors import StoreError, listed, one_line
from sparkle_bench.records import Sample

FORM = "{theme}_{judge}_sparkle_score.jsonl"
NAME = re.compile(r"(?P<theme>[^_]+)_(?P<judge>.+)_sparkle_score\.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a score file.

    Attributes:
        where: File and line number, for messages.
        sample_id: The sample.
        theme: As the line's `edit_type` has it, or None.
        instruction: As the line's `prompt` has it, or None.
        marks: Capped, in the rubric's order; whole numbers, not yet compared with a rubric.
        reply: The judge's words, or None where the line has none.
    """

    where: str
    sample_id: str
    theme: str | None
    instruction: str | None
    marks: tuple[int, ...]
    reply: str | None

    @property
    def digest(self) -> str:
        """A hash over what the line says of its sample (sha256, hexadecimal)."""
        return content_hash(self.sample_id, self.reply, self.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFile:
    """One theme's lines.

    Attributes:
        path: The file.
        theme: As its name has it.
        judge: As its name has it.
        lines: In the file's order.
    """

    path: Path
    theme: str
    judge: str
    lines: tuple[Line, ...]

    @property
    def digest(self) -> str:
        """A hash over what the lines say, whatever their order, line ends or spelling (sha256, hexadecimal)."""
        return file_hash(line.digest for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a line is written from.

    Attributes:
        sample: The sample.
        marks: Capped, in the rubric's order.
        reply: The judge's words, or None.
    """

    sample: Sample
    marks: tuple[int, ...]
    reply: str | None

    @property
    def digest(self) -> str:
        """The hash that the line will have when it is read."""
        return content_hash(self.sample.id, _text(self.reply), self.marks)

    def to_bytes(self) -> bytes:
        """Return the line, with its end."""
        record = {
            "id": self.sample.id,
            "prompt": self.sample.instruction,
            "edit_type": self.sample.theme,
            "subtheme": self.sample.subtheme,
            "scene": self.sample.scene,
            "scores": list(self.marks),
            "result": self.reply or "",
        }
        # A reply may hold half a surrogate pair, which only JSON's own escape can hold.
        return json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def content_hash(sample_id: str, reply: str | None, marks: Sequence[int] | None) -> str:
    """Return a hash over a verdict (sha256, hexadecimal)."""
    return hashlib.sha256(json.dumps([sample_id, reply, marks and list(marks)]).encode()).hexdigest()


def file_hash(verdicts: Iterable[str]) -> str:
    """Return a hash over a file's verdicts, given the hash of each (sha256, hexadecimal)."""
    return hashlib.sha256("\n".join(sorted(verdicts)).encode()).hexdigest()


def file_name(theme: str, judge: str) -> str:
    """Return the name of a theme's file."""
    return FORM.format(theme=theme, judge=judge)


def find(paths: Sequence[Path]) -> list[Path]:
    """Return the score files that are named, or that lie in the folders that are; each once, sorted.

    Raises:
        StoreError: There are none, or a file's name is not that of one.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        files = [file for file in path.iterdir() if NAME.fullmatch(file.name)] if path.is_dir() else [path]
        if not files:
            others = sorted(file.name for file in path.iterdir())
            raise StoreError(
                f"no score files in {path}; expected {FORM}, found {listed(others) if others else 'nothing'}"
            )
        found |= {file.resolve(): file for file in files}
    for file in found.values():
        if not NAME.fullmatch(file.name):
            raise StoreError(f"{file} is no score file by its name; expected {FORM}")
    return sorted(found.values())


def read_authors(paths: Sequence[Path]) -> tuple[ScoreFile, ...]:
    """Read all score files that are named, or that lie in the folders that are: one judge's, a file a theme.

    Byte-order marks, carriage returns and blank lines do no harm.

    Raises:
        StoreError: There are none, they are of more than one judge, a line cannot be read, or an id stands twice. The
            message names file and line.
    """
    paths = find(paths)
    names = {path: NAME.fullmatch(path.name) for path in paths}
    judges = sorted({name["judge"] for name in names.values() if name})
    if len(judges) > 1:
        raise StoreError(f"the score files are of {len(judges)} judges, {listed(judges)}; name the files of one")
    files = [
        ScoreFile(path=path, theme=name["theme"], judge=name["judge"], lines=tuple(_lines(path)))
        for path, name in names.items()
        if name
    ]
    _check_once(files)
    return tuple(files)


def _check_once(files: Sequence[ScoreFile]) -> None:
    themes: dict[str, Path] = {}
    lines: dict[str, str] = {}
    for file in files:
        if file.theme in themes:
            raise StoreError(f"{file.path} and {themes[file.theme]} are both of the theme {file.theme}; name one")
        themes[file.theme] = file.path
        for line in file.lines:
            if line.sample_id in lines:
                raise StoreError(f"{line.where}: {shown(line.sample_id)} stands already in {lines[line.sample_id]}")
            lines[line.sample_id] = line.where


def _lines(path: Path) -> Iterator[Line]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    # Split by line feeds alone: a reply may hold the line separators that str.splitlines knows beside them.
    for number, raw in enumerate(content.split(b"\n"), 1):
        where = f"{path} line {number}"
        try:
            text = raw.decode("utf-8-sig").strip()  # files put one after the other have a byte-order mark each
            record = json.loads(text) if text else None
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{where} is no JSON: {one_line(error, limit=120)}") from error
        if text:
            yield _line(where, record)


def _line(where: str, record: Any) -> Line:
    if not isinstance(record, Mapping):
        raise StoreError(f"{where} is no JSON object with id, scores and result")
    sample_id, marks = record.get("id"), record.get("scores")
    if not isinstance(sample_id, str) or not sample_id:
        raise StoreError(f"{where} has no id")
    if not isinstance(marks, list):
        raise StoreError(f"{where}: {shown(sample_id)} has no list of scores")
    return Line(
        where=where,
        sample_id=sample_id,
        theme=_text(record.get("edit_type")),
        instruction=_text(record.get("prompt")),
        marks=tuple(_whole(mark, f"{where}: {shown(sample_id)}") for mark in marks),
        reply=_text(record.get("result")),
    )


def _whole(mark: Any, where: str) -> int:
    """Return a mark; `4.0`, as a table's program writes it, is whole."""
    if isinstance(mark, float) and mark.is_integer():
        return int(mark)
    if isinstance(mark, bool) or not isinstance(mark, int):
        raise StoreError(f"{where} has the mark {one_line(json.dumps(mark), limit=40)}, which is no whole number")
    return mark


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def shown(text: str) -> str:
    """Return a text of a file's as a message shows it: in quotes, short, on one line."""
    return one_line(repr(text), limit=80)
