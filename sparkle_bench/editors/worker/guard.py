"""Ending a worker whose harness is gone and that does not end by itself: it may hang inside a library and hold a GPU."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

PATIENCE = 10.0
"""Seconds in which a worker may close what it has open after its harness is gone."""


def watch(life: int) -> None:
    """Start a small process that outlives this one's hanging. Called before any thread is started or library loaded.

    It is a process since no thread of a hung Python runs, and not a signal at the parent's death since that would leave no
    time to end what the editor has started.

    Args:
        life: The pipe from the harness; it hangs up when that is gone or wants no more.
    """
    if not hasattr(os, "fork"):
        return
    mine, theirs = os.pipe()
    worker = os.getpid()
    if os.fork():
        os.close(mine)  # the other end stays open as long as we live
        return
    try:
        os.close(theirs)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in {0, 1, 2} - {life}:
            os.dup2(null, standard)
        for other in range(3, mine):
            if other not in (life, null):
                with suppress(OSError):
                    os.close(other)
        _watch(life, mine, worker)
    finally:
        os._exit(0)


def _watch(life: int, mine: int, worker: int) -> None:
    """Wait for the end of the worker, or of the harness and then of the worker."""
    poll = select.poll()
    poll.register(mine, 0)
    poll.register(life, 0)
    if mine not in {number for number, _ in poll.poll()}:
        poll.unregister(life)
        if not poll.poll(PATIENCE * 1000):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(0, signal.SIGKILL)  # whatever the worker left in its group; and this process, which is one of them
