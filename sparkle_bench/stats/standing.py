"""Where a model stands: its rank, how far the rank is known, and whom it cannot be told apart from. Pure.

Two models are told apart if their corrected p is below alpha (`paired`). As long as no two are told apart wrongly, a model's
true rank is at least 1 plus the number of those found better, and at most M less the number of those found worse, for every
model at once: a simultaneous confidence set for all ranks (Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic
Studies 91:476). Holm's correction keeps the chance of one wrong claim below alpha; that a claim may also be wrong by its
direction adds nothing to it for independent statistics (Shaffer 1980, Annals of Statistics 8:1342), and in simulation.

The rank itself is 1 plus the number of those found better, so that models which cannot be told apart from the same better
ones share it. That alone could set a model before a better one: of two close models the one that wavers more is found worse
than fewer. So the rank is at least that of every model with a higher number. It still lies in the interval: whoever is found
better than a model with a higher number, and whoever is found worse than this one, are different models.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.stats.paired import EQUAL, Pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one model stands on a board.

    Attributes:
        rank: 1 for the best; never smaller than that of a model with a higher number, and the same for equal numbers.
        low: The best rank that it may have, at the confidence of the pairs' alpha, for all models at once.
        high: The worst.
        group: Letters; two models share one if and only if they are not told apart. Without a space up to `z`; where a board
            needs more (`aa`, `ab`, …), with a space between two.
    """

    rank: int
    low: int
    high: int
    group: str


def standings(found: Pairs, overall: Floats) -> list[Standing]:
    """Return where every model stands, in the models' order.

    Args:
        found: Every pair of the M models.
        overall: (M,) their overall numbers, which the differences are of.
    """
    models = len(overall)
    above = found.apart & (found.difference > 0)  # row is better than column
    low = 1 + above.sum(axis=0)
    high = models - above.sum(axis=1)
    order = sorted(range(models), key=lambda model: (-overall[model], model))
    rank = np.empty(models, dtype=int)
    highest = 1
    for tied in _tied(order, overall):
        highest = max(highest, *(int(low[model]) for model in tied))
        rank[tied] = highest
    groups = letters(~(above | above.T), order)
    return [Standing(rank=int(rank[m]), low=int(low[m]), high=int(high[m]), group=groups[m]) for m in range(models)]


def _tied(order: list[int], overall: Floats) -> Iterator[list[int]]:
    """Give models of equal numbers together, best first."""
    tied: list[int] = []
    for model in order:
        if tied and overall[tied[-1]] - overall[model] >= EQUAL:
            yield tied
            tied = []
        tied.append(model)
    if tied:
        yield tied


def letters(alike: Flags, order: list[int]) -> list[str]:
    """Return each model's letters: two share one if and only if they are alike.

    A compact letter display (Piepho 2004, Journal of Computational and Graphical Statistics 13:456). A letter is a group all
    of whom are alike, as large as can be. Piepho's own way can make exponentially many; here groups are made, from the best
    model down, only while some two that are alike share none, so that there are at most as many as such pairs.

    Args:
        alike: (M, M) symmetric, whether two models are not told apart.
        order: The models, best first: the best one has an `a`.
    """
    ranked = alike[np.ix_(order, order)].copy()
    np.fill_diagonal(ranked, True)
    groups = _cover(ranked)
    names = list(itertools.islice(_names(), len(groups)))
    gap = " " if len(groups) > 26 else ""
    found = [""] * len(order)
    for place, model in enumerate(order):
        found[model] = gap.join(name for name, group in zip(names, groups, strict=True) if place in group)
    return found


def _cover(alike: Flags) -> list[frozenset[int]]:
    """Return groups of models all alike that hold every pair that is alike."""
    models = len(alike)
    left = alike.copy()  # a model alone is a pair with itself
    groups: set[frozenset[int]] = set()
    for one in range(models):
        while left[one, one:].any():
            other = one + int(np.flatnonzero(left[one, one:])[-1])
            group = _grown(alike, one, other)
            left[np.ix_(group, group)] = False
            groups.add(frozenset(group))
    return sorted(_needed(groups), key=sorted)


def _grown(alike: Flags, one: int, other: int) -> list[int]:
    """Return the two and, best first, whoever is like all of the group so far."""
    group = [one, other] if one != other else [one]
    fits = alike[one] & alike[other]
    fits[group] = False
    for place in range(len(alike)):
        if fits[place]:
            group.append(place)
            fits &= alike[place]
            fits[place] = False
    return group


def _needed(groups: set[frozenset[int]]) -> list[frozenset[int]]:
    """Return the groups without those whose every pair is in another one."""
    kept = sorted(groups, key=sorted)
    for group in list(kept):
        others = [other for other in kept if other is not group]
        pairs = itertools.combinations_with_replacement(sorted(group), 2)
        if all(any(pair[0] in other and pair[1] in other for other in others) for pair in pairs):
            kept = others
    return kept


def _names() -> Iterator[str]:
    """Give a, b, …, z, aa, ab and so on."""
    for length in itertools.count(1):
        for word in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=length):
            yield "".join(word)
