"""What judging costs: a purse that is never overdrawn, and the sums of tokens, money and time."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sparkle_bench.errors import BudgetSpent
from sparkle_bench.records import Judgment

MILLION = 1_000_000
UNKNOWN_REPLY = 8192
"""Tokens set aside for a reply that nothing limits."""
UNKNOWN_QUESTION = 16_384
"""Tokens set aside for the first question where nothing is known of its length."""
MARGIN = 1.1
"""A question may be longer than the longest so far by a tenth."""
REPLY_MARGIN = 2
"""A reply that nothing limits may be twice as long as the longest so far."""
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
    """Knows what has been spent and sets money aside for what is being asked. Safe to use from many threads.

    Who asks waits until what is on its way has been paid, if there may not be enough for both. While nothing is known of
    the length of a question, one is asked alone.
    """

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
            prompt_tokens: How long a question is likely to be, or 0; the longest one seen replaces it.
            reply_tokens: How long a reply can be, or None if nothing limits it.
        """
        self._price, self._budget = price, budget
        self._question, self._limit, self._reply = prompt_tokens, reply_tokens, 0
        self._spent = self._set_aside = 0.0
        self._on_their_way = 0
        self._empty = False
        self._condition = threading.Condition()

    @property
    def empty(self) -> bool:
        """Whether a question was not asked because it might have cost more than was left."""
        return self._empty

    def set_aside(self) -> float:
        """Set aside what one more question may cost at most, waiting for others to be paid if need be.

        Raises:
            BudgetSpent: There is not that much left.
        """
        if self._price is None or self._budget is None:
            return 0.0
        with self._condition:
            while True:
                most = self._most(self._price)
                alone = self._on_their_way == 0
                if self._empty or (alone and self._spent + most > self._budget):
                    self._empty = True
                    self._condition.notify_all()
                    raise BudgetSpent(
                        f"{self._spent:.4f} USD of the budget of {self._budget:g} are spent, and one more question may "
                        f"cost {most:.4f}; run again with a higher --budget to go on"
                    )
                known = self._question > 0
                if alone or (known and self._spent + self._set_aside + most <= self._budget):
                    self._set_aside += most
                    self._on_their_way += 1
                    return most
                self._condition.wait()

    def _most(self, price: Price) -> float:
        """Return what one more question may cost at most."""
        question = int(self._question * MARGIN) or UNKNOWN_QUESTION
        return price.of(question, self._limit or REPLY_MARGIN * self._reply or UNKNOWN_REPLY)

    def pay(self, set_aside: float, prompt_tokens: int, completion_tokens: int, *, answered: bool) -> float | None:
        """Settle a question; return what it cost in USD, or None where that is unknown.

        Args:
            set_aside: What was set aside for it.
            prompt_tokens: Of all its answers; 0 where the server does not count.
            completion_tokens: Likewise.
            answered: Whether there was an answer; one that is not counted costs what was set aside.
        """
        with self._condition:
            cost: float | None = None
            if self._price is not None and prompt_tokens + completion_tokens > 0:
                cost = self._price.of(prompt_tokens, completion_tokens)
            elif answered and set_aside > 0:
                cost = set_aside
            self._question = max(self._question, prompt_tokens)
            self._reply = max(self._reply, completion_tokens)
            self._spent += cost or 0.0
            if set_aside > 0:
                self._set_aside -= set_aside
                self._on_their_way -= 1
                self._condition.notify_all()
            return cost


def usage(judgments: Iterable[Judgment]) -> dict[str, Any]:
    """Return the sums over all judgments ever made, those that failed and were made again included.

    `latency` is in seconds, over the last answered request of each judgment.
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
