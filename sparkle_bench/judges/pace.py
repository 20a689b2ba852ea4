"""How many requests may be on their way at once, and how many in a minute. Pure state, no waiting; `pool.py` waits.

The number on their way rises while answers come (by one per answer until the first trouble, then by one per round) and
falls: by half when the server says that it is busy or does not answer in time, by a fifth when answers take twice as long
as they used to. After a fall, what was sent before it no longer counts against the server.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MINUTE = 60.0
CUT_BUSY, CUT_SLOW = 0.5, 0.8
SLOWER = 2.0
"""So many times as long as they used to take is too long."""
NEWEST, USUAL, SHORTER = 0.2, 0.02, 0.1
"""Weights of one answer in the moving means of its time: the newest ones, the usual, and the usual where times fall."""
ENOUGH = 20
"""Answers before the usual time is known."""


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
        self._answers = self._since_cut = 0
        self._newest = self._usual = 0.0
        self._cut_at = float("-inf")

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
        self._learn(seconds)
        self._since_cut += 1
        if self._answers >= ENOUGH and self._since_cut > self._value and self._newest > SLOWER * self._usual:
            self._cut(CUT_SLOW, now)
        elif full:
            self._value = min(self._most, self._value + (1.0 if self._calm else 1.0 / self._value))

    def busy(self, *, begun: float, now: float) -> None:
        """Learn that the server refused a request that was sent at `begun`, or did not answer in time."""
        if begun >= self._cut_at:
            self._cut(CUT_BUSY, now)

    def _learn(self, seconds: float) -> None:
        self._answers += 1
        if self._answers == 1:
            self._newest = self._usual = seconds
            return
        self._newest += NEWEST * (seconds - self._newest)
        weight = max(1.0 / self._answers, SHORTER if self._newest < self._usual else USUAL)
        self._usual += weight * (self._newest - self._usual)

    def _cut(self, factor: float, now: float) -> None:
        self._value = max(1.0, self._value * factor)
        self._calm, self._since_cut, self._cut_at = False, 0, now


class Rates:
    """Requests and tokens of the last minute."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._sent: deque[list[float]] = deque()

    def wait(self, tokens: int, *, now: float) -> float:
        """Return how many seconds to wait before a request of so many tokens may be sent; 0 for none.

        A request larger than a minute's tokens goes alone, since it would never fit.
        """
        while self._sent and self._sent[0][0] <= now - MINUTE:
            self._sent.popleft()
        requests, used = len(self._sent), sum(entry[1] for entry in self._sent)
        for at, spent in self._sent:
            if not self._over(requests, used, tokens):
                break
            requests, used = requests - 1, used - spent
            if not self._over(requests, used, tokens) or requests == 0:
                return max(0.001, at + MINUTE - now)
        return 0.0

    def _over(self, requests: int, used: float, tokens: int) -> bool:
        rpm, tpm = self._pace.max_rpm, self._pace.max_tpm
        return (rpm is not None and requests >= rpm) or (tpm is not None and requests > 0 and used + tokens > tpm)

    def send(self, tokens: int, *, now: float) -> list[float]:
        """Count a request; `[when, tokens]` is returned, so that the tokens can be set right once they are known."""
        entry = [now, float(tokens)]
        if self._pace.max_rpm is not None or self._pace.max_tpm is not None:
            self._sent.append(entry)
        return entry
