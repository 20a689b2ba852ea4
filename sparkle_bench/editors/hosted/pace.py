"""How fast one host is asked, by all threads together, and how waiting ends."""

from __future__ import annotations

import random
import threading
import time

from sparkle_bench.errors import HostUnavailable

LONGEST_WAIT = 60.0


class Pace:
    """Waits between requests. One thread that is told to slow down slows all; a closed pace ends every wait at once."""

    def __init__(self, *, first: float = 1.0) -> None:
        """Make one.

        Args:
            first: Seconds before a request is tried a second time; they double with every try.
        """
        self._first = first
        self._until = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def turn(self) -> None:
        """Wait until nobody has been told to slow down.

        Raises:
            HostUnavailable: The run was stopped.
        """
        while (left := self._until - time.monotonic()) > 0:
            self.wait(left)
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            HostUnavailable: The run was stopped.
        """
        if self._closed.wait(max(0.0, seconds)):
            raise HostUnavailable("stopped; jobs go on at the host: run the same command again to take them up")

    def again(self, attempt: int) -> float:
        """Return the seconds before a request is tried again: doubled with every try, with jitter."""
        return float(min(self._first * 2.0**attempt, LONGEST_WAIT) * random.uniform(1.0, 1.5))

    def slow_down(self, seconds: float) -> None:
        """Let nobody ask for some seconds."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def close(self) -> None:
        """End all waiting, for good."""
        self._closed.set()
