"""What motion an instruction asks for, by its words, and how signals speak to a rubric. Data in `signals.toml`.

Words are matched by their beginnings, in lower case. Only stillness of the scene counts as stillness: a clause that says
so of the subject ("the subject should remain perfectly still") is left out first.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench.errors import PromptError, one_line
from sparkle_bench.prompts import companion

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "signals.toml"
STILL, GENTLE, ENERGETIC, UNSTATED = "still", "gentle", "energetic", "unstated"
_CLAUSE = re.compile(r"[^.;,]+")
_SUBJECT = re.compile(r"\b(?:subject|person|character|man|woman|figure|foreground|she|he)\b", re.IGNORECASE)
_STILL = re.compile(r"\b(?:still|motionless|static)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A fact that pixels show and the marks that contradict it.

    Attributes:
        name: Of the fact, such as `source_again`.
        label: In words.
        dimension: The dimension that speaks of it, or None if no mark can.
        highest: The highest mark that does not contradict it; None if it is worth a flag whatever the marks.
    """

    name: str
    label: str
    dimension: str | None = None
    highest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How signals speak to one rubric.

    Attributes:
        version: Changes whenever a rule does.
        marks: By dimension key, the rule of the embedded judge that marks it.
        audit: The contradictions, in order.
        motion: By kind (`still`, `gentle`, `energetic`), beginnings of words.
    """

    version: str
    marks: Mapping[str, str]
    audit: tuple[Contradiction, ...]
    motion: Mapping[str, tuple[str, ...]]


def load_rules(benchmark: str, *, root: Path) -> Rules | None:
    """Read a benchmark's `signals.toml`, under `root` or as shipped; None if it has none.

    Raises:
        PromptError: The file is malformed.
    """
    file = companion(benchmark, FILE, root)
    if file is None:
        return None
    try:
        data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        return Rules(
            version=str(data["version"]),
            marks=dict(data["marks"]),
            audit=tuple(Contradiction(name=name, **fields) for name, fields in data["audit"].items()),
            motion={kind: tuple(words) for kind, words in data["motion"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PromptError(f"{file} is malformed: {one_line(error)}") from error


def implied_motion(instruction: str, rules: Rules) -> str:
    """Return what motion an instruction asks of the scene: `still`, `energetic`, `gentle` or `unstated`.

    Stillness comes first ("a still photograph of a crashing wave"), then the strongest word.
    """
    return _motion(instruction, tuple((kind, rules.motion.get(kind, ())) for kind in (STILL, ENERGETIC, GENTLE)))


@functools.lru_cache(maxsize=4096)  # the same for every model on a board
def _motion(instruction: str, words: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    text = " ".join(_CLAUSE.sub(_of_the_scene, instruction).lower().split())
    return next((kind for kind, beginnings in words if _has(text, beginnings)), UNSTATED)


def _of_the_scene(clause: re.Match[str]) -> str:
    """Return a clause, or nothing in place of one that asks the subject to be still."""
    named = _SUBJECT.search(clause[0])
    return " " if named and _STILL.search(clause[0], named.end()) else clause[0]


def _has(text: str, beginnings: tuple[str, ...]) -> bool:
    return bool(beginnings) and _beginning(beginnings).search(text) is not None


@functools.cache
def _beginning(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})")
