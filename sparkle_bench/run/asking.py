"""One verdict: show the judge what it sees, ask until a reply can be read, record either the marks or the reason why not."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sparkle_bench import signals
from sparkle_bench.errors import (
    BudgetSpent,
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
from sparkle_bench.judges.soft import expected_marks
from sparkle_bench.prompts import Prompt
from sparkle_bench.records import Edit, Judgment, Measurement, Sample
from sparkle_bench.rubric import READER, Scores, parse, parse_strict
from sparkle_bench.run import fresh
from sparkle_bench.run.spending import COST_DIGITS, Price, Purse
from sparkle_bench.run.work import Work
from sparkle_bench.video import Pair

VERDICT_TRIES = 3
"""How often a judge whose reply cannot be read is asked."""
AUTHORS_TRIES = 20
"""How many requests the authors' script sends for one verdict, whatever became of the earlier ones."""
SYSTEMIC = "ServerFailed"
REPLAY = "replay"
"""Stands for the result from which a verdict was taken, where a stored reply was read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A judge with its question: everything a verdict depends on, beside the videos.

    Attributes:
        judge: Who answers.
        prompt: What is asked, and the rubric.
        strict: Read replies as the authors' script does.
        repeats: Verdicts per edit.
        authors: Ask as often as the authors' script does.
        price: What the judge takes; None if nothing, or unknown.
        budget: USD that one run may spend, or None.
        wishes: What the user asked for, for records: a later run that asks for the same may find its work done.
    """

    judge: Judge
    prompt: Prompt
    strict: bool = False
    repeats: int = 1
    authors: bool = False
    price: Price | None = None
    budget: float | None = None
    wishes: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """All that can change a verdict."""
        reader = "strict" if self.strict else "forgiving"
        return {
            **self.judge.identity,
            "prompt": self.prompt.digest,
            "rubric": self.prompt.rubric.version,
            "reader": f"{reader} {READER}",
        }

    @property
    def key(self) -> str:
        """The judge key."""
        return judge_key(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The verdicts that one edit lacks."""

    sample: Sample
    edit: Edit
    repeats: tuple[int, ...]
    measurement: Measurement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all questions of a run share.

    Attributes:
        work: Where records go.
        bench: The judge with its question.
        purse: The money.
        look: How clips are looked at, and where sampled sources are kept.
        loading: Lets few clips be decoded at once: more would only need more memory.
    """

    work: Work
    bench: Bench
    purse: Purse
    look: fresh.Look
    loading: threading.Semaphore


def verdicts(desk: Desk, task: Task) -> Iterator[Judgment]:
    """Decode a pair once and ask for each missing repeat; nothing more once the money is spent."""
    sha256 = task.edit.sha256
    assert sha256 is not None, "only good edits become tasks"
    if desk.purse.empty:
        return
    begun = time.monotonic()
    try:
        shown = _shown(desk, task)
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
    past = desk.bench.judge.sees == "nothing"
    prompt = "" if past else desk.bench.prompt.render(task.sample.instruction)
    for repeat in task.repeats:
        question = dataclasses.replace(shown, prompt=prompt, seed=desk.bench.judge.seed + repeat, repeat=repeat)
        yield from _verdict(desk, dataclasses.replace(question, edit_sha256=sha256))


def _shown(desk: Desk, task: Task) -> Question:
    """Return a question with what the judge is shown: a sampled pair, whole files, or measured signals."""
    empty = Question(sample=task.sample, prompt="", seed=desk.bench.judge.seed)
    sees = desk.bench.judge.sees
    if sees == "nothing":
        return empty
    if sees == "signals":
        return dataclasses.replace(empty, signals=_measured(desk.work, task))
    with desk.loading:
        return dataclasses.replace(empty, pair=_load(desk, task))


def _measured(work: Work, task: Task) -> signals.Signals:
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


def _load(desk: Desk, task: Task) -> Pair:
    """Sample the pair, and make sure that what was looked at is the very file of the Edit."""
    edited = desk.work.store.video_path(desk.work.model, task.sample)
    return fresh.load_pair(task.sample, edited, task.edit, desk.look)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """How asking for one verdict went so far."""

    failures: list[str] = field(default_factory=list)
    reply: Reply | None = None
    scores: Scores | None = None
    trouble: SparkleError | None = None
    replies: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None


def _verdict(desk: Desk, question: Question) -> Iterator[Judgment]:
    """Ask until a reply can be read or the tries are used up; record either. Nothing, if the money was spent before.

    The first question is decoded greedily; asked again so, a model would say the same again, so later ones are not.
    """
    begun = time.monotonic()
    asked = _Asked()
    while _ask(desk, question, asked):
        pass
    if asked.replies == 0 and isinstance(asked.trouble, BudgetSpent):
        return
    reply, scores, trouble, rubric = asked.reply, asked.scores, asked.trouble, desk.bench.prompt.rubric
    stored = desk.bench.judge.sees == "nothing"
    soft = expected_marks(reply.text, reply.tokens, scores, rubric) if reply and scores and reply.tokens else None
    yield Judgment(
        sample_id=question.sample.id,
        edit_sha256=question.edit_sha256,
        repeat=question.repeat,
        reply=reply.text if reply else None,
        scores=scores,
        error=None if trouble is None else one_line(trouble),
        error_type=None if trouble is None else _kind(trouble),
        soft=soft or None,
        attempts=0 if stored else len(asked.failures) + (scores is not None),
        failures=tuple(asked.failures),
        prompt_tokens=asked.prompt_tokens,
        completion_tokens=asked.completion_tokens,
        cost=None if asked.cost is None else round(asked.cost, COST_DIGITS),
        latency=reply.latency if reply else None,
        seconds=round(time.monotonic() - begun, 3),
        reused=REPLAY if stored else None,
    )


def _ask(desk: Desk, question: Question, asked: _Asked) -> bool:
    """Ask once, and say whether to ask again."""
    bench = desk.bench
    left = AUTHORS_TRIES - len(asked.failures) if bench.authors else None
    try:
        put = dataclasses.replace(question, attempt=asked.replies, left=left)
        asked.reply = reply = _paid(desk, put, asked)
        asked.failures.extend(reply.failures)
        if reply.cut_off and not bench.authors:
            raise VerdictError("the reply was cut off at the limit of tokens")
        asked.scores, asked.trouble = (parse_strict if bench.strict else parse)(reply.text, bench.prompt.rubric), None
        return False
    except VerdictError as error:
        asked.trouble = error
        asked.failures.append(str(error))
        if bench.judge.sees == "nothing":  # a stored reply stays as it is
            return False
        return len(asked.failures) < AUTHORS_TRIES if bench.authors else asked.replies < VERDICT_TRIES
    except RequestFailed as error:
        asked.trouble = error
        asked.failures.extend(error.failures)
        return False
    except BudgetSpent as error:
        asked.trouble = asked.trouble or error
        return False


def _paid(desk: Desk, question: Question, asked: _Asked) -> Reply:
    """Ask, and account for the reply.

    Raises:
        BudgetSpent: It might cost more than is left.
    """
    set_aside = desk.purse.set_aside()
    tokens, answered = (0, 0), False
    try:
        reply = desk.bench.judge.ask(question)
        tokens, answered = (reply.prompt_tokens or 0, reply.completion_tokens or 0), True
    except RequestFailed as error:
        tokens = error.tokens
        raise
    finally:
        asked.cost = _sum(asked.cost, desk.purse.pay(set_aside, *tokens, answered=answered))
        asked.prompt_tokens = _sum(asked.prompt_tokens, tokens[0] or None)
        asked.completion_tokens = _sum(asked.completion_tokens, tokens[1] or None)
    asked.replies += 1
    return reply


def _sum(one: Any, other: Any) -> Any:
    """Return the sum of two numbers either of which may be unknown."""
    return other if one is None else one if other is None else one + other


def _kind(error: SparkleError) -> str:
    """Return the error's name for the record; trouble that may lie with the server has a name of its own."""
    return SYSTEMIC if isinstance(error, RequestFailed) and error.systemic else type(error).__name__
