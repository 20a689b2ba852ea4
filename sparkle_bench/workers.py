"""Running jobs in threads and handing their records, as they come, to the one writer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")
DRAIN_SECONDS = 10.0
"""How long a stopping run waits for answers that are on their way."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class _Done:
    """A worker has ended."""


NAME = "sparkle-worker"


def still_running() -> bool:
    """Whether a thread of a stopped run is still at work."""
    return any(thread.name.startswith(NAME) for thread in threading.enumerate())


def stream(jobs: Iterable[J], do: Callable[[J], Iterable[R]], *, workers: int) -> Iterator[R]:
    """Yield the records of all jobs in the order in which they finish.

    A job is taken up only when a worker is free, so memory does not grow with their number. One worker works in the
    caller's own thread. The threads are daemons: a run that is stopped does not wait for a request without end.

    Args:
        jobs: What to do.
        do: Makes a job's records.
        workers: How many jobs to do at once.

    Raises:
        BaseException: The first error of a job, after the records that were finished or on their way.
    """
    if workers <= 1:
        for job in jobs:
            yield from do(job)
        return
    results: queue.SimpleQueue[R | _Failed | _Done] = queue.SimpleQueue()
    stop = threading.Event()
    next_job = _shared(jobs)

    def work() -> None:
        try:
            while not stop.is_set() and (job := next_job()) is not None:
                for record in do(job[0]):
                    results.put(record)
        except BaseException as error:
            results.put(_Failed(error))
        finally:
            results.put(_Done())

    threads = [threading.Thread(target=work, daemon=True, name=f"{NAME}-{n}") for n in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield from _collect(results, len(threads), stop)
    finally:
        stop.set()


def _collect(results: queue.SimpleQueue[R | _Failed | _Done], running: int, stop: threading.Event) -> Iterator[R]:
    failure: BaseException | None = None
    deadline = 0.0
    while running:
        try:
            item = results.get(timeout=None if failure is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(item, _Done):
            running -= 1
        elif isinstance(item, _Failed):
            if failure is None:
                failure, deadline = item.error, time.monotonic() + DRAIN_SECONDS
                stop.set()
        else:
            yield item
    if failure is not None:
        raise failure


def _shared(jobs: Iterable[J]) -> Callable[[], tuple[J] | None]:
    """Return a function that hands out the next job to whichever thread asks, or None."""
    source, lock = iter(jobs), threading.Lock()

    def take() -> tuple[J] | None:
        with lock:
            for job in source:
                return (job,)
            return None

    return take
