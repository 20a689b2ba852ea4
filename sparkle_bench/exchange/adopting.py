"""The authors' own score files, made by their script: nothing is known beside the lines, and nothing is made up.

A reply is read again for the raw marks, which the script overwrites. A sample without a line in its theme's file has no
verdict, for the script drops it whether the video or the verdict was missing; a theme without a file was not attempted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sparkle_bench.benchmark import Benchmark, suggestion
from sparkle_bench.errors import StoreError, VerdictError, one_line
from sparkle_bench.exchange.authors import Line, ScoreFile, content_hash, shown
from sparkle_bench.exchange.incoming import EDITOR, Incoming
from sparkle_bench.judges import judge_key
from sparkle_bench.provenance import code_version
from sparkle_bench.records import Edit, Judgment, Sample
from sparkle_bench.rubric import Rubric, Scores, cap, check, parse_strict

UNKNOWN = "unknown"
NOTES = (
    "Imported from score files of the benchmark authors' script: which videos, prompt, revision and settings they stand "
    "on, and when they were made, is not known.",
    "A sample without a line has no verdict: the script drops it, be it for want of a video or of a readable reply.",
)


def adopted(files: Sequence[ScoreFile], benchmark: Benchmark, rubric: Rubric, *, now: datetime) -> Incoming:
    """Return the verdicts of the authors' own files on a benchmark's samples.

    Args:
        files: One judge's.
        benchmark: Whose samples the lines speak of.
        rubric: Its dimensions, in the order of the marks in a line.
        now: When they are imported.

    Raises:
        StoreError: A line does not fit the benchmark or the rubric, or its marks are not those of its reply.
    """
    lines = _fitting(files, benchmark, rubric)
    themes = tuple(file.theme for file in files)
    judgments = [_judgment(s, lines.get(s.id), rubric) for s in benchmark.samples if s.theme in themes]
    return Incoming(
        run={
            "model": "",
            "benchmark": _version(benchmark),
            "editor": {"name": EDITOR, "options": {}},
            "code_version": code_version(),
            "hardware": {},
            "date": now.isoformat(timespec="seconds"),
        },
        judge=_judge(files, benchmark, judgments, rubric),
        samples=benchmark.samples,
        edits=tuple(Edit(sample_id=j.sample_id, sha256=j.edit_sha256, unseen=True) for j in judgments),
        judgments=tuple(judgments),
        own=True,
        themes=themes,
    )


def _version(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "name": benchmark.name,
        "digest": benchmark.digest,
        "samples": len(benchmark.samples),
        "partial": benchmark.partial,
    }


def _judge(
    files: Sequence[ScoreFile], benchmark: Benchmark, judgments: Sequence[Judgment], rubric: Rubric
) -> dict[str, Any]:
    identity = {"judge": EDITOR, "model": files[0].judge, "protocol": "authors", "prompt": UNKNOWN}
    return {
        "key": judge_key(identity),
        "identity": identity,
        "notes": [*NOTES, *(note for file in files for note in _notes(file, benchmark, judgments))],
        "rubric": rubric.to_data(),
        "prompt": UNKNOWN,
        "repeats": 1,
        "code_version": UNKNOWN,
        "date": UNKNOWN,
    }


def _notes(file: ScoreFile, benchmark: Benchmark, judgments: Sequence[Judgment]) -> list[str]:
    """Return what the reader of a board must know of one theme's file; each note begins with the theme."""
    instructions = {sample.id: sample.instruction for sample in benchmark.samples}
    others = sum(line.instruction != instructions[line.sample_id] for line in file.lines)
    own = {line.sample_id for line in file.lines}
    unread = sum(bool(j.failures) for j in judgments if j.sample_id in own)
    of = f"of {len(file.lines)} lines"
    notes = [
        f"{others} {of} name another instruction than the benchmark's." * bool(others),
        f"{unread} {of} have no readable reply; their capped marks stand for the raw ones." * bool(unread),
    ]
    return [f"{file.theme}: {note}" for note in notes if note]


def _fitting(files: Sequence[ScoreFile], benchmark: Benchmark, rubric: Rubric) -> dict[str, Line]:
    """Return the lines by sample, each checked against the benchmark and the rubric."""
    samples = {sample.id: sample for sample in benchmark.samples}
    themes = {sample.theme for sample in benchmark.samples}
    lines: dict[str, Line] = {}
    for file in files:
        if file.theme not in themes:
            raise StoreError(
                f"{file.path}: no theme {file.theme!r} in this benchmark; {suggestion(file.theme, sorted(themes))}"
            )
        for line in file.lines:
            if line.sample_id not in samples:
                raise StoreError(
                    f"{line.where}: no sample {shown(line.sample_id)} in this benchmark; "
                    f"{suggestion(line.sample_id, samples)}"
                )
            _check_theme(line, file, samples[line.sample_id])
            _check_marks(line, rubric)
            lines[line.sample_id] = line
    return lines


def _check_theme(line: Line, file: ScoreFile, sample: Sample) -> None:
    for what, theme in (("the line's edit_type", line.theme), ("the file's name", file.theme)):
        if theme != sample.theme:
            said = "nothing" if theme is None else shown(theme)
            raise StoreError(f"{line.where}: {line.sample_id} is of the theme {sample.theme!r}, but {what} says {said}")


def _check_marks(line: Line, rubric: Rubric) -> None:
    if len(line.marks) != len(rubric.keys):
        raise StoreError(f"{line.where}: {line.sample_id} has {len(line.marks)} scores, not {len(rubric.keys)}")
    given = _scores(line, rubric)
    try:
        check(given, rubric)
    except VerdictError as error:
        raise StoreError(f"{line.where}: {line.sample_id}: {error}") from error
    if cap(given, rubric) != given:
        raise StoreError(
            f"{line.where}: {line.sample_id} has scores above that for {rubric.label(rubric.cap or '')}, "
            f"which caps them: {list(line.marks)}"
        )


def _scores(line: Line, rubric: Rubric) -> Scores:
    return Scores(marks=dict(zip(rubric.keys, line.marks, strict=True)))


def _judgment(sample: Sample, line: Line | None, rubric: Rubric) -> Judgment:
    if line is None:
        return Judgment(
            sample_id=sample.id,
            edit_sha256=content_hash(sample.id, None, None),
            error="the score file has no line for it",
            error_type="Dropped",
            attempts=0,
        )
    raw, why = _raw(line, rubric)
    return Judgment(
        sample_id=sample.id,
        edit_sha256=line.digest,
        reply=line.reply,
        scores=raw,
        attempts=0,
        failures=(f"{why}; the capped marks stand for the raw ones",) if why else (),
    )


def _raw(line: Line, rubric: Rubric) -> tuple[Scores, str]:
    """Return the raw marks; where the reply does not tell them, the capped ones and why.

    Raises:
        StoreError: The reply tells others.
    """
    given = _scores(line, rubric)
    if line.reply is None:
        return given, "the line has no reply"
    try:
        raw = parse_strict(line.reply, rubric)
    except VerdictError as error:
        return given, f"the reply cannot be read again: {one_line(error)}"
    if cap(raw, rubric) != given:
        capped = [cap(raw, rubric)[key] for key in rubric.keys]
        raise StoreError(
            f"{line.where}: the scores of {line.sample_id} are {list(line.marks)}, but its reply says {capped} after the cap"
        )
    return raw, ""
