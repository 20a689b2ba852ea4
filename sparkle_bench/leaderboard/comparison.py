"""Two results side by side: the same samples, the same judge, nothing left out unless that is asked for.

What makes two results comparable is checked here; how they compare is `stats.compare`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import StoreError, listed
from sparkle_bench.leaderboard.contest import ALPHA, SEED, means
from sparkle_bench.leaderboard.entry import Entry, read_entry
from sparkle_bench.leaderboard.ranking import missing
from sparkle_bench.records import Sample
from sparkle_bench.stats import Contrast, Design, Difference, compare, design, judge_error
from sparkle_bench.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How two results are compared.

    Attributes:
        judge_key: Under which judge, or the beginning of its key; None for the only one that judged both.
        capped: Whether the marks that count are compared, or the judge's own.
        common: Whether samples on which one lacks a verdict are left out; else two incomplete results are refused.
    """

    judge_key: str | None = None
    capped: bool = True
    common: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One number of both.

    Attributes:
        key: `overall`, a dimension's key or a theme.
        label: The same for people.
        a: Of the first, in marks.
        b: Of the second.
        difference: The first minus the second.
        p: By which it is decided: corrected where several are asked at once.
        better: Who is better, beyond chance; None if they are not told apart.
    """

    key: str
    label: str
    a: float
    b: float
    difference: Difference
    p: float
    better: Literal["a", "b"] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Two results compared, the first minus the second.

    Attributes:
        a: The first.
        b: The second.
        judge_key: Whose verdicts.
        samples: S compared samples, in the benchmark's order.
        design: How these hang together.
        marks_a: (S, D) marks of the first, means over repeats.
        marks_b: (S, D) those of the second.
        contrast: How they compare.
        lacking_a: Samples on which the first lacks a verdict.
        lacking_b: Those on which the second does.
        noise: Standard error of the overall difference that comes of the judge's wavering alone; None without repeats of
            both, or of raw marks.
    """

    a: Entry
    b: Entry
    judge_key: str
    samples: tuple[Sample, ...]
    design: Design
    marks_a: Floats
    marks_b: Floats
    contrast: Contrast
    lacking_a: int
    lacking_b: int
    noise: float | None

    @property
    def left_out(self) -> int:
        """How many samples are not compared."""
        return len(self.a.marks.samples) - len(self.samples)

    @property
    def overall(self) -> Compared:
        """The overall numbers, for which nothing is corrected."""
        a, b = (float((marks.mean(axis=1) * self.design.share).sum()) for marks in (self.marks_a, self.marks_b))
        return self._compared(("overall", "overall"), (a, b), self.contrast.overall, p=self.contrast.overall.p)

    @property
    def dimensions(self) -> list[Compared]:
        """The numbers of every dimension, in the rubric's order."""
        rubric, share = self.a.marks.rubric, self.design.share[:, None]
        both = zip(
            (self.marks_a * share).sum(axis=0).tolist(), (self.marks_b * share).sum(axis=0).tolist(), strict=True
        )
        return [
            self._compared((key, rubric.label(key)), numbers, of, p=of.adjusted)
            for key, numbers, of in zip(rubric.keys, both, self.contrast.dimensions, strict=True)
        ]

    @property
    def themes(self) -> list[Compared]:
        """The numbers of every theme that has a compared sample, in the benchmark's order."""
        found = []
        for number, (theme, of) in enumerate(zip(self.design.themes, self.contrast.themes, strict=True)):
            inside = self.design.theme == number
            numbers = float(self.marks_a[inside].mean()), float(self.marks_b[inside].mean())
            found.append(self._compared((theme, theme), numbers, of, p=of.adjusted))
        return found

    def _compared(self, names: tuple[str, str], numbers: tuple[float, float], of: Difference, *, p: float) -> Compared:
        apart = p < self.contrast.alpha and of.value != 0
        better: Literal["a", "b"] | None = None if not apart else "a" if of.value > 0 else "b"
        return Compared(key=names[0], label=names[1], a=numbers[0], b=numbers[1], difference=of, p=p, better=better)

    def most(self, count: int, *, favouring: Literal["a", "b"]) -> list[int]:
        """Return the places in `samples` of those that differ most in favour of one; alike ones by their ids."""
        differences = (self.contrast.by_sample if favouring == "a" else -self.contrast.by_sample).tolist()
        places = [place for place, difference in enumerate(differences) if difference > 0]
        return sorted(places, key=lambda place: (-differences[place], self.samples[place].id))[:count]


def comparison(results: Store, a: str, b: str, terms: Terms) -> Comparison:
    """Compare two results.

    Raises:
        StoreError: There is no such result, or the two cannot be compared.
    """
    key = _key(results, a, b, terms.judge_key)
    one, other = read_entry(results, a, key), read_entry(results, b, key)
    _check_alike(one, other)
    if not terms.common:
        _check_complete(one, other)
    known = [entry.marks.known.all(axis=1) for entry in (one, other)]
    chosen = np.flatnonzero(known[0] & known[1])
    if not len(chosen):
        raise StoreError(f"{a} and {b} have verdicts on no sample in common; finish one of them first")
    samples = tuple(one.marks.samples[number] for number in chosen)
    where = design(samples)
    marks = [means(entry.marks, capped=terms.capped)[chosen] for entry in (one, other)]
    return Comparison(
        a=one,
        b=other,
        judge_key=key,
        samples=samples,
        design=where,
        marks_a=marks[0],
        marks_b=marks[1],
        contrast=compare(marks[0], marks[1], where, seed=SEED, alpha=ALPHA),
        lacking_a=int((~known[0]).sum()),
        lacking_b=int((~known[1]).sum()),
        noise=_noise(one.marks.counts[chosen], other.marks.counts[chosen], where) if terms.capped else None,
    )


def _noise(a: NDArray[np.int16], b: NDArray[np.int16], where: Design) -> float | None:
    of_a, of_b = judge_error(a, where), judge_error(b, where)
    return None if of_a is None or of_b is None else math.hypot(of_a, of_b)


# -- what can be compared ----------------------------------------------------------------------------------------------


def _key(results: Store, a: str, b: str, wanted: str | None) -> str:
    """Return the judge key under which two results are compared."""
    for model in (a, b):
        if results.read_run(model) is None:
            near = suggestion(model, results.models())
            raise StoreError(f"no result {model!r} under {results.root / 'results'}; {near}")
    if a == b:
        raise StoreError(f"{a} is compared with itself; name two results")
    keys_a, keys_b = results.judge_keys(a), results.judge_keys(b)
    both = [key for key in keys_a if key in keys_b]
    if not both:
        said = " and ".join(f"{m} {listed(keys) or 'none'}" for m, keys in ((a, keys_a), (b, keys_b)))
        raise StoreError(f"no judge has judged both ({said}); have one judged by the other's judge")
    return _chosen(wanted, both, {a: keys_a, b: keys_b})


def _chosen(wanted: str | None, both: Sequence[str], keys: dict[str, list[str]]) -> str:
    """Return the key that is meant: the only one, the one named, or the one that begins so."""
    if wanted is None:
        if len(both) == 1:
            return both[0]
        raise StoreError(_several("both were judged under", both))
    fitting = meant(wanted, both)
    if fitting is not None:
        return fitting
    for model, its in keys.items():
        if wanted in its:
            other = next(name for name in keys if name != model)
            raise StoreError(f"{other} has no verdicts of {wanted}; both have: {listed(list(both), first=12)}")
    raise StoreError(f"no judge key {wanted!r} of both; {suggestion(wanted, both)}")


def meant(wanted: str, keys: Sequence[str]) -> str | None:
    """Return the judge key that is named, or else the only one that begins so; None if none does.

    Raises:
        StoreError: Several begin so.
    """
    fitting = [key for key in keys if key == wanted] or [key for key in keys if key.startswith(wanted)]
    if len(fitting) > 1:
        raise StoreError(_several(f"--judge {wanted} fits", fitting))
    return fitting[0] if fitting else None


def _several(said: str, keys: Sequence[str]) -> str:
    return f"{said} {len(keys)} judge keys; choose one with --judge: {listed(list(keys), first=12)}"


def _check_alike(a: Entry, b: Entry) -> None:
    names = [str(entry.run["benchmark"]["name"]) for entry in (a, b)]
    if names[0] != names[1]:
        raise StoreError(f"{a.model} belongs to the benchmark {names[0]} and {b.model} to {names[1]}")
    if a.version != b.version or a.marks.layout != b.marks.layout:
        counts = f"{len(a.marks.samples)} and {len(b.marks.samples)} samples"
        raise StoreError(
            f"{a.model} and {b.model} were made on different versions of {names[0]} ({a.version[:8]} and {b.version[:8]}, "
            f"{counts}); make one of them again"
        )
    if a.marks.rubric != b.marks.rubric:
        raise StoreError(
            f"the judge.json of {a.model} and {b.model} hold different rubrics; `sparkle-bench verify` both"
        )


def _check_complete(a: Entry, b: Entry) -> None:
    """Refuse incomplete results: whoever leaves samples out can win by it."""
    lacking = [entry for entry in (a, b) if not entry.summary.complete]
    if lacking:
        said = "; ".join(f"{entry.model} is incomplete ({missing(entry.summary)})" for entry in lacking)
        raise StoreError(f"{said}; finish it, or compare the samples that both have with --common, which is no ranking")
