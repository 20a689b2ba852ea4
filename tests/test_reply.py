"""Replies of chatty judges: what may stand around a mark, what makes it no mark, and which of several decides."""

from __future__ import annotations

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


def test_an_echo_of_the_instruction_under_a_key_is_no_mark() -> None:
    others = ", ".join(f'"{key}": 3' for key in RUBRIC.keys[1:])
    text = f'{{"instruction": "2 dogs on a beach", {others}}}'
    with pytest.raises(VerdictError, match="Instruction Compliance"):
        parse(text, RUBRIC)
