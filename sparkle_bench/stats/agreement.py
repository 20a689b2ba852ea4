"""How far repeated verdicts on the same edits agree: the judge's own noise. Pure.

Marks here are raw, never capped: the cap would make one dimension's noise another's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sparkle_bench.records import Judgment
from sparkle_bench.rubric import Rubric

Units = Mapping[str, Sequence[Sequence[int]]]
"""By dimension key: for every edit judged more than once the marks that it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of repeats in one dimension.

    Attributes:
        edits: Edits judged more than once.
        pairs: Pairs of verdicts on the same edit.
        exact: Share of these pairs with the same mark, 0 to 1.
        difference: Mean absolute difference of these pairs, in marks.
        alpha: Krippendorff's alpha for ordinal marks (Krippendorff 2004, "Content Analysis", chapter 11): 1 is perfect, 0 as
            by chance; None where all marks are the same, for then it is undefined.
    """

    edits: int
    pairs: int
    exact: float
    difference: float
    alpha: float | None


def repeated(judgments: Iterable[Judgment], rubric: Rubric) -> dict[str, list[list[int]]]:
    """Return, by dimension key, the raw marks of every edit that has more than one verdict.

    Verdicts that were taken over from another result count there.
    """
    by_edit: dict[tuple[str, str], list[Judgment]] = {}
    for judgment in judgments:
        if judgment.scores is not None and judgment.reused in (None, "replay"):
            by_edit.setdefault((judgment.sample_id, judgment.edit_sha256), []).append(judgment)
    several = [found for found in by_edit.values() if len(found) > 1]
    return {key: [[j.scores[key] for j in found if j.scores] for found in several] for key in rubric.keys}


def noise(units: Units, rubric: Rubric) -> dict[str, Agreement]:
    """Return the agreement of repeats in each dimension; nothing if no edit was judged more than once."""
    return {key: _agreement(marks, rubric) for key, marks in units.items() if marks}


def _agreement(units: Sequence[Sequence[int]], rubric: Rubric) -> Agreement:
    apart = [abs(a - b) for marks in units for a, b in itertools.combinations(marks, 2)]
    return Agreement(
        edits=len(units),
        pairs=len(apart),
        exact=sum(difference == 0 for difference in apart) / len(apart),
        difference=sum(apart) / len(apart),
        alpha=_alpha(units, rubric),
    )


def _alpha(units: Sequence[Sequence[int]], rubric: Rubric) -> float | None:
    if len({mark for marks in units for mark in marks}) < 2:
        return None
    import krippendorff
    import numpy as np

    counts = np.array([[list(marks).count(m) for m in range(rubric.lowest, rubric.highest + 1)] for marks in units])
    domain = np.arange(rubric.lowest, rubric.highest + 1)
    return float(krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement="ordinal"))
