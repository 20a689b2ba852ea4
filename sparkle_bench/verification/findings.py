"""What verifying a result brought to light: differences, signs, what is incomplete, what could not be checked.

All text in it is on one line and printable, whatever the result handed in holds.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkle_bench.errors import printable

MARKS, SOURCES, FORM = 3, 2, 1
"""How grave a difference is: a mark or a video is not what the evidence says; what a verdict stands on is not what is
said of it; a file is damaged or derived from something else."""
MOST_KEPT = 5000
"""So many differences are kept; the rest is counted, so that a hostile file costs bounded memory."""
FIRST = 5
"""So many ids stand on a sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as the evidence says.

    Attributes:
        where: The file inside the result, with its line and the sample where there are any.
        what: One line.
        gravity: `MARKS`, `SOURCES` or `FORM`.
    """

    where: str
    what: str
    gravity: int = SOURCES


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something that gaming would leave behind, and that may have another reason: a reason to look, never a verdict.

    Attributes:
        name: What it is called, such as `identical_rationales`.
        count: In so many cases.
        of: Of so many.
        what: One sentence.
        samples: A few ids, where it shows.
        judge_key: Whose verdicts; empty where the edits themselves show it.
    """

    name: str
    count: int
    of: int
    what: str
    samples: tuple[str, ...] = ()
    judge_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of verifying one result.

    Attributes:
        model: The result's name.
        differences: Gravest first.
        unlisted: Differences beyond those that are kept.
        signs: Of gaming; they do not make a result wrong.
        incomplete: What is missing, one line each: such a row stands unranked.
        notes: What could not be checked, and why.
        counts: What was looked at, by name.
    """

    model: str
    differences: tuple[Difference, ...]
    unlisted: int
    signs: tuple[Sign, ...]
    incomplete: tuple[str, ...]
    notes: tuple[str, ...]
    counts: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether all that could be checked is as the evidence says."""
        return not self.differences

    def to_data(self) -> dict[str, Any]:
        """Return all of it as JSON data."""
        return {"ok": self.ok, **dataclasses.asdict(self), "counts": dict(self.counts)}

    def lines(self, *, most: int = 20) -> list[str]:
        """Return it for people: differences first, gravest first.

        Args:
            most: So many lines of each sort, and the count of the rest.
        """
        differences = [f"{d.where}: {d.what}" for d in self.differences]
        signs = [_sign_line(sign) for sign in self.signs]
        return [
            *_section("difference", differences, most, more=self.unlisted),
            *_section("sign", signs, most),
            *_section("incomplete", self.incomplete, most),
            *_section("note", self.notes, most),
            self._summary(),
        ]

    def _summary(self) -> str:
        count = len(self.differences) + self.unlisted
        verdict = f"{count} difference{'s' * (count != 1)}" if count else "no difference"
        seen = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in self.counts.items() if number)
        return f"{self.model}: {verdict}; {seen}"


def _section(name: str, texts: Sequence[str], most: int, *, more: int = 0) -> Iterator[str]:
    yield from (f"{name}: {text}" for text in texts[:most])
    rest = max(0, len(texts) - most) + more
    if rest:
        yield f"{name}: and {rest} more"


def _sign_line(sign: Sign) -> str:
    where = f" ({', '.join(sign.samples)}{', …' * (sign.count > len(sign.samples))})" if sign.samples else ""
    under = f"{sign.judge_key}: " if sign.judge_key else ""
    return f"{sign.name}: {under}{sign.count} of {sign.of}: {sign.what}{where}"


@dataclass(slots=True, kw_only=True)
class Findings:
    """Where the checks of one result put what they find; nothing stops at the first.

    Attributes:
        differences: So far.
        unlisted: Beyond those that are kept.
        damaged: Files of which a part could not be read.
        signs: So far.
        incomplete: So far.
        notes: So far.
        counts: By name.
    """

    differences: list[Difference] = field(default_factory=list)
    unlisted: int = 0
    damaged: set[str] = field(default_factory=set)
    signs: list[Sign] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def differ(self, where: str, what: str, gravity: int = SOURCES) -> None:
        """Put down a difference."""
        if len(self.differences) < MOST_KEPT:
            self.differences.append(Difference(where=printable(where), what=printable(what), gravity=gravity))
        else:
            self.unlisted += 1

    def damage(self, file: str, what: str, *, line: int | None = None) -> None:
        """Put down that a part of a file cannot be read."""
        self.damaged.add(file)
        self.differ(file if line is None else f"{file}:{line}", what, FORM)

    def note(self, text: str) -> None:
        """Put down what could not be checked, once."""
        if printable(text) not in self.notes:
            self.notes.append(printable(text))

    def lack(self, text: str) -> None:
        """Put down what is missing."""
        self.incomplete.append(printable(text))

    def verified(self, model: str) -> Verified:
        """Return all of it."""
        return Verified(
            model=model,
            differences=tuple(sorted(self.differences, key=lambda difference: -difference.gravity)),
            unlisted=self.unlisted,
            signs=tuple(self.signs),
            incomplete=tuple(self.incomplete),
            notes=tuple(self.notes),
            counts=dict(self.counts),
        )
