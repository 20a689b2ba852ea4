"""Which of two models is better, by how much and how surely: both on the same samples. Pure.

Two models that edit the same videos are compared video by video, which takes out what all find hard. How much is told by the
same bootstrap over scenes as a board's intervals (`bootstrap`), how surely by exchanging labels within scenes
(`permutation`), corrected by Holm for all that is asked at once. The interval is for one comparison, uncorrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.stats.bootstrap import Interval, Stratum, half_width, intervals, quantile, satterthwaite, strata
from sparkle_bench.stats.design import Design
from sparkle_bench.stats.permutation import flipped, flips_for, holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EQUAL = 1e-9
"""Numbers that are nearer than this are equal but for rounding, in marks."""
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Every pair of M models on the same samples; row minus column, in marks.

    Attributes:
        difference: (M, M) of the overall numbers.
        low: (M, M) lower end of its 95% interval; NaN where none can be given, as where a theme has one scene.
        high: (M, M) upper end; likewise.
        p: (M, M) two-sided p of the permutation test; 1 on the diagonal.
        adjusted: (M, M) the same after Holm's correction over all pairs.
        alpha: A smaller corrected p tells two models apart.
    """

    difference: Floats
    low: Floats
    high: Floats
    p: Floats
    adjusted: Floats
    alpha: float

    @property
    def apart(self) -> NDArray[np.bool_]:
        """(M, M) which two are told apart."""
        found: NDArray[np.bool_] = (self.adjusted < self.alpha) & (self.difference != 0)
        return found

    def better(self, one: int, other: int) -> bool:
        """Whether the first is better than the second, beyond chance."""
        return bool(self.apart[one, other] and self.difference[one, other] > 0)


def pairs(marks: Floats, design: Design, *, seed: int = 0, alpha: float = 0.05, flips: int | None = None) -> Pairs:
    """Compare every two models.

    Args:
        marks: (M, S, D) marks that count, means over repeats; nothing is NaN.
        design: How the samples hang together.
        seed: Of the resampling and of the exchanges; at least 0.
        alpha: A smaller corrected p tells two models apart.
        flips: Exchanges drawn where there are too many to go through; by itself enough for the number of pairs.

    Raises:
        ValueError: The marks are not these samples', or one is missing.
    """
    design.check(marks)
    numbers = marks.mean(axis=2).T  # (S, M)
    parts = _by_scene(numbers, design)
    overall = parts.sum(axis=0)
    difference = overall[:, None] - overall[None, :]
    difference[np.abs(difference) < EQUAL] = 0.0
    one, other = np.triu_indices(len(marks), 1)
    found = flipped(parts, one, other, seed=seed, flips=flips or flips_for(len(one), alpha))
    themes = strata(design, "theme", seed=seed)
    half = half_width(_variances(numbers, themes), themes)
    p, adjusted = np.ones_like(difference), np.ones_like(difference)
    p[one, other] = p[other, one] = found
    adjusted[one, other] = adjusted[other, one] = holm(found)
    low, high = difference - half, difference + half
    return Pairs(difference=difference, low=low, high=high, p=p, adjusted=adjusted, alpha=alpha)


def _by_scene(numbers: Floats, design: Design) -> Floats:
    """Return (C, K) what each scene adds to each overall number, which is their sum."""
    found = np.zeros((design.scenes, numbers.shape[1]))
    np.add.at(found, design.scene, numbers * design.share[:, None])
    return found


def _variances(numbers: Floats, themes: Sequence[Stratum]) -> Floats:
    """Return (T, M, M) what each theme adds to the variance of a difference of overall numbers."""
    found = np.array([theme.covariance(numbers) for theme in themes]) / len(themes) ** 2
    own = np.diagonal(found, axis1=1, axis2=2)
    both = own[:, :, None] + own[:, None, :]
    spread: Floats = both - 2 * found
    spread[spread < ROUNDING * both] = 0.0  # two models that are the same but for rounding
    return spread


def detectable(
    marks: Floats, design: Design, *, alpha: float = 0.05, power: float = 0.8, comparisons: int = 1
) -> float | None:
    """Return the smallest difference of two overall numbers that this board can be expected to find, in marks.

    The median over its pairs of what a paired t test would find, by quantiles of Student's t in place of the noncentral t,
    as is usual for the size of a sample (Cohen 1988, "Statistical Power Analysis", chapter 2), times the standard error of
    the difference. Pairs without any difference, such as a result handed in twice, say nothing and are left out.

    Args:
        marks: (M, S, D) marks that count, means over repeats; nothing is NaN.
        design: How the samples hang together.
        alpha: Of the test, two-sided.
        power: How often such a difference is found.
        comparisons: So many are made at once; alpha is divided among them.

    Returns:
        None with fewer than two models that differ, or where a theme has one scene.

    Raises:
        ValueError: The marks are not these samples', or one is missing.
    """
    design.check(marks)
    themes = strata(design, "theme", seed=0)
    one, other = np.triu_indices(len(marks), 1)
    variances = _variances(marks.mean(axis=2).T, themes)[:, one, other]
    telling = variances.sum(axis=0) > 0
    if not telling.any():
        return None
    variances = variances[:, telling]
    degrees = satterthwaite(variances, np.array([theme.freedom for theme in themes]))
    quantiles = quantile(1 - alpha / 2 / comparisons, degrees) + quantile(power, degrees)
    return float(np.median(quantiles * np.sqrt(variances.sum(axis=0))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """By how much one model's number is higher than another's, in marks.

    Attributes:
        value: The difference.
        interval: 95% interval of it; None where none can be given, as where a theme has one scene.
        p: Two-sided p of the permutation test.
        adjusted: The same after Holm's correction over the numbers of its kind.
    """

    value: float
    interval: Interval | None
    p: float
    adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """Two models on the same samples, the first minus the second.

    Attributes:
        overall: Of the overall numbers; its p needs no correction.
        dimensions: Of every dimension, in the rubric's order, corrected for their number.
        themes: Of every theme, in the design's order, likewise.
        wins: Samples on which the first has the higher mean over dimensions.
        ties: Samples on which they have the same.
        losses: Samples on which the second has the higher.
        by_sample: (S,) differences of the samples' means over dimensions.
        alpha: A smaller corrected p is more than chance.
    """

    overall: Difference
    dimensions: tuple[Difference, ...]
    themes: tuple[Difference, ...]
    wins: int
    ties: int
    losses: int
    by_sample: Floats
    alpha: float


def compare(
    a: Floats, b: Floats, design: Design, *, seed: int = 0, alpha: float = 0.05, flips: int | None = None
) -> Contrast:
    """Compare two models overall, in every dimension and in every theme.

    Args:
        a: (S, D) marks of the first that count, means over repeats; nothing is NaN.
        b: (S, D) those of the second.
        design: How the samples hang together.
        seed: Of the resampling and of the exchanges; at least 0.
        alpha: A smaller corrected p is more than chance.
        flips: Exchanges drawn where there are too many to go through; by itself enough for what is compared.

    Raises:
        ValueError: The marks are not these samples', or one is missing.
    """
    marks = a - b
    design.check(marks)
    marks[np.abs(marks) < EQUAL] = 0.0
    by_sample = marks.mean(axis=1)
    by_sample[np.abs(by_sample) < EQUAL] = 0.0
    inside = design.theme[:, None] == np.arange(len(design.themes))  # (S, T)
    nothing = np.zeros((len(marks), 1))
    columns = np.hstack([by_sample[:, None], marks, by_sample[:, None] * inside * len(design.themes), nothing])
    parts = _by_scene(columns, design)
    last = columns.shape[1] - 1
    each = np.arange(last)
    enough = flips or flips_for(max(marks.shape[1], len(design.themes)), alpha)
    p = flipped(parts, each, np.full(last, last), seed=seed, flips=enough)
    found = intervals(marks[None], design, seed=seed)[0]
    values = parts.sum(axis=0)

    def differences(start: int, given: tuple[Interval | None, ...]) -> tuple[Difference, ...]:
        part = slice(start, start + len(given))
        rows = zip(values[part].tolist(), given, p[part].tolist(), holm(p[part]).tolist(), strict=True)
        return tuple(Difference(value=value, interval=i, p=chance, adjusted=h) for value, i, chance, h in rows)

    return Contrast(
        overall=differences(0, (found.overall,))[0],
        dimensions=differences(1, found.dimensions),
        themes=differences(1 + marks.shape[1], found.themes),
        wins=int((by_sample > 0).sum()),
        ties=int((by_sample == 0).sum()),
        losses=int((by_sample < 0).sum()),
        by_sample=by_sample,
        alpha=alpha,
    )
