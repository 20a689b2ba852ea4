"""The score table, one row for every sample and repeat, and what a board says of it. Pure.

A row is `scored`, `no_edit` or `no_verdict`:

- `scored`: the marks, capped (`rubric.cap`); the raw ones stand beside them.
- `no_edit`: there is no readable video. That is the model's failure and counts the lowest mark in every dimension.
- `no_verdict`: there is a video but the judge gave no marks. It never counts; the result shows bounds (every missing
  mark lowest, every one highest) and is incomplete, hence unranked. A sample nobody has tried to edit yet is `no_edit`
  with `attempted` false: it too leaves the result incomplete, and is bounded in the same way.

Means: over the samples of a theme, then unweighted over themes, then over dimensions (arXiv 2605.06535). The authors' script
drops what is missing; its number stands apart as `scored_overall`.

What edits took stands beside the marks and never changes one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sparkle_bench.errors import StoreError, VerdictError
from sparkle_bench.records import Edit, Judgment, Sample
from sparkle_bench.rubric import Rubric, cap, check

SCORED, NO_EDIT, NO_VERDICT = "scored", "no_edit", "no_verdict"
RAW = "raw_"
UNREADABLE = "VideoError"
"""A judgment with this kind of error found the edit itself unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one model under one judge.

    Attributes:
        samples: Every sample of the benchmark.
        edits: The newest Edit by sample id.
        judgments: The newest Judgment by (sample id, edit sha256, repeat).
        repeats: Verdicts asked for per edit.
    """

    samples: Sequence[Sample]
    edits: Mapping[str, Edit]
    judgments: Mapping[tuple[str, str, int], Judgment]
    repeats: int = 1


def score_table(evidence: Evidence, rubric: Rubric) -> pd.DataFrame:
    """Return one row for every sample and repeat, in the benchmark's order.

    Columns: `sample_id, theme, subtheme, scene, repeat, status, attempted, error`, then `raw_<key>` and `<key>` for every
    dimension: the judge's mark and the mark that counts (capped, or the lowest for a missing edit), NaN where there is none.

    Raises:
        StoreError: A stored judgment does not fit the rubric.
    """
    rows = [_row(evidence, rubric, sample, repeat) for sample in evidence.samples for repeat in range(evidence.repeats)]
    columns = ["sample_id", "theme", "subtheme", "scene", "repeat", "status", "attempted", "error"]
    marks = [*(f"{RAW}{key}" for key in rubric.keys), *rubric.keys]
    table: pd.DataFrame = pd.DataFrame(rows, columns=[*columns, *marks])
    table[marks] = table[marks].astype("float64")
    return table


def counted(evidence: Evidence) -> list[Judgment]:
    """Return the judgments that count: those of the file that is each sample's edit now."""
    found = []
    for sample in evidence.samples:
        edit = evidence.edits.get(sample.id)
        keys = [(sample.id, edit.sha256 or "", repeat) for repeat in range(evidence.repeats)] if edit else []
        found += [evidence.judgments[key] for key in keys if key in evidence.judgments]
    return found


def _row(evidence: Evidence, rubric: Rubric, sample: Sample, repeat: int) -> dict[str, object]:
    edit = evidence.edits.get(sample.id)
    judgment = evidence.judgments.get((sample.id, edit.sha256 or "", repeat)) if edit else None
    row: dict[str, object] = {
        "sample_id": sample.id,
        "theme": sample.theme,
        "subtheme": sample.subtheme,
        "scene": sample.scene,
        "repeat": repeat,
        "attempted": edit is not None,
    }
    unreadable = judgment is not None and judgment.error_type == UNREADABLE
    if edit is None or not edit.ok or unreadable:
        error = "not attempted" if edit is None else edit.error if judgment is None else judgment.error
        floor = dict.fromkeys(rubric.keys, rubric.lowest) if edit is not None else {}
        return {**row, "status": NO_EDIT, "error": error, **floor}
    if judgment is None or judgment.scores is None:
        return {**row, "status": NO_VERDICT, "error": "not judged" if judgment is None else judgment.error}
    try:
        raw = check(judgment.scores, rubric)
    except VerdictError as error:
        raise StoreError(f"the judgment of {sample.id} does not fit the rubric {rubric.name!r}: {error}") from error
    given = {f"{RAW}{key}": mark for key, mark in raw.marks.items()}
    return {**row, "status": SCORED, "error": None, **given, **cap(raw, rubric).marks}


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
class Summary:
    """What a board says of one model under one judge.

    Attributes:
        overall: The headline number.
        dimensions: By dimension key: mean over themes of the mean over samples.
        themes: By theme: mean over dimensions.
        scored: Samples all of whose repeats have marks.
        of: Samples of the benchmark.
        no_edit: Samples without a readable video, though one was attempted.
        lacking: Ids of the samples with a video that lack a verdict, sorted.
        unattempted: Samples nobody has tried to edit yet.
        scored_overall: The mean over scored rows alone, as the authors' script prints it; None if there are none.
        cap_bound: Share of scored rows in which the cap lowered a mark; None if there are none.
    """

    overall: Bounds
    dimensions: Mapping[str, Bounds]
    themes: Mapping[str, Bounds]
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


def summarise(table: pd.DataFrame, rubric: Rubric) -> Summary:
    """Reduce a score table to what a board shows.

    Raises:
        StoreError: The table is empty.
    """
    if table.empty:
        raise StoreError("there is no sample to score")
    keys = list(rubric.keys)
    low = _theme_means(table, keys, rubric.lowest)
    high = _theme_means(table, keys, rubric.highest)
    scored = table[table.status == SCORED]
    missing = (table.status == NO_VERDICT).groupby(table.sample_id).any()
    without = (table.status == NO_EDIT).groupby(table.sample_id).any()
    attempted = table.attempted.groupby(table.sample_id).all()
    return Summary(
        overall=Bounds(low=_overall(low), high=_overall(high)),
        dimensions={key: Bounds(low=float(low[key].mean()), high=float(high[key].mean())) for key in keys},
        themes={
            str(theme): Bounds(low=float(low.loc[theme].mean()), high=float(high.loc[theme].mean()))
            for theme in low.index
        },
        scored=int((~missing & ~without).sum()),
        of=len(attempted),
        no_edit=int((without & attempted).sum()),
        lacking=tuple(sorted(map(str, missing.index[missing]))),
        unattempted=int((~attempted).sum()),
        scored_overall=None if scored.empty else _overall(_theme_means(scored, keys, rubric.lowest)),
        cap_bound=None if scored.empty else _cap_bound(scored, keys),
    )


def _theme_means(table: pd.DataFrame, keys: list[str], missing: int) -> pd.DataFrame:
    """Return the mean mark by theme (rows, in the table's order) and dimension (columns), gaps filled with `missing`."""
    means: pd.DataFrame = table[keys].fillna(missing).groupby(table.theme, sort=False).mean()
    return means


def _overall(means: pd.DataFrame) -> float:
    """Return the mean over dimensions of the mean over themes."""
    return float(means.mean().mean())


def _cap_bound(scored: pd.DataFrame, keys: list[str]) -> float:
    raw = scored[[f"{RAW}{key}" for key in keys]].to_numpy()
    return float((raw > scored[keys].to_numpy()).any(axis=1).mean())


# -- what the edits took -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Efforts:
    """What a model's edits took, as its editor told it; what is None is not known.

    Only an editor's own word counts, and only on edits that were made: the time from a sample's start to its file holds
    waiting, decoding and, for videos handed in, nothing but a copy.

    Attributes:
        edits: Edits there are.
        timed: Those of which the model's own time is known.
        seconds_per_clip: The median of these times.
        frames_per_second: The frames of these edits, in all, over their time, in all.
        host_memory_gb: The most memory that a process which edited has held, in 10^9 bytes.
        gpu_memory_gb: The most GPU memory in use during an edit, in 10^9 bytes.
        priced: Edits whose cost is known.
        cost_usd: What all edits cost together, in US dollars; None unless each one's cost is known.
        cost_per_clip_usd: The mean over those whose cost is known.
        timekeeping: Edits whose frames are known to stand for the source's one by one, or known not to.
        aligned: The share of these that do.
    """

    edits: int
    timed: int
    seconds_per_clip: float | None
    frames_per_second: float | None
    host_memory_gb: float | None
    gpu_memory_gb: float | None
    priced: int
    cost_usd: float | None
    cost_per_clip_usd: float | None
    timekeeping: int
    aligned: float | None

    @property
    def known(self) -> bool:
        """Whether anything is."""
        values = (self.seconds_per_clip, self.host_memory_gb, self.gpu_memory_gb, self.cost_per_clip_usd, self.aligned)
        return any(value is not None for value in values)


def efforts(evidence: Evidence) -> Efforts:
    """Return what the edits of the benchmark's samples took."""
    found = [evidence.edits[sample.id] for sample in evidence.samples if sample.id in evidence.edits]
    made = [edit for edit in found if edit.ok and edit.here]
    times = {edit.sample_id: seconds for edit in made if (seconds := _known(edit, "seconds"))}
    frames = [float(edit.probe.frames) for edit in made if edit.sample_id in times and edit.probe]
    costs = [cost for edit in made if (cost := _known(edit, "cost")) is not None]
    kept = [edit.effort.aligned for edit in made if edit.effort and isinstance(edit.effort.aligned, bool)]
    return Efforts(
        edits=len(made),
        timed=len(times),
        seconds_per_clip=statistics.median(times.values()) if times else None,
        frames_per_second=math.fsum(frames) / math.fsum(times.values()) if times else None,
        host_memory_gb=_gigabytes(_known(edit, "host_memory") for edit in made),
        gpu_memory_gb=_gigabytes(_known(edit, "gpu_memory") for edit in made),
        priced=len(costs),
        cost_usd=math.fsum(costs) if costs and len(costs) == len(made) else None,
        cost_per_clip_usd=math.fsum(costs) / len(costs) if costs else None,
        timekeeping=len(kept),
        aligned=sum(kept) / len(kept) if kept else None,
    )


def _known(edit: Edit, name: str) -> float | None:
    """Return a number of an edit's effort."""
    value = getattr(edit.effort, name, None)
    return None if value is None else float(value)


def _gigabytes(sizes: Iterable[float | None]) -> float | None:
    """Return the largest of the known sizes."""
    known = [size for size in sizes if size]
    return max(known) / 1e9 if known else None
