"""What judging again showed: the tests, an interval, the judge's own noise, and one word for it all. Pure.

Marks here are capped, for these make the score.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from sparkle_bench.stats.labels import Marks, Remarked, Shift, Tested, tested

if TYPE_CHECKING:
    from numpy.typing import NDArray

Word = Literal["consistent", "inconsistent", "too few to tell"]

POWER = 0.8
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a difference counts.

    Attributes:
        alpha: A smaller corrected p is `inconsistent`.
        margin: The mean difference must lie within so many marks of nothing to be `consistent`.
        tolerance: So many marks, of mean difference or of distance beyond the noise, are not held against a result: another
            GPU or release of the same server may round otherwise, which the noise of one machine does not show.
        draws: Labellings drawn where there are too many to go through.
    """

    alpha: float = 0.01
    margin: float = 0.25
    tolerance: float = 0.0
    draws: int = 20_000


USUAL = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retest:
    """What judging again showed.

    Attributes:
        verdict: `inconsistent`: chance and the judge's noise do not explain the difference. `consistent`: the difference is
            within the margin, and enough was looked at to see one. Else `too few to tell`.
        n: Samples compared.
        of: Samples with a verdict, of which these are a random part.
        repeats: New verdicts of each, at least.
        difference: Mean over samples of stored minus new, in marks.
        interval: 95% interval of it (Student's t over samples); None for one sample.
        noise: Mean absolute difference of two new verdicts on one edit, over dimensions, in marks.
        excess: By how much more a stored and a new verdict differ than two new ones, likewise; 0 on average if all is well.
        direction: Whether the stored marks are higher or lower; its value is `difference`.
        size: Whether the stored verdicts are the odd ones out; its value is their mean distance from the new ones' mean.
        apart: Samples whose stored verdicts are further from every new one than these are from one another.
        apart_by_chance: So many are expected where all is well, given how far these verdicts differ.
        share_at_most: Upper 95% bound on the share of all verdicts that may stand apart, given those found.
        shown_from: The smallest mean difference that would have been found in four of five such checks; None if none.
        exact: Whether all labellings were gone through rather than drawn.
        seed: Of the drawing.
        rules: What was held against it.
    """

    verdict: Word
    n: int
    of: int
    repeats: int
    difference: float
    interval: tuple[float, float] | None
    noise: float
    excess: float
    direction: Shift
    size: Shift
    apart: int
    apart_by_chance: float
    share_at_most: float
    shown_from: float | None
    exact: bool
    seed: int
    rules: Rules

    def to_data(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return asdict(self)


def retest(pairs: Sequence[Remarked], *, of: int, seed: int, rules: Rules = USUAL) -> Retest:
    """Test whether the stored verdicts are like the new ones.

    Args:
        pairs: The samples judged again, chosen at random.
        of: How many there were to choose from.
        seed: Of the labellings drawn, where there are too many to go through.
        rules: When a difference counts.

    Raises:
        ValueError: No sample at all, more than there were, or samples of other dimensions.
    """
    if not 0 < len(pairs) <= of or len({len(pair.new[0]) for pair in pairs}) != 1:
        raise ValueError("judging again needs samples, all with the same dimensions, and no more than there are")
    found = tested(pairs, seed=seed, draws=rules.draws)
    noise = statistics.fmean(map(_noise, pairs))
    excess = statistics.fmean(map(_between, pairs)) - noise
    interval = _interval(found.differences)
    fewest = _fewest(pairs, rules)
    return Retest(
        verdict=_verdict(found, excess, interval, enough=fewest is not None and len(pairs) >= 2 * fewest, rules=rules),
        n=len(pairs),
        of=of,
        repeats=min(len(pair.new) for pair in pairs),
        difference=found.direction.value,
        interval=interval,
        noise=noise,
        excess=excess,
        direction=found.direction,
        size=found.size,
        apart=found.apart,
        apart_by_chance=found.apart_by_chance,
        share_at_most=share_at_most(found.apart, len(pairs), of),
        shown_from=_shown_from(found.differences, fewest, len(pairs[0].new[0]), rules),
        exact=found.exact,
        seed=seed,
        rules=rules,
    )


def _verdict(found: Tested, excess: float, interval: tuple[float, float] | None, *, enough: bool, rules: Rules) -> Word:
    shifted = found.direction.adjusted < rules.alpha and abs(found.direction.value) > rules.tolerance
    odd = found.size.adjusted < rules.alpha and excess > rules.tolerance
    if shifted or odd:
        return "inconsistent"
    within = interval is not None and -rules.margin <= interval[0] and interval[1] <= rules.margin
    return "consistent" if within and enough else "too few to tell"


def _gap(one: Marks, other: Marks) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def _noise(pair: Remarked) -> float:
    gaps = [_gap(a, b) for a, b in itertools.combinations(pair.new, 2)]
    return sum(gaps) / len(gaps)


def _between(pair: Remarked) -> float:
    gaps = [_gap(a, b) for a in pair.stored for b in pair.new]
    return sum(gaps) / len(gaps)


def _interval(differences: NDArray[Any]) -> tuple[float, float] | None:
    from scipy import stats

    n = len(differences)
    if n < 2:
        return None
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * differences.std(ddof=1) / math.sqrt(n))
    mean = float(differences.mean())
    return mean - half, mean + half


def _fewest(pairs: Sequence[Remarked], rules: Rules) -> int | None:
    """Return how many odd samples it takes to reach alpha if all others are alike, or None if no number does.

    Of a sample with `k` stored verdicts and as many new ones two labellings look alike: either half is the odd one.
    """
    if 2 / (rules.draws + 1) >= rules.alpha:
        return None
    p = 2.0  # the correction for two tests
    for number, chance in enumerate(sorted((_by_chance(pair) for pair in pairs), reverse=True), 1):
        p *= chance
        if p < rules.alpha:
            return number
    return None


def _by_chance(pair: Remarked) -> float:
    alike = 2 if len(pair.stored) == len(pair.new) else 1
    return alike / math.comb(len(pair.stored) + len(pair.new), len(pair.stored))


def _shown_from(differences: NDArray[Any], fewest: int | None, dimensions: int, rules: Rules) -> float | None:
    """Return the smallest mean difference found with power 0.8, as the paired t test's at half of alpha, for two tests.

    By quantiles of Student's t in place of the noncentral t, as is usual for the size of a sample (Cohen 1988, "Statistical
    Power Analysis", chapter 2), times the standard error of the mean.

    A judge that never wavers shows one mark in one dimension, if in enough samples.
    """
    from scipy import stats

    n = len(differences)
    if fewest is None or n < 2:
        return None
    least = fewest / (n * dimensions)
    quantiles = stats.t.ppf(1 - rules.alpha / 4, n - 1) + stats.t.ppf(POWER, n - 1)
    return max(least, float(quantiles * differences.std(ddof=1) / math.sqrt(n)))


def share_at_most(odd: int, n: int, of: int) -> float:
    """Return an upper 95% bound on the share of odd ones among `of`, of which `n` drawn at random hold `odd`.

    The largest number in the whole under which so few in the sample have a chance of over 5% (hypergeometric; Clopper and
    Pearson's for a finite whole).

    Raises:
        ValueError: There cannot be so many.
    """
    from scipy import stats

    if not 0 <= odd <= n <= of or of < 1:
        raise ValueError(f"{odd} odd ones of {n} drawn from {of} cannot be")
    low, high = odd, of - (n - odd)  # as many as were seen, up to all but those seen to be fine
    while low < high:
        number = (low + high + 1) // 2
        if stats.hypergeom.cdf(odd, of, number, n) > 1 - CONFIDENCE:
            low = number
        else:
            high = number - 1
    return low / of
