"""Is a stored verdict one more of the same judge's? Compared with enumeration, with scipy and by simulation."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import random
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sparkle_bench.prompts import load_prompt
from sparkle_bench.rubric import Scores, cap
from sparkle_bench.stats import Remarked, Retest, Rules, retest, share_at_most
from sparkle_bench.verification.rejudged import retest_lines

RUBRIC = load_prompt("sparkle", root=Path()).rubric
N, OF = 46, 458
FAST = Rules(draws=1_000)
Marks = tuple[int, ...]
Judge = Callable[[random.Random, Marks], Marks]


# -- judges and results that are made up -----------------------------------------------------------------------------


def capped(marks: list[int]) -> Marks:
    bounded = {key: min(max(mark, 1), 5) for key, mark in zip(RUBRIC.keys, marks, strict=True)}
    return tuple(cap(Scores(marks=bounded), RUBRIC).marks.values())


def steady(_: random.Random, true: Marks) -> Marks:
    return capped(list(true))


def noisy(chance: random.Random, true: Marks) -> Marks:
    """Two verdicts of it differ in about one dimension of three."""
    return capped([mark + chance.choices((-1, 0, 1), (1, 8, 1))[0] for mark in true])


def wild(chance: random.Random, true: Marks) -> Marks:
    """The whole verdict moves, and every mark by itself."""
    whole = chance.choice((-1, 0, 0, 1))
    return capped([mark + whole + chance.choice((-1, 0, 1)) for mark in true])


def flaw(chance: random.Random, true: Marks) -> Marks:
    """Mostly steady; one time in ten it sees a flaw and marks all down."""
    return capped([mark - 2 * (chance.random() < 0.1) for mark in true])


JUDGES: dict[str, Judge] = {"steady": steady, "noisy": noisy, "wild": wild, "sees a flaw at times": flaw}


def edits(chance: random.Random, n: int) -> list[Marks]:
    """What videos deserve: some good, some bad, dimensions alike within a video."""
    quality = [chance.choice((2, 3, 3, 4, 4, 5)) for _ in range(n)]
    return [capped([level + chance.choice((-1, 0, 0, 1)) for _ in RUBRIC.keys]) for level in quality]


def honest(chance: random.Random, judge: Judge, true: list[Marks]) -> list[Marks]:
    return [judge(chance, marks) for marks in true]


def inflated(chance: random.Random, judge: Judge, true: list[Marks]) -> list[Marks]:
    return [capped([mark + 1 for mark in judge(chance, marks)]) for marks in true]


def some_inflated(chance: random.Random, judge: Judge, true: list[Marks]) -> list[Marks]:
    stored = honest(chance, judge, true)
    for place in chance.sample(range(len(true)), round(0.3 * len(true))):
        stored[place] = capped([mark + 1 for mark in stored[place]])
    return stored


def swapped(chance: random.Random, judge: Judge, true: list[Marks]) -> list[Marks]:
    return honest(chance, judge, chance.sample(true, len(true)))


def invented(chance: random.Random, judge: Judge, true: list[Marks]) -> list[Marks]:
    return [capped([chance.choice((3, 4, 4, 5)) for _ in RUBRIC.keys]) for _ in true]


def paired(
    seed: int,
    judge: Judge,
    result: Callable[[random.Random, Judge, list[Marks]], list[Marks]] = honest,
    *,
    n: int = N,
    repeats: int = 2,
    stored: int = 1,
) -> list[Remarked]:
    chance = random.Random(seed)
    true = edits(chance, n)
    rounds = [result(chance, judge, true) for _ in range(stored)]
    return [
        Remarked(
            sample_id=f"sample-{place}",
            stored=tuple(marks[place] for marks in rounds),
            new=tuple(judge(chance, true[place]) for _ in range(repeats)),
        )
        for place in range(n)
    ]


def outcome(seed: int, *given: object, **more: int) -> Retest:
    pairs = paired(seed, *given, **more)  # type: ignore[arg-type]
    return retest(pairs, of=max(OF, len(pairs)), seed=seed, rules=FAST)


# -- false alarms and power ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [1, 3], ids=["one stored verdict", "three stored verdicts"])
@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_an_honest_result_is_hardly_ever_called_inconsistent(judge: Judge, stored: int) -> None:
    runs = 200 if stored == 1 else 100
    words = [outcome(seed, judge, stored=stored).verdict for seed in range(runs)]
    assert words.count("inconsistent") <= scipy_stats.binom.ppf(0.999, runs, Rules().alpha)
    if judge in (steady, noisy):  # of the others 46 samples may be too few
        assert words.count("consistent") >= 0.98 * runs


def test_false_alarms_keep_to_alpha_where_that_can_be_seen() -> None:
    """With an alpha of 10% a test that is too eager would show."""
    rules = Rules(alpha=0.1, draws=400)
    runs = 600
    alarms = sum(
        retest(paired(seed, noisy, n=12), of=OF, seed=seed, rules=rules).verdict == "inconsistent"
        for seed in range(runs)
    )
    most = float(scipy_stats.binom.ppf(0.999, runs, rules.alpha))
    assert 0.02 * runs < alarms <= most


TAMPERED = {
    "inflated by one": (inflated, 0.99),
    "a third inflated by one": (some_inflated, 0.9),
    "other samples' marks": (swapped, 0.99),
    "invented marks": (invented, 0.99),
}


@pytest.mark.parametrize(("result", "power"), TAMPERED.values(), ids=TAMPERED)
@pytest.mark.parametrize("judge", [steady, noisy], ids=["steady", "noisy"])
def test_a_tampered_result_is_found(
    judge: Judge, result: Callable[[random.Random, Judge, list[Marks]], list[Marks]], power: float
) -> None:
    runs = 100
    found = sum(outcome(seed, judge, result).verdict == "inconsistent" for seed in range(runs))
    assert found >= power * runs


@pytest.mark.parametrize("result", [inflated, swapped, invented], ids=["inflated", "swapped", "invented"])
def test_even_a_wild_judge_finds_most(
    result: Callable[[random.Random, Judge, list[Marks]], list[Marks]],
) -> None:
    assert sum(outcome(seed, wild, result).verdict == "inconsistent" for seed in range(50)) >= 40


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_five_samples_are_too_few_to_tell(judge: Judge) -> None:
    assert {outcome(seed, judge, n=5).verdict for seed in range(50)} == {"too few to tell"}


@pytest.mark.parametrize(
    ("repeats", "stored", "fewest"),
    [(2, 1, 10), (3, 1, 8), (5, 1, 6), (2, 2, 10), (2, 3, 6)],
    ids=["two new", "three new", "five new", "two and two", "three stored"],
)
def test_how_many_samples_are_enough(repeats: int, stored: int, fewest: int) -> None:
    """Twice as many as must be odd for (labellings that look as odd / labellings) to the power of them, doubled, < 1%."""
    for n in range(1, 16):
        found = outcome(0, steady, n=n, repeats=repeats, stored=stored)
        assert found.verdict == ("consistent" if n >= fewest else "too few to tell"), n


def test_the_smallest_difference_to_be_shown_is_shown_four_times_in_five() -> None:
    runs, found, promised = 200, 0, []
    raised = 0.39
    for seed in range(runs):
        chance = random.Random(seed)
        pairs = [
            Remarked(
                sample_id=str(place),
                stored=(tuple(3 + chance.choice((-1, 0, 1)) + (chance.random() < raised) for _ in range(6)),),
                new=tuple(tuple(3 + chance.choice((-1, 0, 1)) for _ in range(6)) for _ in range(2)),
            )
            for place in range(20)
        ]
        again = retest(pairs, of=20, seed=seed, rules=FAST)
        promised.append(again.shown_from or 0.0)
        found += again.direction.p < FAST.alpha / 2
    assert statistics.mean(promised) == pytest.approx(raised, abs=0.02)
    assert found / runs == pytest.approx(0.8, abs=0.1)


# -- the same by other means -----------------------------------------------------------------------------------------


def mean_difference(stored: np.ndarray, *new: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(np.mean(stored - np.mean(new, axis=0), axis=axis))


def test_p_is_that_of_scipys_permutation_test() -> None:
    """One dimension, one stored verdict and two new ones: scipy permutes them within samples too."""
    chance = random.Random(1)
    marks = np.array([[chance.randint(1, 5) for _ in range(6)] for _ in range(3)])
    marks[0] += 1
    pairs = [
        Remarked(sample_id=str(i), stored=((int(s),),), new=((int(a),), (int(b),)))
        for i, (s, a, b) in enumerate(marks.T)
    ]
    ours = retest(pairs, of=6, seed=0)
    theirs = scipy_stats.permutation_test(
        tuple(marks), mean_difference, permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    assert ours.exact
    assert ours.difference == pytest.approx(float(theirs.statistic))
    signed = np.abs(theirs.null_distribution) >= abs(theirs.statistic) - 1e-9
    assert ours.direction.p == pytest.approx(float(signed.mean()))

    def distance(stored: np.ndarray, *new: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.mean(np.abs(stored - np.mean(new, axis=0)), axis=axis))

    theirs = scipy_stats.permutation_test(
        tuple(marks),
        distance,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative="greater",
    )
    assert ours.size.p == pytest.approx(float(theirs.pvalue))


def by_hand(pairs: list[Remarked]) -> tuple[float, float]:
    """Both p, from every labelling of all samples, one after the other."""

    def statistics_of(labelled: list[tuple[list[Marks], list[Marks]]]) -> tuple[float, float]:
        difference = distance = 0.0
        for stored, new in labelled:
            apart = [
                statistics.fmean(a) - statistics.fmean(b)
                for a, b in zip(zip(*stored, strict=True), zip(*new, strict=True), strict=True)
            ]
            difference += statistics.fmean(apart)
            distance += statistics.fmean(map(abs, apart))
        return abs(difference), distance

    observed = statistics_of([(list(pair.stored), list(pair.new)) for pair in pairs])
    choices = []
    for pair in pairs:
        marks, k = [*pair.stored, *pair.new], len(pair.stored)
        choices.append(
            [
                ([marks[i] for i in chosen], [marks[i] for i in range(len(marks)) if i not in chosen])
                for chosen in itertools.combinations(range(len(marks)), k)
            ]
        )
    found = [statistics_of(list(labelled)) for labelled in itertools.product(*choices)]
    return tuple(sum(f[i] >= observed[i] - 1e-9 for f in found) / len(found) for i in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize(("stored", "repeats", "n"), [(1, 2, 6), (2, 2, 4), (3, 2, 3), (1, 3, 5)])
@pytest.mark.parametrize("result", [honest, inflated, invented], ids=["honest", "inflated", "invented"])
def test_p_is_that_of_every_labelling(
    stored: int, repeats: int, n: int, result: Callable[[random.Random, Judge, list[Marks]], list[Marks]]
) -> None:
    for seed in range(3):
        pairs = paired(seed, wild, result, n=n, stored=stored, repeats=repeats)
        ours = retest(pairs, of=n, seed=0)
        assert ours.exact
        assert (ours.direction.p, ours.size.p) == pytest.approx(by_hand(pairs))


def test_drawn_labellings_come_close_to_all() -> None:
    pairs = paired(5, wild, n=10)
    exact = retest(pairs, of=10, seed=0)
    drawn = retest([*pairs, *pairs], of=20, seed=0, rules=Rules(draws=20_000))
    assert (exact.exact, drawn.exact) == (True, False)
    again = retest([*pairs, *pairs], of=20, seed=1, rules=Rules(draws=20_000))
    assert drawn.direction.p == pytest.approx(again.direction.p, abs=0.02)
    assert drawn.direction.p != again.direction.p
    assert drawn == retest([*pairs, *pairs], of=20, seed=0, rules=Rules(draws=20_000)), "seeded"


def test_the_true_labelling_is_one_of_those_drawn() -> None:
    """So p is never 0: a test of few draws says no more than it can."""
    found = retest(paired(0, steady, inflated), of=OF, seed=0, rules=Rules(draws=99))
    assert (found.direction.p, found.direction.adjusted) == (1 / 100, 2 / 100)
    assert found.verdict == "too few to tell"


def test_a_steady_judge_and_a_few_odd_ones_leave_little_to_chance() -> None:
    pairs = paired(0, steady)
    for odd in range(1, 8):
        pairs[odd] = dataclasses.replace(pairs[odd], stored=(tuple(6 - mark for mark in (1, 1, 1, 1, 1, 2)),))
        spoiled = sum(pair.stored != pair.new[:1] for pair in pairs)
        found = retest(pairs, of=OF, seed=0)
        assert found.exact
        assert found.size.p == pytest.approx((1 / 3) ** spoiled)
        assert found.apart == spoiled


def test_very_many_stored_verdicts_are_still_tested() -> None:
    words = [
        retest(paired(seed, noisy, kind, n=20, stored=40), of=20, seed=seed, rules=FAST).verdict
        for kind in (honest, inflated)
        for seed in range(3)
    ]
    assert words == ["consistent"] * 3 + ["inconsistent"] * 3


# -- the other numbers -----------------------------------------------------------------------------------------------


def test_the_bound_on_the_whole_is_the_largest_number_that_could_have_looked_so() -> None:
    for of in range(1, 14):
        for n in range(1, of + 1):
            for odd in range(n + 1):
                fits = [
                    number
                    for number in range(odd, of - n + odd + 1)
                    if sum(math.comb(number, k) * math.comb(of - number, n - k) for k in range(odd + 1))
                    > 0.05 * math.comb(of, n)
                ]
                assert share_at_most(odd, n, of) == pytest.approx(max(fits) / of), (odd, n, of)


def test_the_bound_of_a_large_whole_is_clopper_and_pearsons() -> None:
    assert share_at_most(0, 46, 458) == pytest.approx(0.0590, abs=0.0025)
    assert share_at_most(3, 46, 100_000) == pytest.approx(float(scipy_stats.beta.ppf(0.95, 4, 43)), abs=0.001)
    assert share_at_most(0, 458, 458) == 0.0


def test_the_interval_is_that_of_scipys_t_test() -> None:
    pairs = paired(3, noisy)
    ours = retest(pairs, of=OF, seed=0, rules=FAST)
    differences = [
        statistics.fmean(pair.stored[0]) - statistics.fmean(map(statistics.fmean, pair.new)) for pair in pairs
    ]
    theirs = scipy_stats.ttest_1samp(differences, 0.0).confidence_interval(0.95)
    assert ours.difference == pytest.approx(statistics.fmean(differences))
    assert ours.interval == pytest.approx((float(theirs.low), float(theirs.high)))


def test_noise_and_what_goes_beyond_it() -> None:
    pairs = [
        Remarked(sample_id="a", stored=((5, 5),), new=((3, 3), (3, 4))),
        Remarked(sample_id="b", stored=((2, 2),), new=((2, 2), (2, 2))),
    ]
    found = retest(pairs, of=2, seed=0)
    assert found.noise == pytest.approx((0.5 + 0) / 2)
    assert found.noise + found.excess == pytest.approx((1.75 + 0) / 2)
    assert found.apart == 1
    assert found.apart_by_chance == pytest.approx(1 / 3), "where all three are alike none can stand apart"


@pytest.mark.parametrize("repeats", [2, 3])
@pytest.mark.parametrize("judge", [noisy, wild], ids=["noisy", "wild"])
def test_as_many_stand_apart_by_chance_as_is_said(judge: Judge, repeats: int) -> None:
    seen = [outcome(seed, judge, repeats=repeats) for seed in range(60)]
    apart, said = sum(found.apart for found in seen), sum(found.apart_by_chance for found in seen)
    assert apart == pytest.approx(said, abs=4 * said**0.5)


def test_small_differences_of_another_machine_can_be_let_pass() -> None:
    """A judge that never wavers on either machine, but rounds otherwise on the other in one dimension of eight."""
    pairs = paired(0, steady)
    chance = random.Random(0)
    rounded = [
        dataclasses.replace(
            pair, stored=(capped([m + (chance.random() < 0.125) * chance.choice((-1, 1)) for m in pair.stored[0]]),)
        )
        for pair in pairs
    ]
    strict = retest(rounded, of=OF, seed=0)
    assert strict.verdict == "inconsistent"
    assert any("another GPU" in line for line in retest_lines(strict))
    lenient = Rules(tolerance=0.3)
    assert retest(rounded, of=OF, seed=0, rules=lenient).verdict == "consistent"
    assert retest(paired(0, steady, inflated), of=OF, seed=0, rules=lenient).verdict == "inconsistent"
    assert retest(paired(0, steady, swapped), of=OF, seed=0, rules=lenient).verdict == "inconsistent"


def test_it_says_all_in_words_and_as_data() -> None:
    found = outcome(0, noisy, inflated)
    text = "\n".join(retest_lines(found))
    assert text.endswith("verdict: inconsistent")
    for word in (
        "95% interval",
        "of 46 stored verdicts stand apart",
        "of all 458",
        "1000 labellings drawn with seed 0",
    ):
        assert word in text
    data = json.loads(json.dumps(found.to_data()))
    assert data["rules"]["alpha"] == 0.01
    assert data["size"]["adjusted"] < 0.01
    assert data["n"] == N


@pytest.mark.parametrize(
    ("stored", "new"),
    [((), ((1,), (1,))), (((1,),), ((1,),)), (((1,),), ((1,), (1, 2))), (((),), ((), ()))],
    ids=["none stored", "one new", "other dimensions", "no dimensions"],
)
def test_what_cannot_be_compared_is_refused(stored: tuple[Marks, ...], new: tuple[Marks, ...]) -> None:
    with pytest.raises(ValueError, match="sample-1"):
        Remarked(sample_id="sample-1", stored=stored, new=new)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="needs samples"):
        retest([], of=10, seed=0)
    with pytest.raises(ValueError, match="cannot be"):
        share_at_most(3, 2, 10)


def test_one_sample_is_said_to_be_too_few() -> None:
    found = outcome(0, steady, n=1)
    assert (found.verdict, found.interval, found.shown_from) == ("too few to tell", None, None)
    assert "no difference at all could have been shown" in retest_lines(found)[0]
