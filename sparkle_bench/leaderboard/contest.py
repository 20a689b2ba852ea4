"""How the complete results of one track compare: what `stats` makes of their marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.leaderboard.entry import Entry
from sparkle_bench.scoring import Marks
from sparkle_bench.stats import Design, Intervals, Pairs, Standing, detectable, intervals, pairs, standings

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 0
"""Of all that is drawn at random, so that a board is reproducible."""
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest:
    """What is known of M models that were given the same inputs on the same samples.

    Attributes:
        models: Their names; all else is in this order.
        pairs: Every two of them.
        standings: Rank, rank interval and tie group of each.
        intervals: Of its numbers.
        uncapped: Its standing without the cap.
        raw_intervals: Of its numbers without the cap.
        detectable: The smallest difference of two overall numbers that one planned comparison finds with power 0.8; None if
            that cannot be told.
        detectable_of_all: The same for all pairs at once, corrected.
    """

    models: tuple[str, ...]
    pairs: Pairs
    standings: Sequence[Standing]
    intervals: Sequence[Intervals]
    uncapped: Sequence[Standing]
    raw_intervals: Sequence[Intervals]
    detectable: float | None
    detectable_of_all: float | None

    def apart(self, one: str, other: str) -> bool:
        """Whether two of them are told apart."""
        return bool(self.pairs.apart[self.models.index(one), self.models.index(other)])


def contest(entries: Sequence[Entry], design: Design) -> Contest:
    """Compare results in which nothing is missing.

    Args:
        entries: At least one, all with the same samples in the same order.
        design: How these hang together.
    """
    rubric = entries[0].marks.rubric
    scale = (rubric.lowest, rubric.highest)
    marks = np.stack([means(entry.marks) for entry in entries])
    raw = np.stack([means(entry.marks, capped=False) for entry in entries])
    found = pairs(marks, design, seed=SEED, alpha=ALPHA)
    comparisons = max(1, len(entries) * (len(entries) - 1) // 2)
    return Contest(
        models=tuple(entry.model for entry in entries),
        pairs=found,
        standings=_standings(found, marks, design),
        intervals=intervals(marks, design, seed=SEED, scale=scale),
        uncapped=_standings(pairs(raw, design, seed=SEED, alpha=ALPHA), raw, design),
        raw_intervals=intervals(raw, design, seed=SEED, scale=scale),
        detectable=detectable(marks, design, alpha=ALPHA),
        detectable_of_all=detectable(marks, design, alpha=ALPHA, comparisons=comparisons),
    )


def means(marks: Marks, *, capped: bool = True) -> NDArray[np.float64]:
    """Return (S, D) the mean over repeats of the marks that count, or of the raw ones."""
    found: NDArray[np.float64] = (marks.counts if capped else marks.uncapped).mean(axis=1, dtype=np.float64)
    return found


def _standings(found: Pairs, marks: NDArray[np.float64], design: Design) -> list[Standing]:
    overall = (marks.mean(axis=2) * design.share).sum(axis=1)
    return standings(found, overall)
