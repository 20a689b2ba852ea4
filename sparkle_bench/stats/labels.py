"""Is a stored verdict one more draw from the same judge? The labels are permuted within every sample judged again. Pure.

The null hypothesis is that within a sample the stored and the new verdicts are exchangeable: which of them is called the
stored one is then chance (Fisher's randomisation test; Pitman 1937). That needs no model of the judge and holds for one
that never wavers as for a noisy one. Two statistics are tested, for marks may be raised in one direction, or be another
video's: the mean difference, two-sided, and the mean distance, one-sided. Holm's correction (1979) is over the two.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Marks = tuple[int, ...]
"""One verdict: a mark per dimension."""

MOST_LABELLINGS = 1000
"""So many ways to choose the stored verdicts of a sample are looked at whole; of more, so many are drawn."""
MOST_ENUMERATED = 100_000
"""Up to so many labellings of all samples together the test is exact."""
TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Remarked:
    """One sample that was judged again.

    Attributes:
        sample_id: The sample.
        stored: Every verdict on record, as capped marks in the order of the rubric's dimensions.
        new: The verdicts given now, likewise; at least two, or the judge's noise is unknown.
    """

    sample_id: str
    stored: tuple[Marks, ...]
    new: tuple[Marks, ...]

    def __post_init__(self) -> None:
        lengths = {len(marks) for marks in (*self.stored, *self.new)}
        if not self.stored or len(self.new) < 2 or len(lengths) != 1 or lengths == {0}:
            raise ValueError(
                f"{self.sample_id}: one stored verdict and two new ones are needed, of the same dimensions"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One test.

    Attributes:
        value: The statistic, in marks.
        p: How often chance alone would give as much.
        adjusted: The same, corrected for testing twice.
    """

    value: float
    p: float
    adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """What the statistics of one sample are under every labelling; the true one stands first."""

    difference: NDArray[Any]
    distance: NDArray[Any]
    apart: NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """Both tests.

    Attributes:
        direction: Whether the stored marks are higher or lower; its value is the mean difference.
        size: Whether the stored verdicts are the odd ones out; its value is their mean distance from the new ones' mean.
        exact: Whether all labellings were gone through rather than drawn.
        differences: Stored minus new, of each sample.
        apart: Samples whose stored verdicts are further from every new one than these are from one another.
        apart_by_chance: So many there are on average over all labellings.
    """

    direction: Shift
    size: Shift
    exact: bool
    differences: NDArray[Any]
    apart: int
    apart_by_chance: float


def _table(pair: Remarked, rng: np.random.Generator) -> _Table:
    import numpy as np

    marks = np.array([*pair.stored, *pair.new], dtype=float)
    stored, total = len(pair.stored), len(marks)
    if math.comb(total, stored) <= MOST_LABELLINGS:
        chosen = np.array(list(itertools.combinations(range(total), stored)))  # the first is the true one
    else:  # random ones beside the true one keep the test valid (Hemerik and Goeman 2018)
        drawn = [rng.permutation(total)[:stored] for _ in range(MOST_LABELLINGS - 1)]
        chosen = np.array([np.arange(stored), *drawn])
    called = np.zeros((len(chosen), total))
    np.put_along_axis(called, chosen, 1.0, axis=1)
    between = (called / stored - (1 - called) / (total - stored)) @ marks
    gaps = np.abs(marks[:, None] - marks[None]).mean(axis=2)
    return _Table(
        difference=between.mean(axis=1),
        distance=np.abs(between).mean(axis=1),
        apart=np.array([_stands_apart(gaps, row > 0) for row in called]),
    )


def _stands_apart(gaps: NDArray[Any], stored: NDArray[Any]) -> bool:
    """Whether every stored verdict is further from every new one than any two of these are from each other."""
    return bool(gaps[stored][:, ~stored].min() > gaps[~stored][:, ~stored].max() + TIE)


def tested(pairs: Sequence[Remarked], *, seed: int, draws: int) -> Tested:
    """Return both tests.

    Args:
        pairs: At least one, all of the same dimensions.
        seed: Of the labellings drawn, where there are too many to go through.
        draws: How many are drawn then.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    tables = [_table(pair, rng) for pair in pairs]
    # A sample whose statistics are the same under all labellings shifts every sum alike: left out, the test stays exact.

    telling = [t for t in tables if np.ptp(t.difference) > TIE or np.ptp(t.distance) > TIE]
    fixed = sum(t.distance[0] for t in tables) - sum(t.distance[0] for t in telling)
    observed = (sum(t.difference[0] for t in telling), fixed + sum(t.distance[0] for t in telling))
    exact = math.prod(len(t.difference) for t in telling) <= MOST_ENUMERATED
    differences, distances = _all_sums(telling) if exact else _drawn_sums(telling, rng, draws)
    p_direction = _share(np.abs(differences) >= abs(observed[0]) - TIE, exact=exact)
    p_size = _share(fixed + distances >= observed[1] - TIE, exact=exact)
    low, high = sorted((p_direction, p_size))
    doubled = min(1.0, 2 * low)
    holm = {high: max(doubled, high), low: doubled}
    return Tested(
        direction=Shift(value=float(observed[0]) / len(tables), p=p_direction, adjusted=holm[p_direction]),
        size=Shift(value=float(observed[1]) / len(tables), p=p_size, adjusted=holm[p_size]),
        exact=exact,
        differences=np.array([table.difference[0] for table in tables]),
        apart=sum(bool(table.apart[0]) for table in tables),
        apart_by_chance=float(sum(table.apart.mean() for table in tables)),
    )


def _all_sums(tables: Sequence[_Table]) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    differences = distances = np.zeros(1)
    for table in tables:
        differences = np.add.outer(differences, table.difference).ravel()
        distances = np.add.outer(distances, table.distance).ravel()
    return differences, distances


def _drawn_sums(tables: Sequence[_Table], rng: np.random.Generator, draws: int) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    differences, distances = np.zeros(draws), np.zeros(draws)
    for table in tables:
        chosen = rng.integers(len(table.difference), size=draws)
        differences += table.difference[chosen]
        distances += table.distance[chosen]
    return differences, distances


def _share(as_far: NDArray[Any], *, exact: bool) -> float:
    """Return p; where labellings were drawn, the true one counts as one of them (Phipson and Smyth 2010)."""
    count, total = int(as_far.sum()), len(as_far)
    return count / total if exact else (count + 1) / (total + 1)
