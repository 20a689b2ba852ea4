"""The cap, over every verdict there is."""

from __future__ import annotations

import itertools
from pathlib import Path

from sparkle_bench.prompts import load_prompt
from sparkle_bench.rubric import Scores, cap


def test_cap_is_the_minimum_with_instruction_for_all_15625_verdicts() -> None:
    rubric = load_prompt("sparkle", root=Path()).rubric
    count = 0
    for marks in itertools.product(range(1, 6), repeat=6):
        capped = cap(Scores(marks=dict(zip(rubric.keys, marks, strict=True))), rubric)
        assert [capped[key] for key in rubric.keys] == [min(mark, marks[0]) for mark in marks]
        count += 1
    assert count == 15_625
