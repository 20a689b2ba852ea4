"""Is a difference of two models more than chance? Their labels are exchanged, scene by scene. Pure.

If it does not matter which of two models made an edit, then exchanging their names in a scene changes nothing but the sign
of what that scene adds to the difference (Fisher's randomisation test; Pitman 1937). Whole scenes are exchanged, for samples
of a scene are not independent. Where few scenes tell two models apart, all exchanges are gone through; else they are drawn,
the same for all pairs, and the true one counts as one of them (Phipson and Smyth 2010, Statistical Applications in Genetics
and Molecular Biology 9:39).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_ENUMERATED = 14
"""Up to so many scenes that tell two models apart, all exchanges are gone through."""
FEWEST_FLIPS = 20_000
MOST_FLIPS = 1_000_000
MOST_SIGNS = 1_500_000
"""So many are drawn at a time, to bound memory."""
TIE = 1e-10
"""Two differences as near as this, in marks, are equal but for rounding: true ones are steps of a mark over some thousand."""


def flips_for(tests: int, alpha: float) -> int:
    """Return how many exchanges to draw so that a p of 1 in so many is well below alpha after correction.

    That holds for up to some 300 models; the corrected p of more is never small, however clear a difference is.
    """
    return min(MOST_FLIPS, max(FEWEST_FLIPS, math.ceil(4 * tests / alpha)))


def holm(p: Floats) -> Floats:
    """Return p corrected for their number (Holm 1979, Scandinavian Journal of Statistics 6:65), in the same order."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def flipped(parts: Floats, one: NDArray[np.intp], other: NDArray[np.intp], *, seed: int, flips: int) -> Floats:
    """Return (P,) the two-sided p of the difference of each of P pairs of numbers; 1 for two that are the same.

    Args:
        parts: (C, K) what each scene adds to each number.
        one: (P,) the first number of each pair.
        other: (P,) the second.
        seed: Of the exchanges drawn; at least 0.
        flips: How many, where there are too many to go through.
    """
    found = np.ones(len(one))
    drawn = []
    for pair in range(len(one)):
        added = parts[:, one[pair]] - parts[:, other[pair]]
        telling = added[np.abs(added) > TIE]
        if len(telling) > MOST_ENUMERATED:
            drawn.append(pair)
        elif len(telling):
            found[pair] = _enumerated(telling)
    if drawn:
        found[drawn] = _drawn(parts, one[drawn], other[drawn], seed=seed, flips=flips)
    return found


def _enumerated(added: Floats) -> float:
    """Return the share of all exchanges that give as much; the first keeps its sign, for p is two-sided."""
    sums = added[:1]
    for part in added[1:]:
        sums = np.concatenate([sums + part, sums - part])
    return float((np.abs(sums) >= abs(added.sum()) - TIE).mean())


def _drawn(parts: Floats, one: NDArray[np.intp], other: NDArray[np.intp], *, seed: int, flips: int) -> Floats:
    parts = parts - parts.mean(axis=1, keepdims=True)  # no difference changes, and rounding is less
    totals = parts.sum(axis=0)
    observed = np.abs(totals[one] - totals[other]) - TIE
    counts = np.ones(len(one))  # the true labels
    for signs in _signs(np.random.default_rng(seed), flips, len(parts)):
        sums = (signs @ parts).T.copy()  # (K, flips): a number's sums lie together
        counts += [
            np.count_nonzero(np.abs(sums[i] - sums[j]) >= o) for i, j, o in zip(one, other, observed, strict=True)
        ]
    return counts / (flips + 1)


def _signs(rng: np.random.Generator, flips: int, scenes: int) -> Iterator[Floats]:
    """Give (n, scenes) of +1 and -1 at random, in all so many rows."""
    rows = max(1, MOST_SIGNS // scenes)
    for start in range(0, flips, rows):
        heads = rng.integers(2, size=(min(rows, flips - start), scenes), dtype=np.int8)
        yield (2 * heads - 1).astype(np.float64)
