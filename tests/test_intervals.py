"""Intervals of a board's numbers: against loops, against scipy, and by simulation where the truth is known."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from sparkle_bench.stats import Interval, Intervals, design, intervals
from sparkle_bench.stats.bootstrap import CORRELATION, Stratum, drawn, satterthwaite, strata
from tests.made_boards import Make, board, laid_out, made, sample, truth, uneven

SMALL = laid_out([[3, 1, 2, 5], [2, 2], [1, 4, 1, 1, 2]])


def marks_of(models: int, samples: int, dimensions: int = 3, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(1, 6, (models, samples, dimensions)).astype(float)


def every(found: Intervals) -> list[Interval | None]:
    return [found.overall, *found.dimensions, *found.themes, *found.subthemes]


def ends(found: list[Intervals]) -> NDArray[Any]:
    flat = [[(i.low, i.high) if i else (math.nan, math.nan) for i in every(one)] for one in found]
    return np.array(flat)


# -- how samples hang together ---------------------------------------------------------------------------------------


def test_themes_keep_their_order_and_subthemes_stand_by_theme() -> None:
    labels = [("b", "x", "1"), ("a", "x", "1"), ("b", "w", "1"), ("a", "v", "2"), ("b", "x", "1")]
    found = design([sample(n, *label) for n, label in enumerate(labels)])
    assert found.themes == ("b", "a")
    assert found.subthemes == (("b", "x"), ("b", "w"), ("a", "x"), ("a", "v"))
    assert found.theme.tolist() == [0, 1, 0, 1, 0]
    assert found.subtheme.tolist() == [0, 2, 1, 3, 0]


def test_a_scene_of_one_name_in_two_themes_or_subthemes_is_two() -> None:
    labels = [("a", "x", "1"), ("b", "x", "1"), ("a", "y", "1"), ("a", "x", "1")]
    found = design([sample(n, *label) for n, label in enumerate(labels)])
    assert found.scenes == 3
    assert found.scene[0] == found.scene[3]
    assert len(set(found.scene.tolist()[:3])) == 3


def test_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample"):
        design([])


# -- the numbers are those of a board --------------------------------------------------------------------------------


def test_intervals_stand_around_the_numbers_of_a_board() -> None:
    samples = [sample(n, f"t{n % 3}", f"u{n % 2}", f"s{n % 7}") for n in range(40)]
    table = pd.DataFrame(marks_of(1, 40, seed=4)[0], columns=["a", "b", "c"])
    by_theme = table.groupby([s.theme for s in samples], sort=False).mean()
    by_subtheme = table.groupby([f"{s.theme}/{s.subtheme}" for s in samples], sort=False).mean().mean(axis=1)
    wanted = [by_theme.to_numpy().mean(), *by_theme.mean(axis=0), *by_theme.mean(axis=1)]
    wanted += [by_subtheme["/".join(pair)] for pair in design(samples).subthemes]
    found = intervals(table.to_numpy()[None], design(samples))[0]
    assert [(i.low + i.high) / 2 if i else math.nan for i in every(found)] == pytest.approx(wanted)


# -- the variance, computed in other ways ----------------------------------------------------------------------------


def by_loops(where: Any, index: int, numbers: list[float], seed: int, draws: int) -> tuple[float, float]:
    """The variance and degrees of freedom of a theme's mean: every draw's samples are listed and their mean taken."""
    scenes: dict[int, list[float]] = {}
    for sample_, scene in enumerate(where.scene.tolist()):
        if where.theme[sample_] == index:
            scenes.setdefault(scene, []).append(numbers[sample_])
    clusters = [scenes[key] for key in sorted(scenes)]
    k = len(clusters)
    counts = drawn(np.random.default_rng((seed, *where.themes[index].encode())), k, draws)

    def resampled(values: list[list[float]]) -> list[float]:
        means = []
        for row in counts.tolist():
            chosen = [value for times, cluster in zip(row, values, strict=True) for value in cluster * int(times)]
            means.append(statistics.fmean(chosen))
        return means

    raw = statistics.variance(resampled(clusters))
    # The working model, a column per scene: what a scene's sum of 1 alone adds to each resampled mean.
    weights = [
        resampled([[float(c == scene) / len(cluster)] * len(cluster) for c, cluster in enumerate(clusters)])
        for scene in range(k)
    ]
    spread = [[statistics.covariance(a, b) for b in weights] for a in weights]
    sums = [len(c) + CORRELATION * len(c) * (len(c) - 1) for c in clusters]
    expected = sum(spread[c][c] * sums[c] for c in range(k))
    true = sum(sums) / sum(map(len, clusters)) ** 2
    twice = sum(spread[c][d] * sums[d] * spread[d][c] * sums[c] for c in range(k) for d in range(k))
    return raw * true / expected, expected**2 / twice


@pytest.mark.parametrize("theme", range(3))
def test_the_variance_is_that_of_listing_the_drawn_samples(theme: int) -> None:
    numbers = marks_of(1, len(SMALL.theme))[0].mean(axis=1)
    found = strata(SMALL, "theme", seed=7, draws=60)[theme]
    variance, freedom = by_loops(SMALL, theme, numbers.tolist(), 7, 60)
    assert found.variance(numbers[:, None])[0] == pytest.approx(variance)
    assert found.covariance(numbers[:, None])[0, 0] == pytest.approx(variance)
    assert found.freedom == pytest.approx(freedom)


def test_a_mean_over_themes_puts_their_variances_together() -> None:
    marks = marks_of(1, len(SMALL.theme))
    parts = [by_loops(SMALL, t, marks[0].mean(axis=1).tolist(), 0, 60) for t in range(3)]
    variance = sum(v for v, _ in parts) / 9
    freedom = variance**2 / sum((v / 9) ** 2 / f for v, f in parts)
    half = scipy_stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    found = intervals(marks, SMALL, draws=60)[0].overall
    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(half)


def test_scenes_of_one_size_have_the_standard_error_of_scipys_bootstrap() -> None:
    where = laid_out([[4] * 9])
    numbers = marks_of(1, 36, seed=2)[0].mean(axis=1)
    scenes = numbers.reshape(9, 4).mean(axis=1)
    theirs = scipy_stats.bootstrap((scenes,), np.mean, n_resamples=20_000, rng=np.random.default_rng(0))
    ours = math.sqrt(strata(where, "theme", seed=0, draws=20_000)[0].variance(numbers[:, None])[0])
    assert ours == pytest.approx(theirs.standard_error * math.sqrt(9 / 8), rel=0.02)  # theirs draws 9 of 9
    assert ours == pytest.approx(scenes.std(ddof=1) / 3, rel=0.02)


def test_one_scene_fewer_is_drawn_than_there_are() -> None:
    counts = drawn(np.random.default_rng(0), 6, 500)
    assert set(counts.sum(axis=1).tolist()) == {5.0}
    assert counts.mean(axis=0) == pytest.approx(5 / 6, abs=0.15)


@pytest.mark.parametrize("scenes", [2, 3, 8, 24])
def test_scenes_of_one_size_leave_one_degree_of_freedom_fewer(scenes: int) -> None:
    found = strata(laid_out([[3] * scenes]), "theme", seed=0, draws=20_000)[0]
    assert found.freedom == pytest.approx(scenes - 1, rel=0.01)


def test_in_the_working_model_the_variance_is_right_on_average_and_as_unsteady_as_said() -> None:
    sizes = [1, 2, 3, 6, 14]
    where = laid_out([sizes])
    rng = np.random.default_rng(5)
    scene = rng.normal(0, math.sqrt(CORRELATION), (5, 40_000))[where.scene]
    values = scene + rng.normal(0, math.sqrt(1 - CORRELATION), scene.shape)
    estimates = strata(where, "theme", seed=0)[0].variance(values)
    assert estimates.mean() == pytest.approx(values.mean(axis=0).var(), rel=0.02)
    freedom = 2 * estimates.mean() ** 2 / estimates.var()
    assert strata(where, "theme", seed=0)[0].freedom == pytest.approx(freedom, rel=0.03)
    assert freedom < 3  # of five scenes one holds more than half


def test_degrees_of_freedom_of_a_sum_lie_between_the_least_and_all() -> None:
    alike = satterthwaite(np.array([[2.0], [2.0]]), np.array([3.0, 3.0]))
    one_only = satterthwaite(np.array([[2.0], [0.0]]), np.array([3.0, 5.0]))
    none = satterthwaite(np.zeros((2, 1)), np.array([3.0, 5.0]))
    assert [alike[0], one_only[0], none[0]] == [6.0, 3.0, 8.0]


# -- what holds of every board ---------------------------------------------------------------------------------------

sizes_of_themes = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=5), min_size=1, max_size=4)


def _alike(numbers: NDArray[Any], scene: NDArray[Any]) -> bool:
    """Whether all scenes give the same number, as one does."""
    means = [numbers[scene == one].mean() for one in set(scene.tolist())]
    return float(np.ptp(means)) < 1e-9


@settings(max_examples=60, deadline=None)
@given(sizes=sizes_of_themes, seed=st.integers(0, 2**32 - 1), shift=st.integers(-3, 3))
def test_an_interval_holds_its_number_and_moves_with_it(sizes: list[list[int]], seed: int, shift: int) -> None:
    where = laid_out(sizes)
    marks = marks_of(2, len(where.theme), seed=seed)
    found = intervals(marks, where, seed=seed, draws=50)
    means = board(marks, where)
    for model, one in enumerate(found):
        numbers = marks[model].mean(axis=1)
        same = [_alike(numbers[where.theme == t], where.scene[where.theme == t]) for t in range(len(sizes))]
        few = sum(map(len, sizes)) < 10
        assert (one.overall is None) == (min(map(len, sizes)) == 1 or (all(same) and few))
        assert [i is None for i in one.themes] == same  # of fewer than ten scenes
        wanted = [means[model].mean(), *means[model].mean(axis=0), *means[model].mean(axis=1)]
        for number, interval in zip(wanted, every(one), strict=False):
            assert interval is None or interval.low - 1e-12 <= number <= interval.high + 1e-12
    moved = intervals(marks + shift, where, seed=seed, draws=50)
    np.testing.assert_allclose(ends(moved), ends(found) + shift, atol=1e-7)
    cut = intervals(marks, where, seed=seed, draws=50, scale=(1.0, 5.0))
    np.testing.assert_allclose(ends(cut), np.clip(ends(found), 1, 5))


@settings(max_examples=30, deadline=None)
@given(sizes=sizes_of_themes, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_samples_and_other_models_change_nothing(sizes: list[list[int]], seed: int) -> None:
    labels = [
        (f"t{t}", f"u{s % 2}", f"s{s}") for t, part in enumerate(sizes) for s, n in enumerate(part) for _ in range(n)
    ]
    samples = [sample(n, *label) for n, label in enumerate(labels)]
    marks = marks_of(3, len(samples), seed=seed)
    found = intervals(marks, design(samples), seed=seed, draws=50)
    order = np.random.default_rng(seed).permutation(len(samples))
    shuffled = intervals(marks[:, order], design([samples[i] for i in order]), seed=seed, draws=50)
    for one, other in zip(found, shuffled, strict=True):
        assert sorted(map(str, _rounded(one))) == sorted(map(str, _rounded(other)))
    np.testing.assert_allclose(ends(intervals(marks[1:2], design(samples), seed=seed, draws=50)), ends(found)[1:2])
    np.testing.assert_allclose(ends(intervals(marks[::-1], design(samples), seed=seed, draws=50)), ends(found)[::-1])


def _rounded(found: Intervals) -> list[tuple[float, float] | None]:
    return [(round(i.low, 6) + 0.0, round(i.high, 6) + 0.0) if i else None for i in every(found)]


def test_a_seed_gives_one_result_and_another_seed_hardly_another() -> None:
    where = uneven(24, 115, 0.6)
    marks = made(Make(), where, 3, np.random.default_rng(0))
    found = intervals(marks, where)
    assert found == intervals(marks, where, seed=0)
    other = intervals(marks, where, seed=1)
    assert other != found
    np.testing.assert_allclose(ends(found)[:, :8], ends(other)[:, :8], atol=0.02)


def test_ten_scenes_that_are_all_alike_have_an_interval_of_no_width_and_fewer_have_none() -> None:
    where = laid_out([[2] * 10, [3] * 9])
    found = intervals(np.full((1, 47, 2), 4.1), where)[0]
    ends_ = [(i.low, i.high) if i else None for i in (found.overall, *found.dimensions, *found.themes)]
    assert ends_ == [pytest.approx((4.1, 4.1))] * 4 + [None]
    assert found.subthemes == (None,) * 6


def test_a_theme_of_one_scene_has_no_interval_and_takes_the_overall_one_with_it() -> None:
    where = laid_out([[2, 3], [9]])
    found = intervals(marks_of(1, 14), where)[0]
    assert found.overall is None
    assert set(found.dimensions) == {None}
    assert found.themes[0] is not None
    assert found.themes[1] is None


def test_a_subtheme_has_its_own_scenes_alone() -> None:
    where = laid_out([[2, 3, 1, 4, 2], [3, 3]])  # the fifth scene is a subtheme of its own
    found = intervals(marks_of(1, 18), where)[0]
    assert [i is None for i in found.subthemes] == [False, True, False]
    only = dataclasses.replace(where, theme=where.subtheme)
    alone = [
        Stratum.variance(s, marks_of(1, 18)[0].mean(axis=1)[:, None])[0] for s in strata(where, "subtheme", seed=0)
    ]
    assert only.subthemes == where.subthemes
    half = scipy_stats.t.ppf(0.975, 1) * math.sqrt(alone[2])
    third = found.subthemes[2]
    assert third is not None
    assert (third.high - third.low) / 2 == pytest.approx(half, rel=1e-6)


# -- 95% is 95% ------------------------------------------------------------------------------------------------------

BOARDS: dict[str, tuple[Any, Make]] = {
    "like the real one": (uneven(24, 115, 0.6), Make()),
    "marks near the top": (uneven(24, 115, 0.6, seed=1), Make(level=4.8)),
    "few scenes of many samples": (uneven(10, 115, 0.6), Make()),
    "scenes that matter much": (uneven(24, 115, 0.6, seed=2), Make(scenes=1.1, samples=0.4, marks=0.4)),
    "scenes that do not matter": (uneven(24, 115, 0.6, seed=3), Make(scenes=0.0)),
    "many scenes": (uneven(60, 115, 0.4), Make()),
    "a small one": (laid_out([[1, 1, 1]] * 4), Make()),
}


@pytest.mark.parametrize("name", BOARDS)
def test_nominal_95_percent_cover_93_to_97(name: str) -> None:
    where, make = BOARDS[name]
    marks = made(make, where, 2000, np.random.default_rng(11))
    found = ends(intervals(marks, where, draws=1000))
    true = truth(make)
    wanted = np.array([true.mean(), *true.mean(axis=0), *true.mean(axis=1)])
    low, high = found[:, : len(wanted), 0], found[:, : len(wanted), 1]
    shares = ((low <= wanted) & (wanted <= high)).sum(axis=0) / np.isfinite(low).sum(axis=0)
    assert 0.93 <= shares[0] <= 0.97, "overall"
    assert 0.93 <= shares[1:4].mean() <= 0.97, "dimensions"
    assert 0.93 <= shares[4:].mean() <= 0.97, "themes"
