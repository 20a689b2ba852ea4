"""What was found out about everything handed in, as data and as a table for people, the worst first."""

from __future__ import annotations

import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sparkle_bench.errors import listed, printable
from sparkle_bench.submission.near import NearMiss
from sparkle_bench.validation.finding import FINE, KINDS, STATES, Checked, storable

WIDTH = 120
LONGEST_ID, LONGEST_FILE = 28, 30
LINES_OF_A_ROW = 6
"""So many lines has a row of the table at most."""
CONCAT = "_concat.mp4"
"""How the authors' script calls its films for comparison."""
Line = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found out.

    Attributes:
        rows: One for each sample, the worst first.
        extra: Paths of other videos, relative to the folder handed in.
        near: Files that look like a missing sample's.
    """

    rows: tuple[Checked, ...]
    extra: tuple[str, ...] = ()
    near: tuple[NearMiss, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the video of every sample can be judged."""
        return bool(self.rows) and all(row.usable for row in self.rows)

    @property
    def usable(self) -> bool:
        """Whether at least one can."""
        return any(row.usable for row in self.rows)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many samples are in each state, the worst first; states that none is in are there with 0."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in STATES}

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many samples there is a finding of each kind about, the gravest kind first."""
        found = Counter(kind for row in self.rows for kind in {finding.kind for finding in row.findings})
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def to_data(self) -> dict[str, Any]:
        """Return it in JSON form; no path in it is absolute."""
        return {
            "complete": self.complete,
            "usable": self.usable,
            "of": len(self.rows),
            "counts": dict(self.counts),
            "kinds": dict(self.kinds),
            "samples": [row.to_data() for row in self.rows],
            "extra": [storable(path) for path in self.extra],
            "near": [
                {
                    "sample_id": miss.sample_id,
                    "path": storable(miss.path),
                    "place": miss.place,
                    "why": miss.why,
                    "sure": miss.sure,
                }
                for miss in self.near
            ],
        }

    def lines(self, limit: int | None = 40) -> Iterator[str]:
        """Yield a table of all samples that are not fine, and sums.

        Args:
            limit: So many samples are shown, the worst; None shows all.
        """
        rows = [row for row in self.rows if row.state != FINE]
        yield from _table(rows[:limit])
        if limit is not None and len(rows) > limit:
            yield f"… and {len(rows) - limit} more"
        if rows:
            yield ""
        yield from self._sums()

    def _sums(self) -> Iterator[str]:
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items() if count)
        yield f"{len(self.rows)} {'sample' if len(self.rows) == 1 else 'samples'}: {counts or 'none'}"
        for kind, count in self.kinds.items():
            yield f"  {count:>5}  {KINDS[kind][1]}"
        films = [path for path in self.extra if path.lower().endswith(CONCAT)]
        others = [path for path in self.extra if not path.lower().endswith(CONCAT)]
        if films:
            those = f"{len(films)} films" if len(films) > 1 else "1 film"
            yield f"{those} for comparison (…{CONCAT}) {'are' if len(films) > 1 else 'is'} left alone"
        if others:
            names = listed([printable(path, limit=80) for path in others])
            yield from _folded(
                f"{len(others)} other {'videos are' if len(others) > 1 else 'video is'} left alone: {names}"
            )


def ordered(rows: Sequence[Checked]) -> tuple[Checked, ...]:
    """Return rows with the worst first, and else in the order given."""

    def rank(row: Checked) -> tuple[int, int]:
        return STATES.index(row.state), min((finding.rank for finding in row.findings), default=len(KINDS))

    return tuple(sorted(rows, key=rank))


def _table(rows: Sequence[Checked]) -> Iterator[str]:
    if not rows:
        return
    lines = [("sample", "state", "file", "what was found")]
    lines += [line for row in rows for line in _lines_of(row)]
    widths = [max(_width(line[column]) for line in lines) for column in range(3)]
    room = max(20, WIDTH - sum(widths) - 6)
    for *cells, text in lines:
        for number, part in enumerate(_wrapped(text, room)):
            shown = cells if number == 0 else ["", "", ""]
            yield "  ".join([*map(_padded, shown, widths), part]).rstrip()


def _lines_of(row: Checked) -> Iterator[Line]:
    """Yield a line for each finding; sample, state and file stand in the first alone."""
    name = "" if row.file is None else printable(PurePosixPath(row.file).name)
    texts = [finding.text.removeprefix(f"{name} ") for finding in row.findings if finding.state != FINE]
    file = "-" if row.file is None else _end_of(printable(row.file, limit=4000), LONGEST_FILE)
    for number, text in enumerate(texts):
        head = (_end_of(printable(row.sample_id), LONGEST_ID), row.state, file)
        yield (*head, text) if number == 0 else ("", "", "", text)


def _wrapped(text: str, room: int) -> list[str]:
    parts = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    return parts if len(parts) <= LINES_OF_A_ROW else [*parts[: LINES_OF_A_ROW - 1], "…"]


def _folded(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def _end_of(text: str, most: int) -> str:
    """Return a text no wider than `most`; of a longer one the end, where ids and names differ."""
    if _width(text) <= most:
        return text
    while _width(text) > most - 1:
        text = text[1:]
    return "…" + text


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return how many columns a terminal gives a text."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
