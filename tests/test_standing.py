"""Ranks, their intervals and groups, and whether judges agree on the order: against the definitions and by simulation."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from sparkle_bench.stats import Pairs, pairs, rank_agreement, standings
from sparkle_bench.stats.standing import letters
from tests.made_boards import Make, board, made, truth, uneven

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def found_of(overall: list[float], apart: set[tuple[int, int]]) -> Pairs:
    """Every pair of some models, of which those given (in either order) are told apart."""
    numbers = np.array(overall)
    adjusted = np.ones((len(overall), len(overall)))
    for i, j in apart:
        adjusted[i, j] = adjusted[j, i] = 0.01
    difference = numbers[:, None] - numbers[None, :]
    return Pairs(difference=difference, low=difference, high=difference, p=adjusted, adjusted=adjusted, alpha=0.05)


def stand(overall: list[float], apart: set[tuple[int, int]]) -> list[tuple[int, int, int, str]]:
    found = standings(found_of(overall, apart), np.array(overall))
    return [(one.rank, one.low, one.high, one.group) for one in found]


# -- ranks -----------------------------------------------------------------------------------------------------------


def test_models_that_are_all_told_apart_rank_by_their_numbers() -> None:
    assert stand([2.0, 4.0, 3.0], {(0, 1), (0, 2), (1, 2)}) == [(3, 3, 3, "c"), (1, 1, 1, "a"), (2, 2, 2, "b")]


def test_models_that_cannot_be_told_apart_share_rank_and_letter() -> None:
    assert stand([3.0, 3.1, 3.2], set()) == [(1, 1, 3, "a")] * 3
    assert stand([2.0, 3.1, 3.2], {(0, 1), (0, 2)}) == [(3, 3, 3, "b"), (1, 1, 2, "a"), (1, 1, 2, "a")]


def test_a_model_between_two_that_are_told_apart_has_both_letters() -> None:
    assert stand([4.0, 3.0, 2.0], {(0, 2)}) == [(1, 1, 2, "a"), (1, 1, 3, "ab"), (2, 2, 3, "b")]


def test_a_model_that_wavers_does_not_rank_before_a_better_one() -> None:
    """The last one is told apart from none, the one before it from the best."""
    assert stand([4.0, 3.0, 2.9], {(0, 1)}) == [(1, 1, 2, "a"), (2, 2, 3, "b"), (2, 1, 3, "ab")]


def test_models_of_one_number_share_a_rank_whatever_is_found_of_them() -> None:
    assert [one[0] for one in stand([4.0, 3.0, 3.0 + 1e-12, 3.0], {(0, 1)})] == [1, 2, 2, 2]


def test_a_board_of_one() -> None:
    assert stand([3.0], set()) == [(1, 1, 1, "a")]


edges = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] < pair[1]))
numbers = st.lists(st.integers(0, 5).map(float), min_size=7, max_size=7)


@settings(max_examples=300, deadline=None)
@given(overall=numbers, apart=edges, seed=st.integers(0, 2**32 - 1))
def test_whatever_is_found_ranks_follow_the_numbers_and_lie_in_their_intervals(
    overall: list[float], apart: set[tuple[int, int]], seed: int
) -> None:
    apart = {(i, j) for i, j in apart if overall[i] != overall[j]}
    found = stand(overall, apart)
    for i, (rank, low, high, _) in enumerate(found):
        better = [j for j in range(7) if overall[j] > overall[i] and {(i, j), (j, i)} & apart]
        worse = [j for j in range(7) if overall[j] < overall[i] and {(i, j), (j, i)} & apart]
        assert (low, high) == (1 + len(better), 7 - len(worse))
        assert low <= rank <= high
        above = [j for j in range(7) if overall[j] >= overall[i]]
        assert rank == max(found[j][1] for j in above)
        assert all(found[j][0] <= rank for j in above)
    order = np.random.default_rng(seed).permutation(7).tolist()
    moved = stand([overall[i] for i in order], {(order.index(i), order.index(j)) for i, j in apart})
    assert [one[:3] for one in moved] == [found[i][:3] for i in order]


# -- letters ---------------------------------------------------------------------------------------------------------


def graph(models: int, pairs_alike: set[tuple[int, int]]) -> NDArray[Any]:
    alike = np.eye(models, dtype=bool)
    for i, j in pairs_alike:
        alike[i, j] = alike[j, i] = True
    return alike


def check_letters(alike: NDArray[Any], found: list[set[str]]) -> None:
    models = range(len(alike))
    for i, j in itertools.product(models, repeat=2):
        assert bool(found[i] & found[j]) == alike[i, j]
        if alike[i].tolist() == alike[j].tolist() and alike[i, j]:
            assert found[i] == found[j]  # two that are alike to the same ones
    members = [{i for i in models if letter in found[i]} for letter in set.union(*found)]
    for group in members:
        assert not any(alike[i][list(group)].all() for i in models if i not in group)
        others = [other for other in members if other is not group]
        pairs_here = itertools.combinations_with_replacement(sorted(group), 2)
        assert any(not any({i, j} <= other for other in others) for i, j in pairs_here), "a letter that says nothing"


@pytest.mark.parametrize("models", [1, 2, 3, 4, 5])
def test_two_models_share_a_letter_if_and_only_if_they_are_alike(models: int) -> None:
    every = list(itertools.combinations(range(models), 2))
    for chosen in itertools.product((False, True), repeat=len(every)):
        alike = graph(models, {pair for pair, taken in zip(every, chosen, strict=True) if taken})
        found = letters(alike, list(range(models)))
        check_letters(alike, [set(word) for word in found])
        assert "a" in found[0]
        used = sorted(set("".join(found)))
        assert used == list(ALPHABET[: len(used)])


def test_neighbours_in_order_have_one_letter_for_each_run() -> None:
    """Where only distance counts, the letters are the fewest: one for each longest run of models."""
    order = [3, 0, 4, 1, 2]
    places = {model: place for place, model in enumerate(order)}
    near = {(i, j) for i in range(5) for j in range(5) if abs(places[i] - places[j]) <= 2}
    found = letters(graph(5, near), order)
    assert [found[model] for model in order] == ["a", "ab", "abc", "bc", "c"]


def test_fifty_models_in_pairs_told_apart_do_not_explode() -> None:
    """All sets of models alike number 2 to the 25 here."""
    alike = np.ones((50, 50), dtype=bool)
    for first in range(0, 50, 2):
        alike[first, first + 1] = alike[first + 1, first] = False
    found = letters(alike, list(range(50)))
    check_letters(alike, [set(word.split()) for word in found])
    assert len(set(" ".join(found).split())) < 50 * 49 / 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_letters_of_fifty_models_mean_what_they_say(share: float) -> None:
    chosen = np.random.default_rng(1).random((50, 50)) < share
    alike = chosen | chosen.T | np.eye(50, dtype=bool)
    found = letters(alike, list(range(50)))
    check_letters(alike, [set(word.split()) for word in found])
    assert letters(alike, list(range(50))) == found


def test_after_z_come_two_letters() -> None:
    found = letters(np.eye(54, dtype=bool), list(range(54)))
    assert found[:2] + found[25:28] + found[51:] == ["a", "b", "z", "aa", "ab", "az", "ba", "bb"]


# -- ranks by simulation ---------------------------------------------------------------------------------------------

LEVELS = (3.1, 3.3, 3.3, 3.35, 4.0)
"""Of five models: two are the same, one is hardly better, one clearly is."""


def test_all_rank_intervals_hold_the_true_ranks_together_on_95_percent_of_boards() -> None:
    where, rng = uneven(10, 40, 0.5, seed=1), np.random.default_rng(2)
    makes = [Make(level=level) for level in LEVELS]
    true = [truth(make, scenes=50_000).mean() for make in makes]
    least = [1 + sum(a > b + 1e-9 for a in true) for b in true]
    boards, held, decided = 300, 0, 0
    marks = np.stack([made(make, where, boards, rng) for make in makes], axis=1)
    for seed, one in enumerate(marks):
        found = standings(pairs(one, where, flips=999, seed=seed), board(one, where).mean(axis=(1, 2)))
        held += all(s.low <= rank <= s.high for s, rank in zip(found, least, strict=True))
        decided += found[4].high < 5
    assert held / boards >= 0.95
    assert decided / boards > 0.8  # the intervals are not merely wide


# -- two judges ------------------------------------------------------------------------------------------------------


def by_definition(x: list[float], y: list[float]) -> tuple[float, float]:
    """Kendall's tau-b by counting pairs, Spearman's rho as the correlation of mean ranks."""
    concordant = sum(np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]) for i, j in itertools.combinations(range(len(x)), 2))
    distinct = [sum(v[i] != v[j] for i, j in itertools.combinations(range(len(v)), 2)) for v in (x, y)]
    ranks = [[sum(b < a for b in v) + (sum(b == a for b in v) + 1) / 2 for a in v] for v in (x, y)]
    return float(concordant) / math.sqrt(distinct[0] * distinct[1]), statistics.correlation(*ranks)


numbers_of_models = st.integers(3, 6).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 4).map(float), min_size=n, max_size=n) for _ in range(2)))
)


@settings(max_examples=40, deadline=None)
@given(numbers_of_models)
def test_agreement_is_that_of_the_definition_and_p_of_all_orders(both: tuple[list[float], list[float]]) -> None:
    x, y = both
    one, other = ({f"m{i}": value for i, value in enumerate(values)} for values in both)
    found = rank_agreement({**one, "only here": 1.0}, {**other, "only there": 1.0})
    assert found is not None
    assert found.shared == len(x)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert (found.kendall, found.kendall_p, found.spearman, found.spearman_p) == (None,) * 4
        return
    kendall, spearman = by_definition(x, y)
    assert (found.kendall, found.spearman) == pytest.approx((kendall, spearman))
    orders = [by_definition(x, list(order)) for order in itertools.permutations(y)]
    assert found.kendall_p == pytest.approx(np.mean([abs(k) >= abs(kendall) - 1e-9 for k, _ in orders]))
    assert found.spearman_p == pytest.approx(np.mean([abs(s) >= abs(spearman) - 1e-9 for _, s in orders]))


@pytest.mark.parametrize("models", [5, 8, 9, 20, 50])
def test_without_ties_agreement_is_scipys(models: int) -> None:
    rng = np.random.default_rng(models)
    x = rng.normal(3, 1, models)
    y = x + rng.normal(0, 1, models)
    names = [f"m{i}" for i in range(models)]
    found = rank_agreement(dict(zip(names, x, strict=True)), dict(zip(names, y, strict=True)))
    theirs, rho = scipy_stats.kendalltau(x, y), scipy_stats.spearmanr(x, y)
    assert found is not None
    assert (found.kendall, found.spearman) == pytest.approx((theirs.statistic, rho.statistic))
    assert found.kendall_p == pytest.approx(theirs.pvalue)
    assert models <= 8 or found.spearman_p == pytest.approx(rho.pvalue)  # of fewer, scipy's is no exact one


def test_numbers_that_are_equal_but_for_rounding_tie() -> None:
    one = {"a": 0.1 + 0.2, "b": 0.3, "c": 0.5, "d": 0.7}
    other = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert rank_agreement(one, other) == rank_agreement({**one, "a": 0.3}, other)


def test_boards_that_share_too_few_models_say_nothing() -> None:
    assert rank_agreement({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 1.0, "b": 2.0, "d": 3.0}) is None


def test_the_same_order_agrees_fully_and_the_reverse_not_at_all() -> None:
    one = {name: float(place) for place, name in enumerate("abcde")}
    turned = {name: -value for name, value in one.items()}
    same, reverse = rank_agreement(one, one), rank_agreement(one, turned)
    assert same is not None
    assert reverse is not None
    assert (same.kendall, same.spearman) == pytest.approx((1, 1))
    assert (reverse.kendall, reverse.spearman) == pytest.approx((-1, -1))
    assert same.kendall_p == reverse.spearman_p == pytest.approx(2 / 120)
