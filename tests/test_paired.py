"""Two models on the same samples: against loops, against scipy's permutation test, and by simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from sparkle_bench.stats import Difference, Interval, compare, detectable, intervals, judge_error, pairs
from sparkle_bench.stats.permutation import FEWEST_FLIPS, MOST_FLIPS, flipped, flips_for, holm
from tests.made_boards import Make, board, laid_out, made, truth, uneven

SMALL = laid_out([[3, 1, 2, 5], [2, 2], [1, 4, 1, 1, 2]])
REAL = uneven(24, 115, 0.6)


def marks_of(models: int, samples: int, dimensions: int = 3, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(1, 6, (models, samples, dimensions)).astype(float)


def first(columns: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Each number against the last one."""
    return np.arange(columns - 1), np.full(columns - 1, columns - 1)


def p_of(parts: list[float], flips: int = 20_000, seed: int = 0) -> float:
    """The p of what scenes add to one difference."""
    columns = np.column_stack([parts, np.zeros(len(parts))])
    return float(flipped(columns, *first(2), seed=seed, flips=flips)[0])


# -- the permutation test --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenes", [1, 2, 3, 8, 12])
def test_few_scenes_are_gone_through_as_scipy_does(scenes: int) -> None:
    parts = np.random.default_rng(scenes).normal(0.4, 1, scenes)
    theirs = 1.0
    if scenes > 1:
        theirs = scipy_stats.permutation_test(
            (parts, np.zeros(scenes)), lambda x, y, axis: (x - y).sum(axis), permutation_type="samples",
            vectorized=True, n_resamples=math.inf,
        ).pvalue  # fmt: skip
    assert p_of(parts.tolist()) == pytest.approx(theirs)


def test_many_scenes_are_drawn_and_come_close_to_going_through_all() -> None:
    parts = np.random.default_rng(3).normal(0.7, 1, 18)
    sums = np.zeros(1)
    for part in parts:
        sums = np.concatenate([sums + part, sums - part])
    exact = float((np.abs(sums) >= abs(parts.sum()) - 1e-12).mean())
    assert 0.01 < exact < 0.5
    assert p_of(parts.tolist(), flips=100_000) == pytest.approx(exact, abs=0.005)
    theirs = scipy_stats.permutation_test(
        (parts, np.zeros(18)), lambda x, y, axis: (x - y).sum(axis), permutation_type="samples", vectorized=True,
        n_resamples=20_000, rng=np.random.default_rng(0),
    ).pvalue  # fmt: skip
    assert p_of(parts.tolist(), flips=100_000) == pytest.approx(theirs, abs=0.02)


def test_the_true_labels_count_among_those_drawn() -> None:
    assert p_of([1.0] * 40, flips=999) == 1 / 1000


def test_sums_that_are_equal_but_for_rounding_are_equal() -> None:
    few, many = [0.1, 0.2, 0.3, -0.6, 0.3, 0.1], [0.1, 0.2, -0.3] * 6
    assert p_of(few) == np.mean([
        abs(sum(s * round(10 * part) for s, part in zip(signs, few, strict=True))) >= 4
        for signs in itertools.product((1, -1), repeat=6)
    ])  # fmt: skip
    assert p_of(many, flips=500) == 1.0  # the true difference is nothing, which any is at least


def test_scenes_that_tell_nothing_apart_do_not_count() -> None:
    parts = [0.5, 0.25, 0.25, 0.5]
    assert p_of([*parts, *[0.0] * 40]) == p_of(parts) == 2 / 16
    assert p_of([*parts, *[1e-17] * 40]) == 2 / 16
    assert p_of([0.0] * 30) == p_of([1e-17] * 30) == p_of([]) == 1.0


def test_all_pairs_have_the_p_that_each_has_alone() -> None:
    parts = np.random.default_rng(0).normal(0, 1, (20, 4)) + np.array([0.0, 0.2, 0.4, 0.0])
    one, other = np.triu_indices(4, 1)
    together = flipped(parts, one, other, seed=5, flips=40_000)
    for index, (i, j) in enumerate(zip(one, other, strict=True)):
        alone = flipped(parts[:, [i, j]], np.array([0]), np.array([1]), seed=5, flips=40_000)
        assert together[index] == alone[0]


def test_enough_is_drawn_for_holm_to_find_the_clearest_pair() -> None:
    assert flips_for(1, 0.05) == FEWEST_FLIPS
    for models in (10, 50, 100, 300):
        tests = models * (models - 1) // 2
        assert tests / (flips_for(tests, 0.05) + 1) < 0.05
    assert flips_for(10**6, 0.05) == MOST_FLIPS


@settings(max_examples=200, deadline=None)
@given(p=st.lists(st.floats(0.0, 1.0), max_size=7))
def test_holm_is_the_least_alpha_at_which_stepping_down_rejects(p: list[float]) -> None:
    def rejected(alpha: float) -> set[int]:
        found: set[int] = set()
        for step, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[index] * (len(p) - step) > alpha:
                break
            found.add(index)
        return found

    levels = sorted({min(1.0, value * n) for value in p for n in range(1, len(p) + 1)})
    wanted = [next((level for level in levels if index in rejected(level)), 1.0) for index in range(len(p))]
    assert holm(np.array(p)).tolist() == pytest.approx(wanted)


# -- every pair of a board -------------------------------------------------------------------------------------------


def test_differences_are_those_of_the_overall_numbers() -> None:
    marks = marks_of(4, len(SMALL.theme))
    found = pairs(marks, SMALL)
    overall = board(marks, SMALL).mean(axis=(1, 2))
    for i, j in itertools.product(range(4), repeat=2):
        assert found.difference[i, j] == pytest.approx(overall[i] - overall[j])
        assert found.low[i, j] == pytest.approx(-found.high[j, i])
        assert (found.p[i, j], found.adjusted[i, j]) == (found.p[j, i], found.adjusted[j, i])
    assert found.p.diagonal().tolist() == [1.0] * 4
    upper = np.triu_indices(4, 1)
    assert found.adjusted[upper].tolist() == holm(found.p[upper]).tolist()


def test_the_interval_of_a_difference_is_that_of_a_model_with_the_difference_as_its_marks() -> None:
    marks = marks_of(3, len(SMALL.theme))
    found = pairs(marks, SMALL, seed=3)
    for i, j in itertools.permutations(range(3), 2):
        alone = intervals((marks[i] - marks[j])[None], SMALL, seed=3)[0].overall
        assert alone is not None
        assert (found.low[i, j], found.high[i, j]) == pytest.approx((alone.low, alone.high))


def test_p_is_that_of_exchanging_the_models_scene_by_scene() -> None:
    where = laid_out([[3, 1, 2], [2, 2], [1, 4]])
    marks = marks_of(2, len(where.theme), seed=8)
    true = abs(np.subtract(*board(marks, where).mean(axis=(1, 2))))
    as_far = 0
    for exchanged in itertools.product((False, True), repeat=where.scenes):
        swapped = np.array(exchanged)[where.scene]
        other = np.where(swapped[None, :, None], marks[::-1], marks)
        as_far += abs(np.subtract(*board(other, where).mean(axis=(1, 2)))) >= true - 1e-9
    assert pairs(marks, where).p[0, 1] == pytest.approx(as_far / 2**where.scenes)


def test_a_result_handed_in_twice_is_not_better_than_itself() -> None:
    marks = made(Make(), REAL, 3, np.random.default_rng(0)) / 3
    twice = np.concatenate([marks, (marks[:1] * 3 + 0.1) / 3 - 0.1 / 3])  # the same but for rounding
    found = pairs(twice, REAL)
    assert (found.difference[0, 3], found.low[0, 3], found.high[0, 3]) == (0.0, 0.0, 0.0)
    assert found.p[0, 3] == found.adjusted[0, 3] == 1.0
    assert not found.better(0, 3)


def test_a_clearly_better_model_is_better_and_the_other_is_not() -> None:
    marks = made(Make(level=3.0), REAL, 2, np.random.default_rng(1))
    found = pairs(np.minimum(marks + np.array([1.0, 0.0])[:, None, None], 5), REAL)
    assert (found.better(0, 1), found.better(1, 0), found.better(0, 0)) == (True, False, False)
    assert found.low[0, 1] > 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(-2, 2))
def test_pairs_follow_their_models_and_a_constant_changes_nothing(seed: int, shift: int) -> None:
    marks = marks_of(4, len(SMALL.theme), seed=seed)
    order = np.random.default_rng(seed).permutation(4)
    found, moved = pairs(marks, SMALL, flips=200), pairs(marks[order] + shift, SMALL, flips=200)
    for name in ("difference", "low", "high", "p", "adjusted"):
        np.testing.assert_allclose(getattr(moved, name), getattr(found, name)[np.ix_(order, order)], atol=1e-9)


def test_a_board_of_one_model_has_no_pair() -> None:
    found = pairs(marks_of(1, len(SMALL.theme)), SMALL)
    assert found.adjusted.tolist() == [[1.0]]
    assert detectable(marks_of(1, len(SMALL.theme)), SMALL) is None


def test_where_a_theme_has_one_scene_there_is_a_p_but_no_interval() -> None:
    where = laid_out([[2, 3, 1], [4]])
    found = pairs(marks_of(2, 10), where)
    assert np.isnan(found.low).all()
    assert 0 < found.p[0, 1] <= 1
    assert detectable(marks_of(2, 10), where) is None


def test_a_seed_gives_one_result_and_another_seed_another() -> None:
    marks = made(Make(), REAL, 3, np.random.default_rng(0))
    found, same, other = pairs(marks, REAL, seed=1), pairs(marks, REAL, seed=1), pairs(marks, REAL, seed=2)
    for name in ("difference", "low", "high", "p", "adjusted"):
        np.testing.assert_array_equal(getattr(found, name), getattr(same, name))
    assert (found.p != other.p).any()
    assert (found.low != other.low).any()
    np.testing.assert_allclose(found.p, other.p, atol=0.02)


# -- two models ------------------------------------------------------------------------------------------------------


def test_two_models_compare_as_on_a_board() -> None:
    marks = made(Make(), REAL, 2, np.random.default_rng(4))
    found, together = compare(marks[0], marks[1], REAL, seed=6), pairs(marks, REAL, seed=6)
    assert found.overall.value == pytest.approx(together.difference[0, 1])
    assert found.overall.p == found.overall.adjusted == together.p[0, 1]
    assert found.overall.interval is not None
    ends = found.overall.interval.low, found.overall.interval.high
    assert ends == pytest.approx((together.low[0, 1], together.high[0, 1]))


def test_each_dimension_and_theme_is_compared_by_itself() -> None:
    where = laid_out([[3, 1, 2, 5], [2, 2, 6], [1, 4, 1, 1, 2]])
    a, b = marks_of(2, len(where.theme), seed=5)
    found = compare(a, b, where)
    for index, one in enumerate(found.dimensions):
        alone = compare(a[:, [index]], b[:, [index]], where).overall
        _same(one, alone)
    for index, one in enumerate(found.themes):
        here = where.theme == index
        sizes = np.unique(where.scene[here], return_counts=True)[1].tolist()
        alone = compare(a[here], b[here], laid_out([sizes])).overall
        assert (one.value, one.p) == pytest.approx((alone.value, alone.p))  # few scenes: p is exact
    for several in (found.dimensions, found.themes):
        assert [d.adjusted for d in several] == holm(np.array([d.p for d in several])).tolist()


def _same(one: Difference, other: Difference) -> None:
    assert (one.value, one.p) == pytest.approx((other.value, other.p))
    assert one.interval is not None
    assert other.interval is not None
    assert (one.interval.low, one.interval.high) == pytest.approx((other.interval.low, other.interval.high))


def test_wins_ties_and_losses_are_counted_over_samples() -> None:
    a, b = marks_of(2, len(SMALL.theme), seed=2)
    b[3] = a[3][[1, 0, 2]]  # another order of the same marks
    b[4] = a[4] + np.array([1 / 3, 1 / 3, -2 / 3])  # the same but for rounding
    found = compare(a, b, SMALL)
    signs = [round(sum(x) - sum(y), 6) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert (found.wins, found.losses) == (sum(s > 0 for s in signs), sum(s < 0 for s in signs))
    assert found.ties == sum(s == 0 for s in signs) >= 2
    assert found.by_sample == pytest.approx([s / 3 for s in signs], abs=1e-6)
    turned = compare(b, a, SMALL)
    assert (turned.wins, turned.losses) == (found.losses, found.wins)
    assert turned.overall.value == pytest.approx(-found.overall.value)


def test_a_model_is_no_better_than_itself() -> None:
    where = laid_out([[1] * 10] * 3)
    a = marks_of(1, 30)[0]
    found = compare(a, a, where)
    nothing = Difference(value=0.0, interval=Interval(low=0.0, high=0.0), p=1.0, adjusted=1.0)
    assert [found.overall, *found.dimensions, *found.themes] == [nothing] * 7
    assert (found.wins, found.ties, found.losses) == (0, len(a), 0)


MISUSES: dict[str, Callable[[NDArray[Any]], object]] = {
    "intervals": lambda marks: intervals(marks, SMALL),
    "pairs": lambda marks: pairs(marks, SMALL),
    "detectable": lambda marks: detectable(marks, SMALL),
    "compare": lambda marks: compare(marks[0], marks[1], SMALL),
    "judge_error": lambda marks: judge_error(marks.transpose(1, 0, 2), SMALL),
}


@pytest.mark.parametrize("name", MISUSES)
def test_marks_that_are_missing_or_of_other_samples_are_refused(name: str) -> None:
    marks = marks_of(2, len(SMALL.theme))
    with pytest.raises(ValueError, match="23 samples do not fit a benchmark of 24"):
        MISUSES[name](marks[:, 1:])
    marks[1, 2, 0] = math.nan
    with pytest.raises(ValueError, match="a mark is missing"):
        MISUSES[name](marks)


# -- the judge's own noise -------------------------------------------------------------------------------------------


def test_the_judges_noise_is_carried_through_the_means() -> None:
    marks = np.random.default_rng(0).integers(1, 6, (len(SMALL.theme), 3, 2)).astype(float)
    total = 0.0
    for theme in range(3):
        here = [i for i, t in enumerate(SMALL.theme) if t == theme]
        for i in here:
            repeats = [sum(verdict) / 2 for verdict in marks[i].tolist()]
            middle = sum(repeats) / 3
            total += sum((r - middle) ** 2 for r in repeats) / 2 / 3 / len(here) ** 2 / 9
    assert judge_error(marks, SMALL) == pytest.approx(math.sqrt(total))
    assert judge_error(marks[:, :1], SMALL) is None
    assert judge_error(np.repeat(marks[:, :1], 3, axis=1), SMALL) == 0.0


def test_the_judges_noise_is_how_far_the_overall_number_moves_when_all_is_judged_again() -> None:
    rng = np.random.default_rng(2)
    true = rng.normal(3, 1, (len(SMALL.theme), 1, 1))
    verdicts = true + rng.normal(0, 0.5, (len(SMALL.theme), 3 * 2000, 2))
    again = verdicts.reshape(len(true), 2000, 3, 2).transpose(1, 0, 2, 3)
    overall = board(again.mean(axis=2), SMALL).mean(axis=(1, 2))
    squares = [(judge_error(one, SMALL) or 0.0) ** 2 for one in again[:500]]
    assert math.sqrt(np.mean(squares)) == pytest.approx(overall.std(), rel=0.05)


# -- by simulation ---------------------------------------------------------------------------------------------------

UNLIKE = (Make(level=3.5), Make(level=4.3, scenes=0.3, samples=1.0, marks=0.5))
"""Two kinds of model, of which one is better and wavers in other ways."""


@pytest.mark.parametrize("scenes", [24, 8])
def test_nominal_95_percent_of_paired_differences_cover_93_to_97(scenes: int) -> None:
    where, rng = uneven(scenes, 115, 0.6, seed=4), np.random.default_rng(6)
    one, other = (made(make, where, 2000, rng) for make in UNLIKE)
    found = [part.overall for part in intervals(one - other, where)]  # as pairs gives them, see above
    true = truth(UNLIKE[0]).mean() - truth(UNLIKE[1]).mean()
    assert 0.93 <= np.mean([part is not None and part.low <= true <= part.high for part in found]) <= 0.97


def test_models_that_are_alike_are_told_apart_no_more_often_than_alpha() -> None:
    where, rng = uneven(10, 40, 0.6, seed=5), np.random.default_rng(7)
    found = [pairs(made(Make(), where, 6, rng), where, flips=999, seed=n) for n in range(350)]
    upper = np.triu_indices(6, 1)
    p = np.array([one.p[upper] for one in found])
    assert 0.04 <= (p <= 0.05).mean() <= 0.06
    family = np.mean([(one.adjusted[upper] < 0.05).any() for one in found])
    assert 0.0 < family <= 0.06


def test_the_detectable_difference_is_found_on_four_of_five_boards() -> None:
    rng, better = np.random.default_rng(8), []
    for board_ in range(10):
        marks = rng.normal(3, 1, (100, len(REAL.theme), 1))
        marks += rng.normal(0, 0.5, (100, REAL.scenes))[:, REAL.scene, None]
        least = detectable(marks, REAL) or 0.0
        marks[:50] += least
        p = pairs(marks, REAL, flips=999, seed=board_).p
        better += [p[model, model + 50] <= 0.05 for model in range(50)]
    assert 0.76 <= np.mean(better) <= 0.84
    one, of_many = detectable(marks[50:], REAL), detectable(marks[50:], REAL, comparisons=45)
    assert one is not None
    assert of_many is not None
    assert one < of_many < 2 * one


def test_results_handed_in_twice_do_not_make_a_board_look_sharper() -> None:
    marks = made(Make(), REAL, 3, np.random.default_rng(0))
    assert detectable(np.concatenate([marks[:2], marks[:1]]), REAL) == pytest.approx(detectable(marks[:2], REAL))
    assert detectable(np.stack([marks[0], marks[0]]), REAL) is None
