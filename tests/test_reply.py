"""Replies of chatty judges: what may stand around a mark, what makes it no mark, and which of several decides."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest

from sparkle_bench.errors import VerdictError
from sparkle_bench.prompts import load_prompt
from sparkle_bench.rubric import parse

RUBRIC = load_prompt("sparkle", root=Path()).rubric
LABELS = [dimension.label for dimension in RUBRIC.dimensions]


def reply(value: str, after: str = "") -> str:
    """Return a reply in which Instruction Compliance has `value` and all others 3."""
    lines = [f"{label}: {value if number == 0 else 3}" for number, label in enumerate(LABELS)]
    return "\n".join([*lines, after])


READ = {
    "(2)": 2,
    "score: 2": 2,
    '{"reason": "3 faults", "score": 2}': 2,
    "4 (2 small halos)": 4,
    "4/5 (2 small halos, but good)": 4,
    "4 because of the halo": 4,
    "4 - small halo": 4,
    "4, small halo": 4,
    "4. Good.": 4,
    "**4** - good": 4,
    "4 out of 5 stars": 4,
}


@pytest.mark.parametrize(("value", "mark"), READ.items(), ids=READ.keys())
def test_a_mark_may_have_a_comment(value: str, mark: int) -> None:
    assert parse(reply(value), RUBRIC)["instruction"] == mark


@pytest.mark.parametrize(
    "value",
    [
        "4 and a half",
        "4 vs 3",
        "4 but 2",
        "4, maybe 3",
        "3 instead of 4",
        "4/5, no, 3/5",
        "5 if lenient, else 3",
        "4 points out of 10",
        "1 person is missing, otherwise perfect. Score 4",
        "4 (5)",
        "4 (or 5)",
        "4 - rather 3",
        "4 (maybe 3)",
        "4 (actually 3)",
        "4 (final: 2)",
        "4 (draft) 2",
        "4 (initially) -> 3",
        "4 - no, three",
        "4. Wait, make that a five",
        "4 points off",
        "4 stars out of ten",
        "4 (on a scale of 10)",
        "9" * 5000,
    ],
)
def test_a_second_number_makes_it_no_mark(value: str) -> None:
    with pytest.raises(VerdictError, match="Instruction Compliance"):
        parse(reply(value), RUBRIC)


@pytest.mark.parametrize("value", ["N/A", "cannot be judged", "four", "?", "", "not applicable"])
def test_a_mark_that_is_taken_back_is_none(value: str) -> None:
    with pytest.raises(VerdictError, match="no mark for Instruction Compliance"):
        parse(reply("5", after=f"Instruction Compliance: {value}"), RUBRIC)


@pytest.mark.parametrize("value", ["> 3", "~4", "about 4", "at least 3"])
def test_a_bound_is_no_mark(value: str) -> None:
    with pytest.raises(VerdictError, match="no mark for Instruction Compliance"):
        parse(reply(value), RUBRIC)


@pytest.mark.parametrize(
    ("after", "mark"),
    [
        ("Note on Instruction Compliance: good", 5),
        ("Instruction Compliance: The background is what was asked for.", 5),
        ("Instruction Compliance [1-5]: 2", 2),
        ("Instruction Compliance → 2", 2),
        ("1. **Instruction Compliance**: 2/5", 2),
    ],
)
def test_the_last_mark_decides_and_a_remark_is_none(after: str, mark: int) -> None:
    assert parse(reply("5", after=after), RUBRIC)["instruction"] == mark


def test_all_on_one_line() -> None:
    marks = [1, 2, 3, 4, 5, 1]
    line = ", ".join(f"{label}: {mark}" for label, mark in zip(LABELS, marks, strict=True))
    assert list(parse(line, RUBRIC).marks.values()) == marks


MARKS = [4, 3, 5, 2, 4, 1]


def each(line: str) -> str:
    """Return a reply with one line per dimension; `{label}`, `{mark}` and `{number}` stand for its own."""
    return "\n".join(
        line.format(label=label, mark=mark, number=number)
        for number, (label, mark) in enumerate(zip(LABELS, MARKS, strict=True), 1)
    )


BY_KEY = dict(zip(RUBRIC.keys, MARKS, strict=True))
ONES = dict.fromkeys(RUBRIC.keys, 1)
REAL_LIFE = {
    "headings with a score below": each("### {label}\n**Score:** {mark}\nSome words, 2 lines.\n"),
    "numbered headings with bullets": each("### {number}. {label}\n- Score: {mark}/5\n- Reason: two halos"),
    "bold label, mark below": each("**{label}**\n{mark}\n"),
    "label, bullet with score": each("**{label}:**\n- Score: {mark}\n- Rationale: good"),
    "mark in the heading": each("### {number}. {label} ({mark}/5)\nText about it."),
    "mark in brackets after the label": each("{label} ({mark}): fine"),
    "the word score after the label": each("{label} Score: {mark}"),
    "score after the rationale": each("{label}: Good, but there is a halo. Score: {mark}"),
    "fraction after the rationale": each("{label}: Good, minor halo ({mark}/5)"),
    "full-width colon and stop": each("{label}：{mark}。"),
    "Chinese measure word": each("{label}：{mark}分"),
    "a count in the comment": each("{label}: {mark} – good, with 2 halos"),
    "a time in the comment": each("{label}: {mark}. At 0:03 there is flicker"),
    "a star": each("{label}: {mark}⭐"),
    "boxed": each("{label}: \\boxed{{{mark}}}"),
    "inside an answer tag": f"<answer>{each('{label}: {mark}')}</answer>",
    "end of message token": each("{label}: {mark}") + "<|im_end|>",
    "table with reasons": "| Dimension | Reason | Score |\n|---|---|---|\n" + each("| {label} | good | {mark} |"),
    "thinking first": f"<think>{each('{label}: 1')}</think>\n{each('{label}: {mark}')}",
    "rationale after the marks": each("{label}: {mark}")
    + "\n\n**Rationale**\n- Foreground Integrity: No visible halos.\n- Background Dynamics: One small gust\n"
    "- Foreground Motion Consistency: 2 small lags near the hair",
    "JSON list of objects": json.dumps(
        [{"dimension": label, "score": mark} for label, mark in zip(LABELS, MARKS, strict=True)]
    ),
    "JSON in camel case": json.dumps(
        {label.title().replace(" ", ""): m for label, m in zip(LABELS, MARKS, strict=True)}
    ),
    "JSON with long reasons": json.dumps({key: {"reason": "so 3 " * 200, "score": m} for key, m in BY_KEY.items()}),
    "JSON with confidences": json.dumps({"scores": BY_KEY, "confidence": ONES}),
    "JSON first, then lines": json.dumps(ONES) + "\n" + each("{label}: {mark}"),
}


@pytest.mark.parametrize("said", REAL_LIFE.values(), ids=REAL_LIFE.keys())
def test_a_form_that_real_models_use_is_read(said: str) -> None:
    assert list(parse(said, RUBRIC).marks.values()) == MARKS


NO_VERDICT = {
    "thinking without end": "<think>" + each("{label}: {mark}"),
    "taken back": each("{label}: {mark}") + "\nForeground Integrity: cannot be judged.",
    "list numbers below the labels": each("{label}:\n{number}.\nfoo"),
    "two JSON verdicts side by side": json.dumps({"a": BY_KEY, "b": ONES}),
}


@pytest.mark.parametrize("said", NO_VERDICT.values(), ids=NO_VERDICT.keys())
def test_what_a_human_would_not_take_for_a_verdict_is_none(said: str) -> None:
    with pytest.raises(VerdictError):
        parse(said, RUBRIC)


@pytest.mark.parametrize("character", list('* |_ab1("{[`:\n'))
def test_reading_takes_time_in_proportion(character: str) -> None:
    """A model that loops on one character must not hold up the run: 100,000 of them are read at once."""
    run = character * 100_000
    for said in (
        f"{LABELS[0]}: 4{run}x",
        f"{LABELS[0]}{run}x",
        f"### {LABELS[0]}\n{run}",
        f"{LABELS[0]}{character}" * 5000,
    ):
        begun = time.process_time()
        with contextlib.suppress(VerdictError):
            parse(said, RUBRIC)
        assert time.process_time() - begun < 5, "seconds of CPU; it takes hundredths"


def test_an_echo_of_the_instruction_under_a_key_is_no_mark() -> None:
    others = ", ".join(f'"{key}": 3' for key in RUBRIC.keys[1:])
    text = f'{{"instruction": "2 dogs on a beach", {others}}}'
    with pytest.raises(VerdictError, match="Instruction Compliance"):
        parse(text, RUBRIC)
