"""What judging costs: a purse that is never overdrawn, and the sums of tokens, money and time."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sparkle_bench.errors import BudgetSpent
from sparkle_bench.judges import Reply
from sparkle_bench.records import Judgment

MILLION = 1_000_000
UNKNOWN_REPLY = 8192
"""Tokens set aside for a reply that nothing limits."""
MARGIN = 1.1
"""A question may be longer than the longest so far by a tenth."""
COST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a judge takes, in USD per million tokens.

    Attributes:
        prompt: For what it is asked.
        completion: For what it answers, its thinking included.
    """

    prompt: float
    completion: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what so many tokens cost, in USD."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / MILLION


class Purse:
    """Knows what has been spent and sets money aside for what is being asked. Safe to use from many threads."""

    def __init__(
        self,
        *,
        price: Price | None = None,
        budget: float | None = None,
        prompt_tokens: int = 0,
        reply_tokens: int | None,
    ) -> None:
        """Open a purse.

        Args:
            price: What the judge takes; None if nothing, or unknown.
            budget: USD that may be spent, or None for any.
            prompt_tokens: How long a question is likely to be; the longest one seen replaces it.
            reply_tokens: How long a reply can be, or None if nothing limits it.
        """
        self._price, self._budget = price, budget
        self._longest, self._reply = prompt_tokens, reply_tokens or UNKNOWN_REPLY
        self._spent = self._set_aside = 0.0
        self._empty = False
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """USD spent so far."""
        return self._spent

    @property
    def empty(self) -> bool:
        """Whether a question was not asked because it might have cost more than was left."""
        return self._empty

    def set_aside(self) -> float:
        """Set aside what one more question may cost at most.

        Raises:
            BudgetSpent: There is not that much left.
        """
        if self._price is None or self._budget is None:
            return 0.0
        with self._lock:
            most = self._price.of(int(self._longest * MARGIN), self._reply)
            if self._empty or self._spent + self._set_aside + most > self._budget:
                self._empty = True
                raise BudgetSpent(
                    f"the budget of {self._budget:g} USD is spent but for {self._budget - self._spent:.4f}, and one more "
                    f"question may cost {most:.4f}; run again with a higher --budget to go on"
                )
            self._set_aside += most
            return most

    def pay(self, set_aside: float, reply: Reply | None) -> float | None:
        """Settle a question; return what its reply cost in USD, or None where that is unknown."""
        with self._lock:
            self._set_aside -= set_aside
            if self._price is None or reply is None or reply.prompt_tokens is None:
                return None
            self._longest = max(self._longest, reply.prompt_tokens)
            cost = self._price.of(reply.prompt_tokens, reply.completion_tokens or 0)
            self._spent += cost
            return cost


def usage(judgments: Iterable[Judgment]) -> dict[str, Any]:
    """Return the sums over all judgments ever made, those that failed and were made again included.

    `latency` is in seconds, over the requests that were answered with a verdict.
    """
    lines = list(judgments)
    asked = [line for line in lines if line.reused is None]
    latencies = sorted(line.latency for line in asked if line.latency is not None)
    costs = [line.cost for line in asked if line.cost is not None]
    return {
        "judgments": len(lines),
        "reused": len(lines) - len(asked),
        "attempts": sum(line.attempts for line in asked),
        "failed_attempts": sum(len(line.failures) for line in asked),
        "prompt_tokens": sum(line.prompt_tokens or 0 for line in asked),
        "completion_tokens": sum(line.completion_tokens or 0 for line in asked),
        "cost_usd": round(sum(costs), COST_DIGITS) if costs else None,
        "latency_median": round(statistics.median(latencies), 3) if latencies else None,
        "latency_p95": round(_quantile(latencies, 0.95), 3) if latencies else None,
    }


def _quantile(ordered: list[float], share: float) -> float:
    """Return the quantile of ordered values, between neighbours in proportion (Hyndman and Fan's type 7)."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
