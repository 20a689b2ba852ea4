"""The rubric as data, the marks, and the cap.

The authors' script overwrites the raw marks by capped ones; here `Scores` are always raw and `cap` derives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from sparkle_bench.errors import PromptError, VerdictError, one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that is marked.

    Attributes:
        key: Short name used in records and columns, such as `fg_motion`.
        label: What the judge writes before the mark.
        question: What the dimension asks, in one sentence.
        levels: The meaning of every mark, lowest first.
        aliases: Other labels accepted when a reply is read.
    """

    key: str
    label: str
    question: str
    levels: tuple[str, ...]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """The dimensions of a benchmark, in order, and which one caps the others.

    Attributes:
        name: The benchmark's name.
        version: Changes whenever the meaning of a mark changes.
        lowest: The worst mark.
        highest: The best mark.
        dimensions: In the order in which the judge writes them.
        cap: Key of the dimension no other mark may exceed, or None.
        reasoning_words: How many words of reasoning the judge is allowed.
        principles: Sentences that hold for all dimensions.
    """

    name: str
    version: str
    lowest: int
    highest: int
    dimensions: tuple[Dimension, ...]
    cap: str | None = None
    reasoning_words: int = 30
    principles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise PromptError(f"rubric {self.name!r} has no dimensions")
        if len(set(self.keys)) != len(self.dimensions):
            raise PromptError(f"rubric {self.name!r} uses a dimension key twice: {', '.join(self.keys)}")
        if self.cap is not None and self.cap not in self.keys:
            raise PromptError(f"rubric {self.name!r} caps by {self.cap!r}, which is not one of {', '.join(self.keys)}")
        if self.lowest >= self.highest:
            raise PromptError(f"rubric {self.name!r} has an empty scale [{self.lowest}, {self.highest}]")
        for dimension in self.dimensions:
            if len(dimension.levels) != self.highest - self.lowest + 1:
                raise PromptError(
                    f"rubric {self.name!r}: {dimension.key} describes {len(dimension.levels)} levels, "
                    f"but the scale is {self.lowest} to {self.highest}"
                )

    @property
    def keys(self) -> tuple[str, ...]:
        """The dimensions' keys, in order."""
        return tuple(dimension.key for dimension in self.dimensions)

    def label(self, key: str) -> str:
        """Return the label of the dimension `key`."""
        return next(dimension.label for dimension in self.dimensions if dimension.key == key)

    @property
    def digest(self) -> str:
        """A hash over everything the rubric says (sha256, hexadecimal)."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def to_data(self) -> dict[str, Any]:
        """Return the rubric as plain JSON data; `rubric_from_data` reads it back."""
        data = asdict(self)
        data["scale"] = [data.pop("lowest"), data.pop("highest")]
        return data


def rubric_from_data(data: Mapping[str, Any]) -> Rubric:
    """Build a rubric from the content of a `rubric.toml` or from `Rubric.to_data`.

    Raises:
        PromptError: A field is missing, unknown or of the wrong kind.
    """
    fields = dict(data)
    try:
        lowest, highest = fields.pop("scale")
        dimensions = tuple(_dimension(d) for d in fields.pop("dimensions"))
        principles = _texts(fields.pop("principles", ()))
        return Rubric(**fields, lowest=lowest, highest=highest, dimensions=dimensions, principles=principles)
    except (KeyError, TypeError, ValueError) as error:
        raise PromptError(f"rubric {fields.get('name', '?')!r} is malformed: {one_line(error)}") from error


def _dimension(data: Mapping[str, Any]) -> Dimension:
    unknown = sorted(set(data) - {"key", "label", "question", "levels", "aliases"})
    if unknown:
        raise ValueError(f"a dimension has no field {unknown[0]!r}")
    return Dimension(
        key=_text(data["key"]),
        label=_text(data["label"]),
        question=_text(data["question"]),
        levels=_texts(data["levels"]),
        aliases=_texts(data.get("aliases", ())),
    )


def _texts(items: Any) -> tuple[str, ...]:
    if not isinstance(items, (list, tuple)):
        raise TypeError(f"{items!r} is not a list")
    return tuple(map(_text, items))


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise TypeError(f"{item!r} is not text")
    return item


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One raw mark per dimension: a read-only mapping from dimension key to a whole number."""

    marks: Mapping[str, int]

    def __post_init__(self) -> None:
        for key, mark in self.marks.items():
            if isinstance(mark, bool) or not isinstance(mark, int):
                raise VerdictError(f"the mark for {key} is {mark!r}, not a whole number")
        object.__setattr__(self, "marks", MappingProxyType(dict(self.marks)))

    def __getitem__(self, key: str) -> int:
        return self.marks[key]


def check(scores: Scores, rubric: Rubric) -> Scores:
    """Return `scores` if they are one mark in range for each dimension of `rubric`.

    Raises:
        VerdictError: Naming the first dimension that is missing, extra or out of range.
    """
    for key in rubric.keys:
        if key not in scores.marks:
            raise VerdictError(f"no mark for {rubric.label(key)}")
        in_range(scores[key], rubric.label(key), rubric)
    extra = [key for key in scores.marks if key not in rubric.keys]
    if extra:
        raise VerdictError(f"marks for dimensions the rubric {rubric.name!r} does not have: {', '.join(extra)}")
    return scores


def cap(scores: Scores, rubric: Rubric) -> Scores:
    """Return the marks with none above the capping dimension's: `min(mark, cap mark)` (arXiv 2605.06535, section 3.7).

    A rubric without a capping dimension leaves the marks as they are.
    """
    if rubric.cap is None:
        return scores
    ceiling = scores[rubric.cap]
    return Scores(marks={key: min(mark, ceiling) for key, mark in scores.marks.items()})


def in_range(mark: int, label: str, rubric: Rubric) -> int:
    """Return `mark`, or raise `VerdictError` naming the label if it is off the scale."""
    if not rubric.lowest <= mark <= rubric.highest:
        raise VerdictError(f"{label}: {mark} is outside {rubric.lowest} to {rubric.highest}")
    return mark
