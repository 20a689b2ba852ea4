"""How far repeated verdicts on the same edits agree: the judge's own noise. Pure.

Marks here are raw, never capped: the cap would make one dimension's noise another's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkle_bench.records import Judgment
from sparkle_bench.rubric import Rubric
from sparkle_bench.stats.design import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    import numpy as np

    marks = np.arange(rubric.lowest, rubric.highest + 1)
    counts = _counts(units, rubric)
    sizes = counts.sum(axis=1)
    pairs = int((sizes * (sizes - 1) // 2).sum())
    apart = np.abs(marks[:, None] - marks[None, :])
    same = int((counts * (counts - 1) // 2).sum())
    distance = int(((counts @ apart) * counts).sum()) // 2
    return Agreement(
        edits=len(units),
        pairs=pairs,
        exact=same / pairs,
        difference=distance / pairs,
        alpha=_alpha(counts, rubric),
    )


def _counts(units: Sequence[Sequence[int]], rubric: Rubric) -> NDArray[Any]:
    """Return (units, marks) how often each unit was given each mark."""
    import numpy as np

    counts = np.zeros((len(units), rubric.highest - rubric.lowest + 1), dtype=np.int64)
    of = np.repeat(np.arange(len(units)), [len(marks) for marks in units])
    np.add.at(counts, (of, np.fromiter(itertools.chain.from_iterable(units), np.int64) - rubric.lowest), 1)
    return counts


def _alpha(counts: NDArray[Any], rubric: Rubric) -> float | None:
    import krippendorff
    import numpy as np

    if (counts.sum(axis=0) > 0).sum() < 2:
        return None
    domain = np.arange(rubric.lowest, rubric.highest + 1)
    return float(krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement="ordinal"))


def judge_error(marks: NDArray[Any], design: Design) -> float | None:
    """Return the standard error of the overall number that comes from the judge's own noise alone, in marks.

    The variance of a sample's mean over dimensions across its repeats, divided by their number and carried through the
    means over samples and themes. Unlike the rest of this module it takes the marks that count, for these make the number.

    Args:
        marks: (S, R, D) capped marks of every repeat.
        design: How the samples hang together.

    Returns:
        None with fewer than two repeats.

    Raises:
        ValueError: The marks are not these samples', or one is missing.
    """
    import numpy as np

    design.check(marks.transpose(1, 0, 2))
    repeats = marks.shape[1]
    if repeats < 2:
        return None
    within = marks.mean(axis=2).var(axis=1, ddof=1) / repeats
    return float(np.sqrt((within * design.share**2).sum()))
