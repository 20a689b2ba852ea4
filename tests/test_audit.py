"""Flags: where a judge's marks and the pixels contradict each other, and that no mark changes by them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import signals
from sparkle_bench.audit import FACTS, audit
from sparkle_bench.records import Judgment, Measurement, Sample
from sparkle_bench.rubric import Scores
from sparkle_bench.signals.request import Rules, load_rules
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.made_signals import made
from tests.makers import write_benchmark

KEYS = ("instruction", "visual", "fg_integrity", "fg_motion", "bg_dynamics", "bg_visual")


@pytest.fixture(scope="module")
def rules() -> Rules:
    found = load_rules("sparkle", root=Path())
    assert found is not None
    return found


def sample(number: int, instruction: str = "Petals drifting gently.") -> Sample:
    return Sample(
        id=f"s{number}", benchmark="sparkle", theme="time", subtheme="dusk", scene="coast", instruction=instruction,
        source=f"s{number}.mp4", sha256="0",
    )  # fmt: skip


def measurement(number: int, groups: dict[str, Any], *, version: int = signals.VERSION) -> Measurement:
    data = signals.to_data(made(**groups))
    return Measurement(sample_id=f"s{number}", edit_sha256="e", version=version, signals=data)


def judgment(number: int, *marks: int, repeat: int = 0, sha256: str = "e") -> Judgment:
    scores = Scores(marks=dict(zip(KEYS, marks, strict=True)))
    return Judgment(sample_id=f"s{number}", edit_sha256=sha256, repeat=repeat, scores=scores, reply="")


def flags(
    rules: Rules, marks: tuple[int, ...], instruction: str = "Petals drifting gently.", **groups: Any
) -> list[str]:
    found = audit([sample(1, instruction)], {("s1", "e"): measurement(1, groups)}, [judgment(1, *marks)], rules)
    return [flag.name for flag in found.flags]


AGAIN: dict[str, Any] = {"change": {"source_again": True, "how": "recoloured"}}
FROZEN: dict[str, Any] = {"background": {"frozen": 0.95}}
LATE: dict[str, Any] = {"media": {"timing": "re-timed", "off": 6.0}}
GONE: dict[str, Any] = {"subject": {"found": False}}
TEXT: dict[str, Any] = {"text": {"new_lines": 2, "new_share": 0.05}}


@pytest.mark.parametrize(
    ("groups", "marks", "expected"),
    [
        ({}, (5, 5, 5, 5, 5, 5), []),
        (AGAIN, (2, 1, 1, 1, 1, 1), ["source_again"]),
        (AGAIN, (1, 5, 5, 5, 5, 5), []),
        (FROZEN, (5, 5, 5, 5, 3, 5), ["frozen_background"]),
        (FROZEN, (5, 5, 5, 5, 2, 5), []),
        (LATE, (5, 5, 5, 5, 5, 5), ["retimed_subject"]),
        (LATE, (5, 5, 5, 4, 5, 5), []),
        ({"media": {"timing": "unknown", "off": None}}, (5, 5, 5, 5, 5, 5), []),
        ({"media": {"timing": "time-aligned", "off": 0.4}}, (5, 5, 5, 5, 5, 5), []),
        ({"background": {"frozen": None, "energy": 0.01}}, (5, 5, 5, 5, 5, 5), []),
        (GONE, (1, 1, 3, 1, 1, 1), ["subject_gone"]),
        (GONE, (1, 1, 2, 1, 1, 1), []),
        (TEXT, (1, 1, 1, 1, 1, 1), ["new_text"]),
        ({"background": {"frozen": None, "energy": 2.0}}, (5, 5, 5, 5, 5, 5), []),
        (AGAIN | GONE | TEXT, (5, 5, 5, 5, 5, 5), ["source_again", "subject_gone", "new_text"]),
    ],
)
def test_a_flag_is_a_fact_and_a_mark_that_contradict_each_other(
    groups: dict[str, Any], marks: tuple[int, ...], expected: list[str], rules: Rules
) -> None:
    assert flags(rules, marks, **groups) == expected


def test_a_still_background_contradicts_nothing_where_no_motion_is_asked_for(rules: Rules) -> None:
    for instruction in ("A still photograph of a canyon.", "A marble hall."):
        assert flags(rules, (5, 5, 5, 5, 5, 5), instruction, **FROZEN) == []


def test_a_flag_says_what_was_seen_and_what_was_said(rules: Rules) -> None:
    found = audit([sample(1)], {("s1", "e"): measurement(1, AGAIN)}, [judgment(1, 4, 1, 1, 1, 1, 1)], rules)
    assert [flag.why for flag in found.flags] == ["the edit is the source again (recoloured), yet instruction is 4"]


def test_samples_are_counted_once_however_many_repeats(rules: Rules) -> None:
    judged = [judgment(n, 5, 5, 5, 5, 5, 5, repeat=r) for n in (2, 1) for r in (0, 1)]
    known = {("s1", "e"): measurement(1, AGAIN), ("s2", "e"): measurement(2, AGAIN | TEXT)}
    found = audit([sample(1), sample(2), sample(3)], known, judged, rules)
    assert (found.samples, found.measured) == (2, 2)
    assert found.counts == {
        "source_again": 2, "frozen_background": 0, "retimed_subject": 0, "subject_gone": 0, "new_text": 1,
    }  # fmt: skip
    assert [(f.sample_id, f.repeat) for f in found.flags if f.name == "source_again"] == [
        ("s1", 0), ("s1", 1), ("s2", 0), ("s2", 1),
    ]  # fmt: skip


def test_only_signals_of_the_judged_file_and_of_this_version_speak(rules: Rules) -> None:
    marks = (5, 5, 5, 5, 5, 5)
    of_another = audit([sample(1)], {("s1", "e"): measurement(1, AGAIN)}, [judgment(1, *marks, sha256="x")], rules)
    outdated = audit([sample(1)], {("s1", "e"): measurement(1, AGAIN, version=0)}, [judgment(1, *marks)], rules)
    failed = Measurement(sample_id="s1", edit_sha256="e", version=signals.VERSION, error="e", error_type="VideoError")
    nothing = audit([sample(1)], {("s1", "e"): failed}, [judgment(1, *marks)], rules)
    unmarked = Judgment(sample_id="s1", edit_sha256="e", error="no reply", error_type="ServerFailed")
    unjudged = audit([sample(1)], {("s1", "e"): measurement(1, AGAIN)}, [unmarked], rules)
    for found in (of_another, outdated, nothing, unjudged):
        assert (found.flags, found.measured) == ((), 0)


def test_every_contradiction_of_the_rules_has_its_fact_and_its_dimension(rules: Rules) -> None:
    assert {rule.name for rule in rules.audit} == set(FACTS)
    assert {rule.dimension for rule in rules.audit} - {None} <= set(KEYS)


# -- on a board ------------------------------------------------------------------------------------------------------


@pytest.fixture
def fooled() -> Iterator[FakeJudge]:
    """A judge that likes everything."""
    with serving(FakeJudge(answer=lambda body: Answer(text=verdict(5, 5, 5, 5, 5, 5)))) as fake:
        yield fake


def board(root: Path) -> dict[str, str]:
    path = next(root.glob("leaderboards/sparkle/*/leaderboard.csv"))
    return next(iter(csv.DictReader(path.read_text().splitlines())))


def test_a_judge_that_likes_the_source_again_is_caught_on_every_surface(fooled: FakeJudge, tmp_path: Path) -> None:
    bench = write_benchmark(tmp_path / "bench", samples_per_theme=1)
    shared: list[str | Path] = ["--bench", bench, "--judge-url", fooled.url]
    done = cli.run("eval", "--model", "identity", *shared, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "flags: 4 of 4 (the source again 4)" in done.stdout
    row = board(tmp_path)
    assert (row["measured"], row["flagged"], row["flag_source_again"], row["flag_new_text"]) == ("4", "4", "4", "0")
    assert row["overall"] == "5.0000"  # a flag never changes a mark
    folder = next(tmp_path.glob("leaderboards/sparkle/*"))
    assert "4 of 4 (the source again 4)" in (folder / "index.html").read_text()
    assert "4 of 4 (the source again 4)" in (folder / "leaderboard.md").read_text().replace("\\", "")
    assert json.loads((folder / "leaderboard.json").read_text())["rows"][0]["flag_source_again"] == 4
    listed = list(csv.DictReader(next(tmp_path.glob("results/identity/judged/*/flags.csv")).read_text().splitlines()))
    assert [row["name"] for row in listed] == ["source_again"] * 4
    shown = cli.run("show", "identity", "Sparkle_time_000001", cwd=tmp_path)
    assert (
        "flag source_again, repeat 0: the edit is the source again (the same file), yet instruction is 5"
        in shown.stdout
    )
    assert "source_again yes" in shown.stdout


def test_without_signals_a_board_says_that_nothing_was_looked_at(fooled: FakeJudge, tmp_path: Path) -> None:
    bench = write_benchmark(tmp_path / "bench", samples_per_theme=1)
    shared: list[str | Path] = ["--bench", bench, "--judge-url", fooled.url]
    done = cli.run("eval", "--model", "identity", "--no-signals", *shared, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "flags" not in done.stdout
    assert not (tmp_path / "results" / "identity" / "signals.jsonl").exists()
    row = board(tmp_path)
    assert (row["measured"], row["flagged"]) == ("0", "")
    with_them = cli.run("eval", "--model", "identity", *shared, cwd=tmp_path)  # a finished run: signals are added
    assert "flags: 4 of 4" in with_them.stdout
    assert len(fooled.requests) == 4
    lines = tmp_path / "results" / "identity" / "signals.jsonl"
    lines.write_text(lines.read_text().replace('"version": ', '"version": 9'))
    cli.run("leaderboard", cwd=tmp_path)
    row = board(tmp_path)
    assert (row["measured"], row["flagged"], row["flag_source_again"]) == ("0", "", "")  # unknown is not none
