"""Gathering what threads ask for one by one into batches that are done together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")

QUIET_SECONDS = 3.0
"""How long nobody must have come before fewer than a batch are taken; between two calls, threads hash what they made."""


class _Ticket(Generic[J, R]):
    """One job and, once it is done, its outcome."""

    def __init__(self, job: J) -> None:
        self.job = job
        self.outcome: R | None = None
        self.error: BaseException | None = None
        self.done = threading.Event()


class Batches(Generic[J, R]):
    """Does jobs together: a batch begins when it is full, or when no further job has come for a while."""

    def __init__(self, size: int, do: Callable[[Sequence[J]], Sequence[R]]) -> None:
        """Make one.

        Args:
            size: Of a full batch.
            do: Does a batch and returns the outcomes in its order; called by one of the threads that ask.
        """
        self._size, self._do = size, do
        self._waiting: list[_Ticket[J, R]] = []
        self._changed = threading.Condition()

    def outcome(self, job: J) -> R:
        """Return what comes of a job, whoever does it.

        Raises:
            BaseException: What `do` raised.
        """
        ticket: _Ticket[J, R] = _Ticket(job)
        with self._changed:
            self._waiting.append(ticket)
            self._changed.notify_all()
        while batch := self._due(ticket):
            self._serve(batch)
        ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]

    def _due(self, ticket: _Ticket[J, R]) -> list[_Ticket[J, R]]:
        """Wait for a batch that is due and take it; none once somebody has taken this ticket."""
        with self._changed:
            while ticket in self._waiting:
                if len(self._waiting) >= self._size or not self._changed.wait(QUIET_SECONDS):
                    batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
                    self._changed.notify_all()
                    return batch
        return []

    def _serve(self, batch: list[_Ticket[J, R]]) -> None:
        try:
            for ticket, outcome in zip(batch, self._do([ticket.job for ticket in batch]), strict=True):
                ticket.outcome = outcome
        except BaseException as error:
            for ticket in batch:
                ticket.error = error
        finally:
            for ticket in batch:
                ticket.done.set()
