"""Questions of many threads, put to one engine in batches by a thread of its own.

An engine such as `vllm.LLM` must not be called from two threads, and works best on many questions at once.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from sparkle_bench.errors import JudgeUnavailable, RequestFailed, one_line
from sparkle_bench.judges import Question, Reply

MOST = 64
"""Most questions in a batch; their decoded pictures are held at once."""
PAUSE = 0.05
"""Seconds without a new question after which a batch is closed: workers that wake together ask together."""
CLOSED = "the judge was closed"
Outcome = Reply | RequestFailed | JudgeUnavailable


class Engine(Protocol):
    """What answers batches. All calls come from one thread."""

    def prepare(self, question: Question) -> Any:
        """Turn a question into what `generate` takes.

        Raises:
            RequestFailed: The question cannot be asked.
        """
        ...

    def generate(self, requests: Sequence[Any]) -> Sequence[Reply]:
        """Answer all requests, in their order.

        Raises:
            JudgeUnavailable: The engine is dead.
            Exception: Anything else: one of the requests is refused; the engine can go on.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds."""
        ...


class Batches:
    """The queue before an engine, and the thread that works it off."""

    def __init__(self, engine: Engine, *, most: int = MOST, pause: float = PAUSE) -> None:
        self._engine = engine
        self._most = most
        self._pause = pause
        self._changed = threading.Condition()
        self._waiting: list[tuple[Question, Future[Reply]]] = []
        self._over: str | None = None
        self._thread = threading.Thread(target=self._work, daemon=True, name="sparkle-engine")
        self._thread.start()

    def ask(self, question: Question) -> Reply:
        """Wait for the answer to one question.

        Raises:
            RequestFailed: This question got no answer.
            JudgeUnavailable: The engine is dead, or was closed.
        """
        answer: Future[Reply] = Future()
        with self._changed:
            if self._over is not None:
                raise JudgeUnavailable(self._over)
            self._waiting.append((question, answer))
            self._changed.notify_all()
        return answer.result()

    def close(self) -> None:
        """Refuse what waits, let the running batch end and free the engine; a second call does nothing."""
        self._stop(CLOSED)
        self._thread.join()

    def _work(self) -> None:
        reason = "the engine's thread came to an end"
        try:
            while batch := self._next():
                outcomes = self._outcomes([question for question, _ in batch])
                if (dead := _death(outcomes)) is not None:
                    reason = str(dead)
                    self._stop(reason)
                for (_, answer), outcome in zip(batch, outcomes, strict=True):
                    _settle(answer, outcome)
        finally:
            self._stop(reason)
            self._engine.close()

    def _stop(self, reason: str) -> None:
        """Refuse all that waits and all that comes; the first reason stays."""
        with self._changed:
            self._over = self._over or reason
            left, self._waiting = self._waiting, []
            self._changed.notify_all()
        for _, answer in left:
            answer.set_exception(JudgeUnavailable(self._over))

    def _next(self) -> list[tuple[Question, Future[Reply]]]:
        """Wait for questions and return those of the next batch; none when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._over is not None)
            seen = 0
            while seen < len(self._waiting) < self._most:
                seen = len(self._waiting)
                self._changed.wait(self._pause)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            return batch

    def _outcomes(self, questions: Sequence[Question]) -> list[Outcome]:
        """Return what became of each question of a batch."""
        outcomes: list[Outcome | None] = []
        requests: list[Any] = []
        for question in questions:
            try:
                requests.append(self._engine.prepare(question))
                outcomes.append(None)
            except RequestFailed as error:
                outcomes.append(error)
            except Exception as error:  # a question must never take its neighbours, or this thread, with it
                outcomes.append(_refused(error))
        answers = iter(self._generated(requests) if requests else [])
        return [next(answers) if outcome is None else outcome for outcome in outcomes]

    def _generated(self, requests: Sequence[Any]) -> list[Outcome]:
        """Answer requests together; if one of them is refused, halve until the others have their answers."""
        begun = time.monotonic()
        try:
            replies = self._engine.generate(requests)
        except JudgeUnavailable as error:
            return [error] * len(requests)
        except Exception as error:  # whatever the engine does not like about one request
            return [_refused(error)] if len(requests) == 1 else self._halved(requests)
        if len(replies) != len(requests):
            lost = (
                f"the engine gave {len(replies)} answers to {len(requests)} questions; nobody can tell whose they are"
            )
            return [JudgeUnavailable(lost)] * len(requests)
        latency = time.monotonic() - begun
        return [dataclasses.replace(reply, latency=latency) for reply in replies]

    def _halved(self, requests: Sequence[Any]) -> list[Outcome]:
        middle = len(requests) // 2
        first = self._generated(requests[:middle])
        if (dead := _death(first)) is not None:
            return [*first, *[dead] * (len(requests) - middle)]
        return [*first, *self._generated(requests[middle:])]


def _death(outcomes: Sequence[Outcome]) -> JudgeUnavailable | None:
    """Return the word that the engine is dead, if there is one among the outcomes."""
    return next((outcome for outcome in outcomes if isinstance(outcome, JudgeUnavailable)), None)


def _refused(error: Exception) -> RequestFailed:
    return RequestFailed(f"the engine refused it: {type(error).__name__}: {one_line(error)}")


def _settle(answer: Future[Reply], outcome: Outcome) -> None:
    """Hand an outcome to its asker; an error that many get is a new one for each."""
    if isinstance(outcome, JudgeUnavailable):
        answer.set_exception(JudgeUnavailable(str(outcome)))
    elif isinstance(outcome, RequestFailed):
        answer.set_exception(outcome)
    elif not outcome.text.strip():
        answer.set_exception(RequestFailed("the reply is empty", systemic=False))
    else:
        answer.set_result(outcome)
