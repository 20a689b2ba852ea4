"""How sure a board's numbers are: 95% intervals by bootstrap over scenes. Pure.

An interval says where the number would lie over scenes like these, not over these scenes judged again, though the judge's
own noise is part of it. How it is made:

- Scenes are resampled, never samples, for samples of a scene go together. Every theme's scenes are resampled among
  themselves, for the themes are fixed; of `k` scenes `k - 1` are drawn with replacement, which leaves the variance of a mean
  unbiased (Rao and Wu 1988, Journal of the American Statistical Association 83:231). The drawn samples' mean is a ratio, of
  sums of marks to numbers of samples, since scenes differ in size. All models see the same draws.
- The resampled mean is linear in the scenes' sums, so its variance over the draws is that of the draws' weights, a matrix,
  between the sums: exactly what resampling the marks would give, for as many models as there are.
- With few scenes, or uneven ones, that variance is too small on average and too unsteady for the normal distribution. Both
  are mended as Bell and McCaffrey do (2002, Survey Methodology 28:169; Imbens and Kolesár 2016, Review of Economics and
  Statistics 98:701): under a working model, samples of a scene correlated by `CORRELATION`, the variance is scaled to be
  right on average, and its degrees of freedom are those that match its own mean and variance. For scenes of one size this
  does nothing but leave `k - 1` degrees of freedom.
- The interval is the number plus and minus Student's t quantile times the standard error. The degrees of freedom of means
  over themes are Satterthwaite's (1946, Biometrics Bulletin 2:110).

Percentile intervals were tried and left: with ten scenes a theme they hold 89 to 93% in place of 95, with three 75%. Expanded
ones (Hesterberg 2015, The American Statistician 69:371) and bootstrap-t hold where there are many scenes, and fail with
three, whose resamples are too few to have a tail.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sparkle_bench.stats.design import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Level = Literal["theme", "subtheme"]

CONFIDENCE = 0.95
DRAWS = 4000
CORRELATION = 0.3
"""Of the samples of a scene, in the working model. Between 0.3 and 1 it hardly matters; at 0 uneven scenes are covered too
seldom, as if there were no model."""
FEWEST_ALIKE = 10
"""So many scenes that all give the same number make an interval of no width; of fewer that would claim too much."""
NOTHING = 1e-18
"""A smaller variance, in square marks, is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95% interval, in marks; it contains the number that it is of.

    Attributes:
        low: Its lower end.
        high: Its upper end.
    """

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """The intervals of one model's numbers; None where one scene alone, or few that are all alike, tell nothing of others.

    Attributes:
        overall: Of the headline number; None if any theme has one scene.
        dimensions: Of every dimension, in the rubric's order; likewise.
        themes: Of every theme, in the design's order.
        subthemes: Of every subtheme, in the design's order; its own scenes alone are resampled.
    """

    overall: Interval | None
    dimensions: tuple[Interval | None, ...]
    themes: tuple[Interval | None, ...]
    subthemes: tuple[Interval | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stratum:
    """The scenes of one theme or subtheme, and what resampling them does to a mean.

    Attributes:
        samples: (s,) which samples are in it.
        members: (k, s) 1 where a sample belongs to a scene.
        spread: (k, k) variance of the resampled mean as a form in the scenes' sums, scaled; NaN for one scene.
        freedom: Degrees of freedom of that variance; 0 for one scene.
    """

    samples: NDArray[np.intp]
    members: Floats
    spread: Floats
    freedom: float

    def means(self, values: Floats) -> Floats:
        """Return (K,) means over its samples of (S, K) numbers."""
        found: Floats = values[self.samples].mean(axis=0)
        return found

    def covariance(self, values: Floats) -> Floats:
        """Return (K, K) covariance of the means."""
        sums = self._sums(values)
        found: Floats = sums.T @ self.spread @ sums
        return found

    def variance(self, values: Floats) -> Floats:
        """Return (K,) variance of the means."""
        sums = self._sums(values)
        found: Floats = np.maximum((sums * (self.spread @ sums)).sum(axis=0), 0.0)
        return found

    def _sums(self, values: Floats) -> Floats:
        """Return (k, K) the scenes' sums; of deviations, for a constant adds nothing to the variance but rounding."""
        sums: Floats = self.members @ (values[self.samples] - self.means(values))
        return sums


@functools.lru_cache(maxsize=16)
def strata(design: Design, level: Level, *, seed: int, draws: int = DRAWS) -> tuple[Stratum, ...]:
    """Return the scenes of every theme or subtheme, resampled.

    What is drawn depends on the seed, the name and the scenes' number, so that neither other themes nor the samples' order
    changes it.
    """
    if level == "theme":
        within, names = design.theme, design.themes
    else:
        within, names = design.subtheme, tuple("/".join(pair) for pair in design.subthemes)
    found = []
    for index, name in enumerate(names):
        samples = np.flatnonzero(within == index)
        scenes, scene = np.unique(design.scene[samples], return_inverse=True)
        members = (scene[None, :] == np.arange(len(scenes))[:, None]).astype(np.float64)
        rng = np.random.default_rng((seed, *name.encode(errors="surrogatepass")))
        spread, freedom = _spread(members.sum(axis=1), drawn(rng, len(scenes), draws))
        found.append(Stratum(samples=samples, members=members, spread=spread, freedom=freedom))
    return tuple(found)


def drawn(rng: np.random.Generator, scenes: int, draws: int) -> Floats:
    """Return (draws, scenes) how often each scene is drawn: one fewer in all than there are."""
    return rng.multinomial(scenes - 1, np.full(scenes, 1 / scenes), size=draws).astype(np.float64)


def _spread(sizes: Floats, counts: Floats) -> tuple[Floats, float]:
    """Return the matrix and the degrees of freedom of a stratum.

    Args:
        sizes: (k,) samples of each scene.
        counts: (draws, k) how often each is drawn.
    """
    scenes = len(sizes)
    if scenes < 2:
        return np.full((scenes, scenes), np.nan), 0.0
    raw = np.cov(counts / (counts @ sizes)[:, None], rowvar=False)
    sums = sizes * (1 + (sizes - 1) * CORRELATION)  # the variance of a scene's sum in the working model
    expected = raw * sums[None, :]
    spread: Floats = raw * (sums.sum() / sizes.sum() ** 2 / np.trace(expected))
    return spread, float(np.trace(expected) ** 2 / (expected * expected.T).sum())


def half_width(variances: Floats, parts: Sequence[Stratum]) -> Floats:
    """Return half the width of the 95% interval of a sum of independent parts; NaN where none can be given.

    Args:
        variances: (n, ...) of the parts.
        parts: Their scenes.
    """
    total = variances.sum(axis=0)
    freedom = satterthwaite(variances, np.array([part.freedom for part in parts]))
    half: Floats = quantile((1 + CONFIDENCE) / 2, freedom) * np.sqrt(total)
    if sum(len(part.members) for part in parts) < FEWEST_ALIKE:
        half[total < NOTHING] = np.nan
    return half


def satterthwaite(variances: Floats, freedom: Floats) -> Floats:
    """Return (...) the degrees of freedom of sums of (n, ...) variances, of (n,) degrees each."""
    each = np.maximum(freedom, 1.0).reshape(-1, *(1,) * (variances.ndim - 1))
    parts = (variances**2 / each).sum(axis=0)
    known = parts > 0
    total = variances.sum(axis=0)
    found: Floats = np.where(known, total**2 / np.where(known, parts, 1.0), max(freedom.sum(), 1.0))
    return found


def quantile(probability: float, freedom: Floats) -> Floats:
    """Return Student's t quantiles."""
    from scipy import special  # a tenth of the start of scipy.stats

    found: Floats = special.stdtrit(freedom, probability)
    return found


def intervals(
    marks: Floats,
    design: Design,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    scale: tuple[float, float] | None = None,
) -> list[Intervals]:
    """Return the 95% intervals of every model's numbers.

    A dimension is the mean over themes of the mean over samples; a theme or subtheme the mean over dimensions; the overall
    number the mean of both.

    Args:
        marks: (M, S, D) marks that count, means over repeats; nothing is NaN.
        design: How the samples hang together.
        seed: Of the resampling, which is the same for all models; at least 0.
        draws: Resamples.
        scale: The lowest and the highest mark; an interval is cut there, for no number can lie beyond.

    Raises:
        ValueError: The marks are not these samples', or one is missing.
    """
    design.check(marks)
    models, samples, dimensions = marks.shape
    values = np.concatenate([marks, marks.mean(axis=2, keepdims=True)], axis=2)  # the last is the mean over dimensions
    columns = values.transpose(1, 0, 2).reshape(samples, -1)
    shape = (-1, models, dimensions + 1)
    themes = strata(design, "theme", seed=seed, draws=draws)
    means = np.array([theme.means(columns) for theme in themes]).reshape(shape)
    variances = np.array([theme.variance(columns) for theme in themes]).reshape(shape)
    half = half_width(variances / len(themes) ** 2, themes)
    board = _cut(means.mean(axis=0), half, scale)
    parts = [*themes, *strata(design, "subtheme", seed=seed, draws=draws)]
    whole = np.ascontiguousarray(values[:, :, -1].T)
    each = [half_width(part.variance(whole)[None], [part]) for part in parts]
    divided = _cut(np.array([part.means(whole) for part in parts]).T, np.array(each).T, scale)
    return [
        Intervals(
            overall=board[model][-1],
            dimensions=board[model][:-1],
            themes=divided[model][: len(themes)],
            subthemes=divided[model][len(themes) :],
        )
        for model in range(models)
    ]


def _cut(middle: Floats, half: Floats, scale: tuple[float, float] | None) -> list[tuple[Interval | None, ...]]:
    """Return an interval for every number of (M, n), within the scale."""
    lowest, highest = (-math.inf, math.inf) if scale is None else scale
    low, high = np.maximum(middle - half, lowest), np.minimum(middle + half, highest)
    rows = zip(low.tolist(), high.tolist(), strict=True)
    return [
        tuple(None if math.isnan(a) else Interval(low=a, high=b) for a, b in zip(*row, strict=True)) for row in rows
    ]
