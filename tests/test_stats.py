"""Agreement of repeats, compared with a second way of computing it."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from sparkle_bench import stats
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Judgment
from sparkle_bench.rubric import Scores
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_benchmark

RUBRIC = load_prompt("sparkle", root=Path()).rubric
KEY = RUBRIC.keys[0]


def ordinal_alpha(units: list[list[int]]) -> float:
    """Krippendorff's alpha for ordinal data, straight from the definition: 1 - observed over expected disagreement."""
    pairable = [unit for unit in units if len(unit) > 1]
    values = [mark for unit in pairable for mark in unit]
    count = Counter(values)

    def distance(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        return (sum(count[mark] for mark in range(low, high + 1)) - (count[a] + count[b]) / 2) ** 2

    observed = sum(
        sum(distance(a, b) for a, b in itertools.permutations(unit, 2)) / (len(unit) - 1) for unit in pairable
    ) / len(values)
    expected = sum(distance(a, b) for a, b in itertools.permutations(values, 2)) / (len(values) * (len(values) - 1))
    return 1 - observed / expected


@pytest.mark.parametrize("seed", range(8))
def test_alpha_is_that_of_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    units = []
    for _ in range(12):
        middle = rng.randint(1, 5)
        units.append([min(5, max(1, middle + rng.choice([-1, 0, 0, 1]))) for _ in range(rng.randint(2, 4))])
    found = stats.noise({KEY: units}, RUBRIC)[KEY]
    assert found.alpha == pytest.approx(ordinal_alpha(units))


def test_exact_agreement_and_mean_difference_are_over_pairs() -> None:
    found = stats.noise({KEY: [[4, 4, 5], [1, 3]]}, RUBRIC)[KEY]
    assert (found.edits, found.pairs) == (2, 4)
    assert found.exact == pytest.approx(1 / 4)
    assert found.difference == pytest.approx((0 + 1 + 1 + 2) / 4)


def test_marks_that_are_all_alike_have_no_alpha() -> None:
    found = stats.noise({KEY: [[3, 3], [3, 3]]}, RUBRIC)[KEY]
    assert (found.exact, found.difference, found.alpha) == (1.0, 0.0, None)


def test_perfect_agreement_is_one() -> None:
    assert stats.noise({KEY: [[1, 1], [5, 5], [3, 3]]}, RUBRIC)[KEY].alpha == pytest.approx(1.0)


def test_only_edits_with_more_than_one_verdict_count() -> None:
    def judgment(sample: str, repeat: int, mark: int | None, sha256: str = "a", reused: str | None = None) -> Judgment:
        scores = None if mark is None else Scores(marks=dict.fromkeys(RUBRIC.keys, mark))
        error = "no answer" if mark is None else None
        return Judgment(sample_id=sample, edit_sha256=sha256, repeat=repeat, scores=scores, error=error, reused=reused)

    found = stats.repeated(
        [
            judgment("one", 0, 4),
            judgment("one", 1, 5),
            judgment("two", 0, 3),
            judgment("two", 1, None),
            judgment("three", 0, 2, "a"),
            judgment("three", 0, 5, "b"),
            judgment("four", 0, 1, reused="another result"),
            judgment("four", 1, 5, reused="another result"),
        ],
        RUBRIC,
    )
    assert found == {key: [[4, 5]] for key in RUBRIC.keys}
    assert stats.noise(stats.repeated([], RUBRIC), RUBRIC) == {}


def test_repeats_report_the_judges_noise(tmp_path: Path) -> None:
    write_benchmark(tmp_path / "bench", samples_per_theme=2)
    fake = FakeJudge(answer=lambda body: Answer(text=verdict(5, 3 + body["seed"] % 2, 5, 2, 4, 4)))
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", "bench", "--no-signals", "--repeats", "3"]
    with serving(fake):
        done = cli.run(*words, "--judge-url", fake.url, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said = json.loads(cli.run(*words, "--judge-url", fake.url, "--json", cwd=tmp_path).stdout)
    assert "the judge's own noise, 3 verdicts per edit" in done.stdout
    assert said["noise"]["instruction"] == {
        "edits": 8, "pairs": 24, "exact": 1.0, "difference": 0.0, "alpha": None,
    }  # fmt: skip
    assert said["noise"]["visual"]["exact"] == pytest.approx(1 / 3, abs=1e-4)
    assert said["noise"]["visual"]["alpha"] < 0
    board = json.loads(next((tmp_path / "leaderboards/sparkle").glob("*/leaderboard.json")).read_text())
    assert board["noise"] == said["noise"]
