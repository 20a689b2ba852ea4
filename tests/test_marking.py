"""The embedded judge: its rules, one by one, over everything that can be measured or be unknown."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkle_bench.errors import PromptError, RequestFailed
from sparkle_bench.judges import Question, judge_key
from sparkle_bench.judges.marking import RULES, marks, unfollowed_light
from sparkle_bench.judges.signals import NOTE, SignalsJudge
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Sample
from sparkle_bench.rubric import parse, parse_strict
from sparkle_bench.signals import Signals
from sparkle_bench.signals.request import (
    ENERGETIC,
    GENTLE,
    STILL,
    UNSTATED,
    Rules,
    implied_motion,
    load_rules,
)
from tests.made_signals import GOOD, made

ROOT = Path()


@pytest.fixture(scope="module")
def rules() -> Rules:
    found = load_rules("sparkle", root=ROOT)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def judge(rules: Rules) -> SignalsJudge:
    return SignalsJudge(rubric=load_prompt("sparkle", root=ROOT).rubric, rules=rules)


def sample(instruction: str = "Put her on a coast, waves crashing.") -> Sample:
    return Sample(
        id="Demo_time_000001", benchmark="sparkle", theme="time", subtheme="dusk", scene="coast",
        instruction=instruction, source="source_videos/time/Demo_time_000001.mp4", sha256="0",
    )  # fmt: skip


def marked(signals: Signals, rules: Rules, asked: str = GENTLE) -> dict[str, int]:
    return {key: mark.value for key, mark in marks(signals, asked, rules.marks).items()}


def test_a_good_edit_gets_the_highest_marks(rules: Rules) -> None:
    for asked in (GENTLE, ENERGETIC, UNSTATED):
        assert set(marked(GOOD, rules, asked).values()) == {5}


CASES: dict[str, tuple[dict[str, dict[str, Any]], str, str, int]] = {
    "the source again": ({"change": {"source_again": True, "how": "re-encoded"}}, GENTLE, "instruction", 1),
    "nothing kept": ({"subject": {"found": False}}, GENTLE, "instruction", 1),
    "little replaced": ({"change": {"changed": 0.4}}, GENTLE, "instruction", 2),
    "motion asked for and none there": ({"background": {"frozen": 0.97}}, GENTLE, "instruction", 4),
    "night without its light": (
        {"harmony": {"background_luminance": -40.0, "subject_luminance": 0.0}}, GENTLE, "visual", 2,
    ),
    "flicker": ({"background": {"flicker": 9.0}}, GENTLE, "visual", 3),
    "parts missing that flicker": ({"subject": {"solid": 0.5, "unsteady": 0.09}}, GENTLE, "fg_integrity", 2),
    "parts relit": ({"subject": {"solid": 0.5, "unsteady": 0.02}}, GENTLE, "fg_integrity", 5),
    "drift": ({"subject": {"drift": 0.3}}, GENTLE, "fg_integrity", 4),
    "no subject": ({"subject": {"found": False}}, GENTLE, "fg_integrity", 1),
    "re-timed": ({"media": {"timing": "re-timed", "off": 6.0}}, GENTLE, "fg_motion", 2),
    "reversed": ({"media": {"timing": "reversed", "off": 40.0}}, GENTLE, "fg_motion", 1),
    "late": ({"media": {"timing": "shifted", "off": 5.0}}, GENTLE, "fg_motion", 3),
    "another flow": ({"subject": {"flow_error": 2.0}}, GENTLE, "fg_motion", 3),
    "frozen": ({"background": {"frozen": 0.95}}, GENTLE, "bg_dynamics", 1),
    "half frozen": ({"background": {"frozen": 0.65}}, GENTLE, "bg_dynamics", 3),
    "too weak for a storm": ({"background": {"energy": 0.4}}, ENERGETIC, "bg_dynamics", 3),
    "enough for a breeze": ({"background": {"energy": 0.4}}, GENTLE, "bg_dynamics", 5),
    "loops": ({"background": {"loop": 12}}, GENTLE, "bg_dynamics", 3),
    "to and fro": ({"background": {"ping_pong": True}}, GENTLE, "bg_dynamics", 3),
    "still as asked": ({"background": {"frozen": 0.99, "energy": 0.02}}, STILL, "bg_dynamics", 5),
    "moving against the request": ({"background": {"frozen": 0.1}}, STILL, "bg_dynamics", 1),
    "still, nothing asked": ({"background": {"frozen": 0.99, "energy": 0.02}}, UNSTATED, "bg_dynamics", 3),
    "unknown takes nothing off": ({"background": {"frozen": None, "energy": 0.05}}, GENTLE, "bg_dynamics", 5),
    "another rate, the same instants": (
        {"media": {"timing": "time-aligned"}, "subject": {"flow": None, "flow_error": None}}, GENTLE, "fg_motion", 5,
    ),
    "soft": ({"background": {"sharpness": 0.25}}, GENTLE, "bg_visual", 2),
    "blocks": ({"background": {"blockiness": 0.7}}, GENTLE, "bg_visual", 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_fault_lowers_its_dimension(name: str, rules: Rules) -> None:
    groups, asked, dimension, mark = CASES[name]
    assert marked(made(**groups), rules, asked)[dimension] == mark


def test_content_is_beyond_the_rules(rules: Rules) -> None:
    """What is in the picture is no signal, so no rule can tell a wrong background from the right one."""
    names = {field.name for group in dataclasses.fields(Signals) for field in dataclasses.fields(Signals)}
    assert names == {"media", "change", "subject", "background", "harmony", "text", "unknown"}
    assert "cannot read content" in NOTE


def numbers(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high)


@given(
    st.sampled_from([STILL, GENTLE, ENERGETIC, UNSTATED]),
    st.fixed_dictionaries(
        {"timing": st.sampled_from(["index-aligned", "unknown", "shifted", "re-timed", "reversed", "looped", "frozen"])}
    ),
    st.fixed_dictionaries({"changed": st.floats(0, 1), "source_again": st.booleans()}),
    st.fixed_dictionaries(
        {
            "found": st.booleans(),
            "structure": numbers(-1, 1),
            "solid": numbers(0, 1),
            "unsteady": numbers(0, 2),
            "flow": numbers(0, 200),
            "flow_error": numbers(0, 200),
            "drift": numbers(-2, 2),
        }
    ),
    st.fixed_dictionaries(
        {
            "energy": numbers(0, 255),
            "frozen": numbers(0, 1),
            "loop": st.none() | st.integers(4, 99),
            "flicker": numbers(0, 255),
            "sharpness": numbers(0, 9),
            "blockiness": numbers(0, 9),
        }
    ),
    st.fixed_dictionaries({"subject_luminance": numbers(-100, 100), "background_luminance": numbers(-100, 100)}),
)
def test_whatever_is_measured_or_unknown_gives_marks_that_can_be_read(
    asked: str,
    media: dict[str, Any],
    change: dict[str, Any],
    subject: dict[str, Any],
    background: dict[str, Any],
    harmony: dict[str, Any],
) -> None:
    rules = load_rules("sparkle", root=ROOT)
    assert rules is not None
    signals = made(media=media, change=change, subject=subject, background=background, harmony=harmony)
    for mark in marks(signals, asked, rules.marks).values():
        assert mark.value in (1, 2, 3, 4, 5)
    assert 0.0 <= unfollowed_light(signals) <= 1.0


def test_its_reply_is_read_by_both_readers_and_names_the_fault(judge: SignalsJudge) -> None:
    signals = made(media={"timing": "re-timed", "off": 6.0}, background={"sharpness": 0.1})
    reply = judge.ask(Question(sample=sample(), prompt="", seed=0, signals=signals)).text
    assert "subject re-timed" in reply
    assert len(reply.splitlines()[0].split()) <= 30
    scores = parse(reply, judge.rubric)
    assert scores == parse_strict(reply, judge.rubric)
    assert (scores["fg_motion"], scores["bg_visual"]) == (2, 1)


def test_without_signals_there_is_no_verdict(judge: SignalsJudge) -> None:
    with pytest.raises(RequestFailed, match="no signals"):
        judge.ask(Question(sample=sample(), prompt="", seed=0))


def test_its_key_says_what_it_is_and_changes_with_its_rules(judge: SignalsJudge, rules: Rules) -> None:
    key = judge_key(judge.identity)
    assert key.startswith("signals-no-vlm-")
    other = dataclasses.replace(rules, motion={**rules.motion, "gentle": ("hovering",)})
    assert judge_key(dataclasses.replace(judge, rules=other).identity) != key


def test_a_rubric_without_rules_is_refused(judge: SignalsJudge, rules: Rules) -> None:
    fewer = dataclasses.replace(rules, marks={k: v for k, v in rules.marks.items() if k != "visual"})
    with pytest.raises(PromptError, match="no known rule for visual"):
        SignalsJudge(rubric=judge.rubric, rules=fewer)


def test_every_dimension_and_every_rule_is_used(judge: SignalsJudge, rules: Rules) -> None:
    assert tuple(rules.marks) == judge.rubric.keys
    assert sorted(rules.marks.values()) == sorted(RULES)


@pytest.mark.parametrize(
    ("instruction", "asked"),
    [
        ("Tall golden grass swaying vigorously in a strong wind.", ENERGETIC),
        ("Waves crashing on the rocks.", ENERGETIC),
        ("Petals gently drifting through the air.", GENTLE),
        ("A still photograph of crashing waves; nothing moves.", STILL),
        ("A quiet library. The subject should remain perfectly still.", UNSTATED),
        ("A beach with softly rolling waves, while the foreground character remains motionless.", GENTLE),
        ("A marble hall.", UNSTATED),
        ("", UNSTATED),
        ("A WINDY HILL, CLOUDS DRIFTING", GENTLE),
        ("Instability of the storming", ENERGETIC),
    ],
)
def test_the_words_of_an_instruction_say_what_motion_it_asks_for(instruction: str, asked: str, rules: Rules) -> None:
    assert implied_motion(instruction, rules) == asked


def test_an_instruction_of_any_length_is_looked_through_at_once(rules: Rules) -> None:
    """Where the time grew with the cube of the length, this took days."""
    assert implied_motion("subject " * 20_000, rules) == "unstated"
    assert implied_motion("subject " * 20_000 + "still, waves crash", rules) == "energetic"


def test_a_benchmark_without_rules_has_none_and_a_broken_file_is_named(tmp_path: Path) -> None:
    assert load_rules("other", root=tmp_path) is None
    folder = tmp_path / "prompts" / "sparkle"
    folder.mkdir(parents=True)
    for text in ("version = ", "marks = 3", 'version = "1"\nmarks = {}\naudit = {a = {no = 1}}\nmotion = {}'):
        (folder / "signals.toml").write_text(text)
        with pytest.raises(PromptError, match=r"signals\.toml is malformed"):
            load_rules("sparkle", root=tmp_path)
