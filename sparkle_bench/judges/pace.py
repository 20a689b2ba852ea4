"""How many requests may be on their way at once, and how many in a minute. Pure state, no waiting; `pool.py` waits.

The number on their way rises while answers come: by one per answer until the first trouble, then by one per round. It falls
by half when the server says that it is busy or does not answer in time; what was sent before a fall no longer counts
against the server. It falls by a fifth when answers take twice as long as they used to, over a window of two rounds; if
that makes them no faster, the number was not the reason, and the fall is taken back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MINUTE = 60.0
CUT_BUSY, CUT_SLOW = 0.5, 0.8
SLOWER = 2.0
"""So many times as long as usual is too long."""
HELPED = 0.9
"""A fall has helped if answers then take at most this share of what they took."""
FOLLOWS = 0.1
"""Weight of a window's mean in the usual time, where that rises."""
WINDOW = 10
"""Answers in a window, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a judge may be asked.

    Attributes:
        start: Requests on their way at once, per server, at first.
        most: And never more than.
        max_rpm: Requests in a minute, or None; of all servers together.
        max_tpm: Tokens in a minute, or None; likewise.
    """

    start: int = 8
    most: int = 32
    max_rpm: int | None = None
    max_tpm: int | None = None


class Limit:
    """How many requests may be on their way to one server."""

    def __init__(self, pace: Pace) -> None:
        self._most = float(max(pace.start, pace.most))
        self._value = float(pace.start)
        self._calm = True
        self._cut_at = float("-inf")
        self._seconds: list[float] = []
        self._usual: float | None = None
        self._before_cut: tuple[float, float] | None = None  # the number, and the mean time that led to its fall

    @property
    def value(self) -> int:
        """So many, at least one."""
        return int(self._value)

    def answered(self, seconds: float, *, now: float, full: bool) -> None:
        """Learn from an answer.

        Args:
            seconds: How long it took.
            now: When it came, in seconds of any steady clock.
            full: Whether as many requests as allowed were on their way.
        """
        self._seconds.append(seconds)
        if len(self._seconds) >= max(WINDOW, 2 * self._value):
            mean = sum(self._seconds) / len(self._seconds)
            self._seconds.clear()
            self._weigh(mean, now)
        if full and self._before_cut is None:
            self._value = min(self._most, self._value + (1.0 if self._calm else 1.0 / self._value))

    def busy(self, *, begun: float, now: float) -> None:
        """Learn that the server refused a request that was sent at `begun`, or did not answer in time."""
        if begun >= self._cut_at:
            self._before_cut = None
            self._cut(CUT_BUSY, now)

    def _weigh(self, mean: float, now: float) -> None:
        """Compare a window's mean time with the usual one, or with that before a fall."""
        if self._before_cut is not None:
            value, slow = self._before_cut
            if mean > HELPED * slow:
                self._value = value
            self._before_cut, self._usual = None, mean
        elif self._usual is None or mean <= self._usual:
            self._usual = mean
        elif mean > SLOWER * self._usual and self._value > 1:
            self._before_cut = (self._value, mean)
            self._cut(CUT_SLOW, now)
        else:
            self._usual += FOLLOWS * (mean - self._usual)

    def _cut(self, factor: float, now: float) -> None:
        self._value = max(1.0, self._value * factor)
        self._calm, self._cut_at = False, now
        self._seconds.clear()


class Rates:
    """Requests and tokens of the last minute."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._sent: deque[list[float]] = deque()
        self._longest = 0.0
        self._on_their_way = 0

    def wait(self, tokens: int, *, now: float) -> float:
        """Return how many seconds to wait before a request of so many tokens may be sent; 0 for none.

        A request counts for as many tokens as the longest one so far; while none has been answered, one goes alone. A
        request larger than a minute's tokens goes alone too, since it would never fit.
        """
        if self._pace.max_tpm is not None and not self._longest and self._on_their_way:
            return MINUTE
        while self._sent and self._sent[0][0] <= now - MINUTE:
            self._sent.popleft()
        size = max(float(tokens), self._longest)
        requests, used = len(self._sent), sum(entry[1] for entry in self._sent)
        for at, spent in self._sent:
            if not self._over(requests, used, size):
                break
            requests, used = requests - 1, used - spent
            if not self._over(requests, used, size) or requests == 0:
                return max(0.001, at + MINUTE - now)
        return 0.0

    def _over(self, requests: int, used: float, size: float) -> bool:
        rpm, tpm = self._pace.max_rpm, self._pace.max_tpm
        return (rpm is not None and requests >= rpm) or (tpm is not None and requests > 0 and used + size > tpm)

    def send(self, tokens: int, *, now: float) -> list[float]:
        """Count a request; `[when, tokens]` is returned, for `settle`."""
        entry = [now, max(float(tokens), self._longest)]
        self._on_their_way += 1
        if self._pace.max_rpm is not None or self._pace.max_tpm is not None:
            self._sent.append(entry)
        return entry

    def settle(self, entry: list[float], tokens: int | None) -> None:
        """Set a request's tokens right, once they are known, or only note that it has ended."""
        self._on_their_way -= 1
        if tokens is not None:
            entry[1] = float(tokens)
            self._longest = max(self._longest, entry[1])
