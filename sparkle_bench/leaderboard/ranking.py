"""Who stands where on a board, and how surely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkle_bench.errors import StoreError
from sparkle_bench.leaderboard.contest import Contest, contest
from sparkle_bench.leaderboard.entry import Entry
from sparkle_bench.rubric import Rubric
from sparkle_bench.scoring import Summary
from sparkle_bench.stats import Agreement, Design, Interval, Intervals, Standing, design, judge_error, noise
from sparkle_bench.stats.paired import EQUAL
from sparkle_bench.submission.card import INSTRUCTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry in its place.

    Attributes:
        entry: The result.
        place: From 1 in each track, by the mean alone; None below the line.
        why_unranked: Empty for a ranked row.
        standing: Its rank, and how far the rank is known; None below the line.
        intervals: Of its numbers; None below the line.
        uncapped_place: What its place would be without the cap.
        uncapped: What its standing would be without the cap.
        raw_intervals: Of its numbers without the cap.
    """

    entry: Entry
    place: int | None = None
    why_unranked: str = ""
    standing: Standing | None = None
    intervals: Intervals | None = None
    uncapped_place: int | None = None
    uncapped: Standing | None = None
    raw_intervals: Intervals | None = None

    @property
    def rank(self) -> int | None:
        """From 1 in each track; models that cannot be told apart share one. None below the line."""
        return self.standing.rank if self.standing else None

    @property
    def track(self) -> str:
        """Among which results it is ranked."""
        return self.entry.track


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One leaderboard.

    Attributes:
        benchmark: The benchmark's name.
        judge_key: Whose verdicts these are.
        rubric: The dimensions.
        themes: The themes, in the benchmark's order.
        rows: Ranked ones first, track by track, best first; then those below the line, whatever their track.
        contests: How the ranked results of each track compare, in the tracks' order.
        design: How the benchmark's samples hang together.
        noise: The judge's own noise, by dimension key, over all edits on the board that it judged more than once.
        judge: What every row's `judge.json` says alike: key, identity, notes.
        version: The benchmark's version, its size and whether it is partial.
    """

    benchmark: str
    judge_key: str
    rubric: Rubric
    themes: tuple[str, ...]
    rows: tuple[Row, ...]
    contests: Mapping[str, Contest]
    design: Design
    noise: Mapping[str, Agreement]
    judge: Mapping[str, Any]
    version: Mapping[str, Any]

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks of its ranked rows, in their order."""
        return tuple(dict.fromkeys(row.track for row in self.rows if row.rank is not None))

    @property
    def has_control(self) -> bool:
        """Whether the unchanged source stands on it."""
        return any(row.entry.is_control for row in self.rows)

    @property
    def has_extra_inputs(self) -> bool:
        """Whether any result on it was made from more than the source and the instruction."""
        return any(row.track != INSTRUCTION for row in self.rows)

    @property
    def timed(self) -> tuple[Row, ...]:
        """The rows of which anything is known of what the edits took."""
        return tuple(row for row in self.rows if row.entry.efforts.known)

    def judge_error(self, row: Row) -> float | None:
        """Return the standard error of a ranked result's overall number that comes of the judge's wavering alone.

        None below the line, and without repeats.
        """
        return None if row.rank is None else judge_error(row.entry.marks.counts, self.design)

    def interval(self, row: Row, name: str) -> Interval | None:
        """Return the interval of `overall`, a dimension or a theme of a row, if it has one."""
        found = row.intervals
        if found is None:
            return None
        named = dict(zip((*self.rubric.keys, *self.design.themes), (*found.dimensions, *found.themes), strict=True))
        return {**named, "overall": found.overall}.get(name)


def ranked_board(name: str, key: str, entries: Sequence[Entry]) -> Board:
    """Return the board of a benchmark and a judge key, all of whose results are `entries`, at least one.

    Raises:
        StoreError: Two results have different rubrics.
    """
    versions = {entry.model: (entry.version, entry.marks.layout) for entry in entries}
    counts = Counter(versions.values())
    # The larger benchmark, then the one of most results, then the hash: the choice must not depend on file order.
    main = max(entries, key=lambda e: (e.summary.of, counts[versions[e.model]], versions[e.model]))
    for entry in entries:
        if entry.marks.rubric != main.marks.rubric:
            raise StoreError(
                f"results/{entry.model} and results/{main.model} stand under {key} with different rubrics, so one judge.json "
                "is not what its key says; restore it or remove the folder"
            )
    same = [e for e in entries if versions[e.model] == versions[main.model]]
    others = [e for e in entries if versions[e.model] != versions[main.model]]
    laid_out, rubric = design(main.marks.samples), main.marks.rubric
    complete = sorted((e for e in same if e.summary.complete), key=lambda e: e.model)
    tracks = sorted({e.track for e in complete}, key=lambda track: (track != INSTRUCTION, track))
    found = {track: contest([e for e in complete if e.track == track], laid_out) for track in tracks}
    rows = [row for track in tracks for row in _placed([e for e in complete if e.track == track], found[track])]
    rows += _unranked([e for e in same if not e.summary.complete], "incomplete")
    rows += _unranked(others, "another version of the benchmark")
    return Board(
        benchmark=name,
        judge_key=key,
        rubric=rubric,
        themes=tuple(main.summary.themes),
        rows=tuple(rows),
        contests=found,
        design=laid_out,
        noise=_noise(rows, rubric),
        judge={field: main.judge[field] for field in ("key", "identity", "notes")},
        version=main.run["benchmark"],
    )


def _noise(rows: Sequence[Row], rubric: Rubric) -> dict[str, Agreement]:
    each = [row.entry.marks.repeated() for row in rows]
    return noise({key: [marks for units in each for marks in units.get(key, ())] for key in rubric.keys}, rubric)


def _placed(entries: Sequence[Entry], found: Contest) -> list[Row]:
    """Return the rows of a track, best first; its models are in the contest's order."""
    places = _places([e.summary.overall.low for e in entries])
    uncapped_places = _places([e.summary.uncapped.low for e in entries])
    rows = [
        Row(
            entry=entry,
            place=places[n],
            standing=found.standings[n],
            intervals=found.intervals[n],
            uncapped_place=uncapped_places[n],
            uncapped=found.uncapped[n],
            raw_intervals=found.raw_intervals[n],
        )
        for n, entry in enumerate(entries)
    ]
    return sorted(rows, key=lambda row: (row.place or 0, -row.entry.summary.overall.low, row.entry.model))


def _places(numbers: Sequence[float]) -> list[int]:
    """Return the place of each number, the largest first; equal ones share one."""
    return [1 + sum(other > number + EQUAL for other in numbers) for number in numbers]


def _unranked(entries: Sequence[Entry], why: str) -> list[Row]:
    ordered = sorted(entries, key=lambda e: (-e.summary.overall.low, e.model))
    return [Row(why_unranked=f"{why}: {missing(e.summary)}", entry=e) for e in ordered]


def missing(summary: Summary) -> str:
    """Say in words what of a result is missing."""
    parts = [
        f"{summary.no_verdict} without verdict" * bool(summary.no_verdict),
        f"{summary.unattempted} not attempted" * bool(summary.unattempted),
    ]
    return ", ".join(filter(None, parts)) or f"{summary.of} samples"
