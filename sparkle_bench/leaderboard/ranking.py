"""Who stands where on a board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkle_bench.leaderboard.entry import Entry
from sparkle_bench.rubric import Rubric, rubric_from_data
from sparkle_bench.scoring import Summary
from sparkle_bench.stats import Agreement, noise
from sparkle_bench.submission.card import INSTRUCTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry in its place.

    Attributes:
        rank: From 1 in each track, or None below the line.
        why_unranked: Empty for a ranked row.
        entry: The result.
    """

    rank: int | None
    why_unranked: str
    entry: Entry

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
        judge: What every row's `judge.json` says alike: key, identity, notes.
        version: The benchmark's version, its size and whether it is partial.
    """

    benchmark: str
    judge_key: str
    rubric: Rubric
    themes: tuple[str, ...]
    rows: tuple[Row, ...]
    judge: Mapping[str, Any]
    version: Mapping[str, Any]

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks of its ranked rows, in their order."""
        return tuple(dict.fromkeys(row.track for row in self.rows if row.rank is not None))

    @property
    def has_extra_inputs(self) -> bool:
        """Whether any result on it was made from more than the source and the instruction."""
        return any(row.track != INSTRUCTION for row in self.rows)

    @property
    def timed(self) -> tuple[Row, ...]:
        """The rows of which anything is known of what the edits took."""
        return tuple(row for row in self.rows if row.entry.efforts.known)

    @property
    def noise(self) -> dict[str, Agreement]:
        """The judge's own noise, by dimension key, over all edits on the board that it judged more than once."""
        units = {
            key: [marks for row in self.rows for marks in row.entry.units.get(key, ())] for key in self.rubric.keys
        }
        return noise(units, self.rubric)


def ranked_board(name: str, key: str, entries: Sequence[Entry]) -> Board:
    """Return the board of a benchmark and a judge key, all of whose results are `entries`, at least one."""
    versions = Counter(entry.version for entry in entries)
    # The larger benchmark, then the one of most results, then the hash: the choice must not depend on file order.
    main = max(entries, key=lambda e: (e.summary.of, versions[e.version], e.version))
    rows = _ranked([e for e in entries if e.version == main.version])
    rows += _unranked([e for e in entries if e.version != main.version], "another version of the benchmark")
    return Board(
        benchmark=name,
        judge_key=key,
        rubric=rubric_from_data(main.judge["rubric"]),
        themes=tuple(main.summary.themes),
        rows=tuple(rows),
        judge={field: main.judge[field] for field in ("key", "identity", "notes")},
        version=main.run["benchmark"],
    )


def _ranked(entries: Sequence[Entry]) -> list[Row]:
    """Rank complete results, each track on its own: what had masks does not compare with what had none."""
    complete = [e for e in entries if e.summary.complete]
    tracks = sorted({e.track for e in complete}, key=lambda track: (track != INSTRUCTION, track))
    rows = [row for track in tracks for row in _placed([e for e in complete if e.track == track])]
    return rows + _unranked([e for e in entries if not e.summary.complete], "incomplete")


def _placed(entries: Sequence[Entry]) -> list[Row]:
    rows: list[Row] = []
    for place, entry in enumerate(sorted(entries, key=lambda e: (-e.summary.overall.low, e.model)), 1):
        tied = rows and abs(rows[-1].entry.summary.overall.low - entry.summary.overall.low) < 1e-9
        rows.append(Row(rank=rows[-1].rank if tied else place, why_unranked="", entry=entry))
    return rows


def _unranked(entries: Sequence[Entry], why: str) -> list[Row]:
    ordered = sorted(entries, key=lambda e: (-e.summary.overall.low, e.model))
    return [Row(rank=None, why_unranked=f"{why}: {missing(e.summary)}", entry=e) for e in ordered]


def missing(summary: Summary) -> str:
    """Say in words what of a result is missing."""
    parts = [
        f"{summary.no_verdict} without verdict" * bool(summary.no_verdict),
        f"{summary.unattempted} not attempted" * bool(summary.unattempted),
    ]
    return ", ".join(filter(None, parts)) or f"{summary.of} samples"
