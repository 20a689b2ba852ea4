"""What came of judging part of a result again: as a record, as data and in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkle_bench.stats import Retest

REPEATS = 2
"""The fewest new verdicts that show the judge's own noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """What came of it.

    Attributes:
        model: The result's name.
        judge_key: Whose verdicts are in question.
        seed: Of the drawing.
        chosen: The samples' ids, in the order in which they were drawn.
        of: How many samples have a verdict.
        left_out: Why a chosen sample could not be compared, by its id: it did not get enough new verdicts.
        stopped: Why the judge was not asked everything, or None.
        retest: The comparison, or None if nothing could be compared.
    """

    model: str
    judge_key: str
    seed: int
    chosen: tuple[str, ...]
    of: int
    left_out: Mapping[str, str]
    stopped: str | None
    retest: Retest | None

    @property
    def verdict(self) -> str:
        """`consistent`, `inconsistent` or `too few to tell`."""
        return self.retest.verdict if self.retest else "too few to tell"

    def to_data(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        tested = self.retest.to_data() if self.retest else None
        return data | {"verdict": self.verdict, "left_out": dict(self.left_out), "retest": tested}

    def lines(self) -> list[str]:
        """Return the same in words, the verdict last."""
        compared = len(self.chosen) - len(self.left_out)
        lines = [f"judged again: {compared} of {self.of} verdicts of {self.judge_key}, drawn with seed {self.seed}"]
        if self.left_out:
            first = next(iter(self.left_out))
            lines.append(
                f"{len(self.left_out)} more were drawn but have no {REPEATS} new verdicts, so they are left out; "
                f"the first, {first}: {self.left_out[first]}"
            )
        if self.stopped:
            lines.append(f"stopped: {self.stopped}; with --seed {self.seed} it goes on from here")
        return [*lines, *(retest_lines(self.retest) if self.retest else [f"verdict: {self.verdict}"])]


def retest_lines(found: Retest) -> list[str]:
    """Return what a comparison showed in words, the verdict last."""
    how = "all labellings" if found.exact else f"{found.rules.draws} labellings drawn with seed {found.seed}"
    between = "" if found.interval is None else f" (95% interval {found.interval[0]:+.3f} to {found.interval[1]:+.3f})"
    shown = (
        "no difference at all could have been shown with so few samples"
        if found.shown_from is None
        else f"a mean difference of {found.shown_from:.2f} marks would have been found in 4 of 5 such checks"
    )
    lines = [
        f"stored minus new marks: mean {found.difference:+.3f}{between}; {shown}",
        f"the judge's own noise: two of its new verdicts differ by {found.noise:.3f} marks on average, "
        f"a stored and a new one by {found.noise + found.excess:.3f}",
        f"higher or lower than chance: p = {_p(found.direction.adjusted)}; further off than chance: "
        f"p = {_p(found.size.adjusted)} ({how}, corrected for two tests)",
        f"{found.apart} of {found.n} stored verdicts stand apart from all new ones, {found.apart_by_chance:.1f} are "
        f"expected by chance; at most {100 * found.share_at_most:.0f}% of all {found.of} do (95% sure)",
    ]
    if found.noise == 0 and found.excess > 0:
        lines.append(
            "the judge never differed from itself here, so every difference counts; the same judge on another GPU or in "
            "another release of its server may differ a little: make sure that is not the cause"
        )
    return [*lines, f"verdict: {found.verdict}"]


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
