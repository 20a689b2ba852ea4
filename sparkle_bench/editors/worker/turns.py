"""Telling whoever waits for an edit that it has its turn at the GPU, so that its time is counted from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TELL: ContextVar[Callable[[], None] | None] = ContextVar("turn", default=None)


def taken() -> None:
    """Say that this thread's edit has its turn. It costs nothing where nobody listens."""
    tell = _TELL.get()
    if tell is not None:
        tell()


@contextmanager
def told(tell: Callable[[], None]) -> Iterator[None]:
    """Have `tell` called when this thread's edit takes its turn."""
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)
