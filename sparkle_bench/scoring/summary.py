"""Means of a result's marks, or the bounds between which they lie while verdicts are missing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.errors import StoreError
from sparkle_bench.scoring.marks import Marks

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A mean, or how low and how high it may turn out while verdicts are missing.

    Attributes:
        low: With every missing mark the lowest.
        high: With every missing mark the highest.
    """

    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The mean, once nothing is missing."""
        return self.low if self.low == self.high else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A mean over few samples.

    Attributes:
        mean: Over dimensions of the mean over samples.
        samples: How many samples.
    """

    mean: Bounds
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a board says of one model under one judge.

    Attributes:
        overall: The headline number.
        dimensions: By dimension key: mean over themes of the mean over samples.
        themes: By theme: mean over dimensions.
        subthemes: By theme and subtheme, in the samples' order.
        uncapped: What `overall` would be without the cap.
        raw: What `dimensions` would be without the cap.
        scored: Samples all of whose repeats have marks.
        of: Samples of the benchmark.
        no_edit: Samples without a readable video, though one was attempted.
        lacking: Ids of the samples with a video that lack a verdict, sorted.
        unattempted: Samples nobody has tried to edit yet.
        scored_overall: The mean over scored marks alone, as the authors' script prints it; None if there are none.
        cap_bound: Share of verdicts in which the cap lowered a mark; None if there are none.
    """

    overall: Bounds
    dimensions: Mapping[str, Bounds]
    themes: Mapping[str, Bounds]
    subthemes: Mapping[tuple[str, str], Cell]
    uncapped: Bounds
    raw: Mapping[str, Bounds]
    scored: int
    of: int
    no_edit: int
    lacking: tuple[str, ...]
    unattempted: int
    scored_overall: float | None
    cap_bound: float | None

    @property
    def no_verdict(self) -> int:
        """Samples with a video that lack a verdict."""
        return len(self.lacking)

    @property
    def complete(self) -> bool:
        """Whether every sample has all its verdicts or is known to have no edit."""
        return self.no_verdict == 0 and self.unattempted == 0


def summarise(marks: Marks) -> Summary:
    """Reduce a result's marks to what a board shows.

    Raises:
        StoreError: There is no sample.
    """
    if not marks.samples:
        raise StoreError("there is no sample to score")
    keys = marks.rubric.keys
    themes = [(sample.theme, "") for sample in marks.samples]
    subthemes = [(sample.theme, sample.subtheme) for sample in marks.samples]
    by_theme, raw = _bounds(marks, marks.counts, themes), _bounds(marks, marks.uncapped, themes)
    by_subtheme = _bounds(marks, marks.counts, subthemes)
    missing, without = marks.no_verdict.any(axis=1), marks.no_edit.any(axis=1)
    scored = marks.scored
    lowered = (marks.raw[scored] > marks.counts[scored]).any(axis=1)
    return Summary(
        overall=_over_all(by_theme),
        dimensions=_over_themes(by_theme, keys),
        themes={name[0]: _over_dimensions(by_theme, name) for name in by_theme[0]},
        subthemes={
            name: Cell(mean=_over_dimensions(by_subtheme, name), samples=subthemes.count(name))
            for name in dict.fromkeys(subthemes)
        },
        uncapped=_over_all(raw),
        raw=_over_themes(raw, keys),
        scored=int((~missing & ~without).sum()),
        of=len(marks.samples),
        no_edit=int((without & marks.attempted).sum()),
        lacking=tuple(sorted(marks.samples[s].id for s in np.flatnonzero(missing))),
        unattempted=int((~marks.attempted).sum()),
        scored_overall=_mean(_by_group(marks.counts, scored, themes)) if scored.any() else None,
        cap_bound=float(lowered.mean()) if scored.any() else None,
    )


Label = tuple[str, str]
"""A theme and a subtheme, or a theme and nothing."""
Means = dict[Label, "NDArray[np.float64]"]
"""Mean mark of each dimension, (D,), by label."""


def _bounds(marks: Marks, values: NDArray[np.int16], groups: list[Label]) -> tuple[Means, Means]:
    """Return the means with every gap the lowest mark, and with every gap the highest."""
    known, every = marks.known, np.ones(marks.status.shape, np.bool_)
    gaps = (marks.rubric.lowest, marks.rubric.highest)
    low, high = (_by_group(np.where(known[:, :, None], values, np.int16(gap)), every, groups) for gap in gaps)
    return low, high


def _by_group(values: NDArray[np.int16], used: NDArray[np.bool_], groups: list[Label]) -> Means:
    """Return the mean over the used places of each group; a group without any is left out."""
    names = list(dict.fromkeys(groups))
    places = {name: number for number, name in enumerate(names)}
    of = np.array([places[group] for group in groups])
    found: Means = {}
    for number, name in enumerate(names):
        rows = values[of == number][used[of == number]]
        if len(rows):
            found[name] = rows.mean(axis=0, dtype=np.float64)
    return found


def _mean(means: Means) -> float:
    """Return the mean over dimensions of the mean over themes."""
    return float(np.mean([*means.values()], axis=0).mean())


def _over_all(means: tuple[Means, Means]) -> Bounds:
    return Bounds(low=_mean(means[0]), high=_mean(means[1]))


def _over_themes(means: tuple[Means, Means], keys: tuple[str, ...]) -> dict[str, Bounds]:
    low, high = (np.mean([*side.values()], axis=0) for side in means)
    return {key: Bounds(low=float(low[d]), high=float(high[d])) for d, key in enumerate(keys)}


def _over_dimensions(means: tuple[Means, Means], name: Label) -> Bounds:
    return Bounds(low=float(means[0][name].mean()), high=float(means[1][name].mean()))
