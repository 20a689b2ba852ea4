"""Do two judges put models in the same order? Rank agreement of two boards. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_ENUMERATED = 8
"""Up to so many models all orders are gone through: 40,320 of them."""
TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class RankAgreement:
    """How far two boards agree on the order of the models that they share.

    There is no interval: the models on a board are no sample of models.

    Attributes:
        shared: Models on both.
        kendall: Kendall's tau-b, -1 to 1 (Kendall 1945, Biometrika 33:239); None where one board gives all the same number.
        kendall_p: How often orders that have nothing to do with each other agree, or disagree, as far; None likewise.
        spearman: Spearman's rho, -1 to 1; None likewise.
        spearman_p: Likewise.
    """

    shared: int
    kendall: float | None
    kendall_p: float | None
    spearman: float | None
    spearman_p: float | None


def rank_agreement(one: Mapping[str, float], other: Mapping[str, float]) -> RankAgreement | None:
    """Return how far two boards agree on the models that both have.

    Up to eight models p is exact, ties or none. Beyond, Kendall's is scipy's (exact up to 33 models without ties, else
    normal) and Spearman's is by Student's t.

    Args:
        one: Overall number by model.
        other: The other board's.

    Returns:
        None with fewer than three models on both.
    """
    names = sorted(set(one) & set(other))
    if len(names) < 3:
        return None
    x, y = _steps([one[name] for name in names]), _steps([other[name] for name in names])
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return RankAgreement(shared=len(names), kendall=None, kendall_p=None, spearman=None, spearman_p=None)
    from scipy import stats

    kendall, spearman = stats.kendalltau(x, y), stats.spearmanr(x, y)
    chances = float(kendall.pvalue), float(spearman.pvalue)
    if len(names) <= MOST_ENUMERATED:
        chances = _exact(_signs(x), _signs(y)), _exact(stats.rankdata(x)[:, None], stats.rankdata(y)[:, None])
    return RankAgreement(
        shared=len(names),
        kendall=float(kendall.statistic),
        kendall_p=chances[0],
        spearman=float(spearman.statistic),
        spearman_p=chances[1],
    )


def _steps(numbers: list[float]) -> Floats:
    """Return the numbers' places in order, from 0; those that are equal but for rounding share one."""
    order = sorted(range(len(numbers)), key=lambda index: numbers[index])
    places = np.zeros(len(numbers))
    for before, after in itertools.pairwise(order):
        places[after] = places[before] + (numbers[after] - numbers[before] > TIE)
    return places


def _signs(places: Floats) -> Floats:
    """Return (n, n) which of two comes first: Kendall's tau is a correlation of these (Daniels 1944, Biometrika 33:129)."""
    return np.sign(places[:, None] - places[None, :])


def _exact(x: Floats, y: Floats) -> float:
    """Return the share of all orders of the second in which the correlation is as far from 0."""
    x, y = x - x.mean(axis=0).mean(), y - y.mean(axis=0).mean()
    orders = np.array(list(itertools.permutations(range(len(y)))))
    square = y.shape[1] > 1
    moved = y[orders[:, :, None], orders[:, None, :]] if square else y[orders]
    sums = np.abs((moved * x).sum(axis=(1, 2)))
    return float((sums >= abs((x * y).sum()) - TIE).mean())
