"""The second stage: a verdict, or the reason why there is none, on every edit of the chosen samples."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkle_bench import signals, video
from sparkle_bench.errors import (
    JudgeUnavailable,
    MachineError,
    RequestFailed,
    SignalsError,
    SourceError,
    SparkleError,
    StaleEdit,
    VerdictError,
    VideoError,
    one_line,
)
from sparkle_bench.judges import Judge, Question, Reply, judge_key
from sparkle_bench.prompts import Prompt
from sparkle_bench.provenance import code_version
from sparkle_bench.records import Edit, Judgment, Measurement, Sample
from sparkle_bench.rubric import Scores, parse, parse_strict
from sparkle_bench.run.fresh import check_hash
from sparkle_bench.run.work import Work
from sparkle_bench.workers import stream

VERDICT_TRIES = 3
"""How often a judge whose reply cannot be read is asked."""
BREAKER = 10
"""So many questions in a row without an answer stop the run: the server is at fault, not the samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A judge with its question: everything a verdict depends on, beside the videos.

    Attributes:
        judge: Who answers.
        prompt: What is asked, and the rubric.
        strict: Read replies as the authors' script does.
        repeats: Verdicts per edit.
    """

    judge: Judge
    prompt: Prompt
    strict: bool = False
    repeats: int = 1

    @property
    def identity(self) -> dict[str, Any]:
        """All that can change a verdict."""
        reader = "strict" if self.strict else "forgiving"
        return {**self.judge.identity, "prompt": self.prompt.digest, "reader": reader}

    @property
    def key(self) -> str:
        """The judge key."""
        return judge_key(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    sample: Sample
    edit: Edit
    repeats: tuple[int, ...]
    measurement: Measurement | None


def judge(work: Work, bench: Bench, *, now: datetime) -> None:
    """Ask for every verdict on a good edit that is not there yet, one record each.

    Once more repeats were asked for, fewer would leave the result incomplete for good: the most ever asked for counts.

    Raises:
        StoreError: Another run is at work on these samples.
        JudgeUnavailable: The judge is out of reach; everything answered so far is on disk.
    """
    with work.store.working(work.model, work.shard):
        bench = dataclasses.replace(bench, repeats=max(bench.repeats, _earlier_repeats(work, bench)))
        tasks = _tasks(work, bench)
        _describe(work, bench, now, busy=bool(tasks))
        breaker = _Breaker()
        work.on_start(sum(len(task.repeats) for task in tasks))
        for record in stream(tasks, functools.partial(_judge_one, work, bench), workers=work.workers):
            work.store.append_judgment(work.model, bench.key, record)
            work.on_record(record)
            breaker.see(record)


def _tasks(work: Work, bench: Bench) -> list[_Task]:
    edits = work.store.edits(work.model)
    measured = work.store.measurements(work.model) if bench.judge.sees == "signals" else {}
    have = {key for key, judgment in work.store.judgments(work.model, bench.key).items() if judgment.ok}
    tasks = []
    for sample in work.samples:
        edit = edits.get(sample.id)
        if edit is None or edit.sha256 is None:
            continue
        missing = tuple(n for n in range(bench.repeats) if (sample.id, edit.sha256, n) not in have)
        if missing:
            measurement = measured.get((sample.id, edit.sha256))
            tasks.append(_Task(sample=sample, edit=edit, repeats=missing, measurement=measurement))
    return tasks


def _earlier_repeats(work: Work, bench: Bench) -> int:
    repeats = (work.store.read_judge(work.model, bench.key) or {}).get("repeats", 1)
    return repeats if isinstance(repeats, int) else 1


def _describe(work: Work, bench: Bench, now: datetime, *, busy: bool) -> None:
    """Write `judge.json`; date and code are those of the last run that had something to ask."""
    if not busy and work.store.read_judge(work.model, bench.key) is not None:
        return
    judge = {
        "key": bench.key,
        "identity": bench.identity,
        "notes": list(bench.judge.notes),
        "rubric": bench.prompt.rubric.to_data(),
        "prompt": bench.prompt.text,
        "repeats": bench.repeats,
        "code_version": code_version(),
        "date": now.isoformat(timespec="seconds"),
    }
    work.store.write_judge(work.model, bench.key, judge)


def _judge_one(work: Work, bench: Bench, task: _Task) -> Iterator[Judgment]:
    """Decode a pair once and ask for each missing repeat."""
    sha256 = task.edit.sha256
    assert sha256 is not None, "only good edits become tasks"
    begun = time.monotonic()
    try:
        shown = _shown(work, bench, task)
    except (VideoError, MachineError, StaleEdit, SignalsError) as error:
        for repeat in task.repeats:
            yield Judgment(
                sample_id=task.sample.id,
                edit_sha256=sha256,
                repeat=repeat,
                error=one_line(error),
                error_type=type(error).__name__,
                attempts=0,
                seconds=round(time.monotonic() - begun, 3),
            )
        return
    prompt = bench.prompt.render(task.sample.instruction)
    for repeat in task.repeats:
        question = dataclasses.replace(shown, prompt=prompt, seed=bench.judge.seed + repeat)
        yield _verdict(bench, question, sha256, repeat)


def _shown(work: Work, bench: Bench, task: _Task) -> Question:
    """Return a question with what the judge is shown: a sampled pair, whole files, or measured signals."""
    empty = Question(sample=task.sample, prompt="", seed=bench.judge.seed)
    if bench.judge.sees == "signals":
        return dataclasses.replace(empty, signals=_measured(work, task))
    return dataclasses.replace(empty, pair=_load(work, bench, task))


def _measured(work: Work, task: _Task) -> signals.Signals:
    """Return the stored signals of the very file of the Edit; they are measured before a judge that needs them.

    Raises:
        VideoError: The edit could not be measured.
        SignalsError: It was not measured, or could not be.
    """
    found = task.measurement
    if found is None or found.version != signals.VERSION:
        raise SignalsError(f"{task.sample.id} was not measured; run `sparkle-bench signals {work.model}`")
    if found.signals is None:
        kinds: dict[str | None, type[SparkleError]] = {"VideoError": VideoError, "SourceError": SourceError}
        raise kinds.get(found.error_type, SignalsError)(str(found.error))
    return signals.from_data(found.signals)


def _load(work: Work, bench: Bench, task: _Task) -> video.Pair:
    """Sample the pair, and make sure that what was looked at is the very file of the Edit."""
    edited = work.store.video_path(work.model, task.sample)
    check_hash(edited, task.edit)
    pair = video.load_pair(task.sample.source_path, edited, bench.judge.sampling)
    check_hash(edited, task.edit)
    return pair


def _verdict(bench: Bench, question: Question, edit_sha256: str, repeat: int) -> Judgment:
    """Ask until a reply can be read or the tries are used up; record either.

    The first question is decoded greedily; asked again so, a model would say the same again, so later ones are not.
    """
    begun = time.monotonic()
    failures: list[str] = []
    reply: Reply | None = None
    scores: Scores | None = None
    trouble: SparkleError | None = None
    for attempt in range(VERDICT_TRIES):
        try:
            reply = bench.judge.ask(dataclasses.replace(question, attempt=attempt))
            failures.extend(reply.failures)
            if reply.cut_off:
                raise VerdictError("the reply was cut off at the limit of tokens")
            scores, trouble = (parse_strict if bench.strict else parse)(reply.text, bench.prompt.rubric), None
            break
        except VerdictError as error:
            trouble = error
            failures.append(str(error))
        except RequestFailed as error:
            trouble = error
            failures.extend(error.failures)
            break
    return Judgment(
        sample_id=question.sample.id,
        edit_sha256=edit_sha256,
        repeat=repeat,
        reply=reply.text if reply else None,
        scores=scores,
        error=None if trouble is None else one_line(trouble),
        error_type=None if trouble is None else _kind(trouble),
        attempts=len(failures) + (scores is not None),
        failures=tuple(failures),
        prompt_tokens=reply.prompt_tokens if reply else None,
        completion_tokens=reply.completion_tokens if reply else None,
        seconds=round(time.monotonic() - begun, 3),
    )


SYSTEMIC = "ServerFailed"


def _kind(error: SparkleError) -> str:
    """Return the error's name for the record; trouble that may lie with the server has a name of its own."""
    return SYSTEMIC if isinstance(error, RequestFailed) and error.systemic else type(error).__name__


class _Breaker:
    """Stops a run in which the server answers nothing at all."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def see(self, record: Judgment) -> None:
        self._in_a_row = self._in_a_row + 1 if record.error_type == SYSTEMIC else 0
        if self._in_a_row >= BREAKER:
            raise JudgeUnavailable(
                f"the judge gave no answer to {self._in_a_row} questions in a row; the last: {record.error}; "
                "look at its log and run again"
            )
