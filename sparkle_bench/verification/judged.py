"""What verdicts stand on: is `judge.json` whole, and is its judge key the hash of what it says?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkle_bench.errors import PromptError
from sparkle_bench.exchange.incoming import EDITOR
from sparkle_bench.judges import judge_key
from sparkle_bench.prompts import Prompt, folder, load_prompt
from sparkle_bench.records import JUDGE_FIELDS, MOST_REPEATS, Judgment, unusable
from sparkle_bench.rubric import READER, Rubric, rubric_from_data
from sparkle_bench.run import usage
from sparkle_bench.store import NAME
from sparkle_bench.verification.findings import FORM, SOURCES, Findings
from sparkle_bench.verification.reading import Line, Result, document

_READER = re.compile(r"(forgiving|strict) (\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A judge as `judge.json` describes it.

    Attributes:
        key: The judge key, which is the folder's name.
        judge: `judge.json`.
        rubric: What it marked.
        strict: Whether its replies are read as the authors' script does.
        repeats: Verdicts asked for per edit.
    """

    key: str
    judge: Mapping[str, Any]
    rubric: Rubric
    strict: bool
    repeats: int

    @property
    def folder(self) -> str:
        """Where its files lie inside the result."""
        return f"judged/{self.key}"

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that can change a verdict."""
        found: Mapping[str, Any] = self.judge["identity"]
        return found

    @property
    def imported(self) -> bool:
        """Whether it is known by the authors' own score files alone: these need hold no replies."""
        return self.identity.get("judge") == EDITOR and self.identity.get("protocol") == "authors"

    @property
    def embedded(self) -> bool:
        """Whether it marks by rules from the stored signals."""
        return self.identity.get("judge") == "signals"


def check_judge(result: Result, key: str, findings: Findings) -> Seat | None:
    """Check one `judge.json`; None if nothing can be made of it."""
    where = f"judged/{key}/judge.json"
    judge = document(result.files, where, findings)
    if judge is None:
        return None
    wrong = unusable(judge, JUDGE_FIELDS)
    if wrong is not None:
        findings.damage(where, f"has no usable field {wrong!r}")
        return None
    if not 1 <= judge["repeats"] <= MOST_REPEATS:
        findings.damage(where, f"asks for {judge['repeats']} repeats; 1 to {MOST_REPEATS} are believed")
        return None
    try:
        rubric = rubric_from_data(judge["rubric"])
        rubric.digest.encode()
    except (PromptError, ValueError, TypeError) as error:
        findings.damage(where, f"its rubric cannot be used: {error}")
        return None
    _check_key(where, key, judge, findings)
    strict = _strict(where, judge["identity"], findings)
    seat = Seat(key=key, judge=judge, rubric=rubric, strict=strict, repeats=judge["repeats"])
    _check_question(where, seat, findings)
    _compare_shipped(result, seat, findings)
    return seat


def _check_key(where: str, key: str, judge: Mapping[str, Any], findings: Findings) -> None:
    if judge["key"] != key:
        findings.differ(where, f"names the key {judge['key']!r}, its folder {key!r}")
    try:
        made = judge_key(judge["identity"])
    except (ValueError, RecursionError):
        made = "none"
    if made != key:
        findings.differ(where, f"its identity makes the key {made}, not {key}: it is not the judge that it says it is")


def _strict(where: str, identity: Mapping[str, Any], findings: Findings) -> bool:
    """Return whether replies are to be read strictly; say so if that cannot be known."""
    if identity.get("judge") == EDITOR:
        return True
    said = identity.get("reader")
    named = _READER.fullmatch(said) if isinstance(said, str) else None
    if named is None:
        findings.differ(where, f"names no known reader of replies: {said!r}; they are read forgivingly")
        return False
    if int(named[2]) != READER:
        findings.note(
            f"{where}: replies were read with version {named[2]} of the reader; here version {READER} reads them"
        )
    return named[1] == "strict"


def _check_question(where: str, seat: Seat, findings: Findings) -> None:
    """Check that prompt and rubric are those of the identity."""
    prompt = seat.judge.get("prompt")
    if seat.imported:
        findings.note(
            f"{where}: the verdicts come from the authors' score files; prompt, settings and videos are unknown"
        )
        return
    if not isinstance(prompt, str):
        findings.differ(where, "holds no prompt, so that what was asked is not known")
        return
    try:
        made = Prompt(text=prompt, rubric=seat.rubric, past=True).digest
    except ValueError:
        made = "none"
    if seat.identity.get("prompt") != made:
        findings.differ(where, "its prompt or rubric is not that of its identity: the hash is another")
    if seat.identity.get("rubric") != seat.rubric.version:
        version = seat.identity.get("rubric")
        findings.differ(where, f"its rubric is version {seat.rubric.version!r}, that of its identity {version!r}")


def _compare_shipped(result: Result, seat: Seat, findings: Findings) -> None:
    """Say whether this is the question that everybody is asked: the keeper's own, or else as shipped."""
    benchmark = (result.run or {}).get("benchmark")
    name = benchmark.get("name") if isinstance(benchmark, dict) else None
    if not (isinstance(name, str) and NAME.fullmatch(name)) or seat.imported:
        return
    try:
        shipped = load_prompt(name, root=result.prompts)
    except PromptError as error:
        findings.note(f"{seat.key}: its question is compared with none: {error}")
        return
    where = folder(name, result.prompts)
    keepers = where.is_relative_to(result.prompts / "prompts")
    whose = f"that of {where}" if keepers else "the one that ships with this version"
    if seat.rubric.digest != shipped.rubric.digest:
        findings.note(f"{seat.key}: its rubric is not {whose}: other marks, another board")
    if seat.judge.get("prompt") != shipped.text:
        findings.note(f"{seat.key}: its prompt is not {whose}")


def check_usage(seat: Seat, judgments: Sequence[Line[Judgment]], findings: Findings, *, travelled: bool) -> None:
    """Compare the sums in `judge.json` with those of the judgments.

    Args:
        seat: The judge.
        judgments: Every judgment ever made.
        findings: Where differences go.
        travelled: Whether the result came through an export, which keeps the newest judgments alone.
    """
    where = f"{seat.folder}/judge.json"
    said = seat.judge.get("usage")
    if said is None or f"{seat.folder}/judgments.jsonl" in findings.damaged:
        findings.note(f"{where}: what judging took is not compared: it is not said, or judgments are damaged")
        return
    made = usage(line.record for line in judgments)
    if not isinstance(said, dict):
        findings.differ(where, "its usage is no object", FORM)
    elif said != made:
        wrong = [
            f"{name} {said.get(name)!r}, its judgments {made[name]!r}" for name in made if said.get(name) != made[name]
        ]
        text = "usage says " + ("; ".join(wrong) or "more than is known")
        if travelled:
            findings.note(f"{where}: {text}; it came through an export, which keeps the newest judgments alone")
        else:
            findings.differ(where, text, SOURCES)
