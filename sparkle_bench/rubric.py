"""What a verdict is: the rubric as data, the marks, reading them from a reply, and the cap. Pure.

Two readers exist. `parse` is forgiving in form and strict in value: it accepts `4/5`, bold labels, bullets, tables
and JSON, and refuses everything that is not exactly one whole mark per dimension. `parse_strict` behaves as the
benchmark authors' script does, including its quirk that `4.9` becomes 4.

The authors' script overwrites the raw marks by capped ones; here `Scores` are always raw and `cap` derives.
"""

from __future__ import annotations

import hashlib
import json
import re
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
        _in_range(scores[key], rubric.label(key), rubric)
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


def _in_range(mark: int, label: str, rubric: Rubric) -> int:
    if not rubric.lowest <= mark <= rubric.highest:
        raise VerdictError(f"{label}: {mark} is outside {rubric.lowest} to {rubric.highest}")
    return mark


# What may stand around a label or a mark without meaning anything: spaces, markdown, quotes, brackets.
_DECORATION = r"[ \t\u00a0*_`~\"'“”‘’#>|\[\]]*"
_SEPARATOR = r"(?:[:：=|]|[ \t][-–—][ \t])"
_LEAD = re.compile(rf"{_DECORATION}\(?")
# A mark inside an object of its own: `{"score": 4, "reason": "…"}`.
_WRAPPER = re.compile(rf"{_DECORATION}\{{\s*[\"']?(?:score|mark|rating|value)[\"']?\s*[:=]", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<sign>[-+−]?)(?P<whole>\d+)(?P<fraction>[.,．٫]\d+)?")
_SCALE = re.compile(rf"{_DECORATION}\(?[ \t]*(?:[/⁄∕]|(?:out )?of\b){_DECORATION}(\d+(?:\.\d+)?)", re.IGNORECASE)
# Up to the next word or number, and a conjunction that would join it to the mark.
_GAP = re.compile(r"(?P<signs>[\W_]*)(?P<joined>(?:or|to|and|through)\b[\W_]*)?", re.IGNORECASE)
MOST_DIGITS = 9
_COMMENT = re.compile(r"\d+[.)]?\s+[^\W\d_]")


def parse(reply: str, rubric: Rubric) -> Scores:
    """Read one mark per dimension from a judge's reply, whatever its form.

    A mark is a whole number after a label and a separator; labels may be bold, bulleted, quoted, in a table or the
    keys of a JSON object, in any letter case. Where a label is marked more than once the last one decides, so that
    reasoning aloud before the verdict does no harm.

    Args:
        reply: The judge's text.
        rubric: The dimensions to look for.

    Returns:
        The raw marks, not capped.

    Raises:
        VerdictError: A dimension has no mark, or its last mark is fractional, out of range, on another scale or
            ambiguous (`4 or 5`). The message names the label.
    """
    return Scores(marks={dimension.key: _last_mark(reply, dimension, rubric) for dimension in rubric.dimensions})


def _last_mark(reply: str, dimension: Dimension, rubric: Rubric) -> int:
    found = None
    for match in _label_pattern(dimension).finditer(reply):
        found = _after(reply, match.end()) or found
    if found is None:
        raise VerdictError(f"no mark for {dimension.label}")
    return _value(found, dimension.label, rubric)


def _after(reply: str, start: int) -> str | None:
    """Return what stands after a label, from its number to the end of the line; None if it has no number."""
    start += _end(_WRAPPER, reply[start : start + 100])
    line = _line(reply, start)
    text = line[_end(_LEAD, line) :]
    if text.strip():
        return text if _NUMBER.match(text) else None
    # Nothing after the separator: the next line decides, if a mark is all it holds (else it may be `2. Next label`).
    below = _line(reply, start + len(line) + 1).strip()
    below = below[_end(_LEAD, below) :]
    return below if _NUMBER.match(below) and not any(map(str.isalpha, below)) else None


def _line(text: str, start: int) -> str:
    """Return what is left of the line that holds the character at `start`."""
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _end(pattern: re.Pattern[str], text: str) -> int:
    """Return where a match at the start of `text` ends, or 0."""
    match = pattern.match(text)
    return match.end() if match else 0


def _label_pattern(dimension: Dimension) -> re.Pattern[str]:
    names = sorted({dimension.label, *dimension.aliases}, key=len, reverse=True)
    labels = "|".join(r"[\s_]+".join(map(re.escape, name.split())) for name in names)
    # A key alone (`visual`) is too common a word; it counts only as a quoted JSON key.
    label = rf"(?<![\w-])(?:{labels})(?![\w-])|(?<=[\"']){re.escape(dimension.key)}(?=[\"'])"
    return re.compile(rf"(?:{label}){_DECORATION}(?:\([^()\n]{{0,60}}\){_DECORATION})?{_SEPARATOR}", re.IGNORECASE)


def _value(text: str, label: str, rubric: Rubric) -> int:
    """Return the one mark with which `text` begins, or say why it is none."""
    shown = repr(text[:40].strip())
    number = _NUMBER.match(text)
    assert number is not None, "the caller looked"
    rest = text[number.end() :]
    if rest[:1].isalnum() or rest[:1] == "%" or (number["fraction"] or ".0")[1:].strip("0"):
        raise VerdictError(f"{label}: {shown} is not a whole number")
    scale = _SCALE.match(rest)
    if scale is not None:
        if float(scale[1]) != rubric.highest:
            raise VerdictError(f"{label}: {shown} is not on the scale {rubric.lowest} to {rubric.highest}")
        rest = rest[scale.end() :]
    if _has_second(rest):
        raise VerdictError(f"{label}: {shown} is not one mark")
    if len(number["whole"]) > MOST_DIGITS:
        raise VerdictError(f"{label}: {shown} is outside {rubric.lowest} to {rubric.highest}")
    sign = -1 if number["sign"] in ("-", "−") else 1
    return _in_range(sign * int(number["whole"]), label, rubric)


def _has_second(rest: str) -> bool:
    """Whether another number follows a mark as a range, a choice or a correction (`4-5`, `4 or 5`, `3 → 4`).

    A number that begins a comment or the next item of a list (`4 (2 small halos)`, `4. 2. Next label`) is none.
    """
    gap = _GAP.match(rest)
    assert gap is not None, "the pattern matches nothing too"
    if not rest[gap.end() : gap.end() + 1].isnumeric():
        return False
    comment = gap["joined"] is None and gap["signs"].rstrip()[-1:] in ("(", ".", ";") and gap["signs"] != ""
    return not (comment and _COMMENT.match(rest, gap.end()))


def parse_strict(reply: str, rubric: Rubric) -> Scores:
    """Read a reply as the authors' script does, for comparison with their numbers.

    A line must start with the exact label and a colon; what follows the line's last colon goes through
    `int(float(…))`, so `4.9` is 4 and `4/5` is refused. The first bad value refuses the whole reply.

    Raises:
        VerdictError: As above, or a dimension is missing.
    """
    marks: dict[str, int] = {}
    for line in map(str.strip, reply.splitlines()):
        for dimension in rubric.dimensions:
            if line.startswith(f"{dimension.label}:"):
                marks[dimension.key] = _strict_value(line, dimension.label, rubric)
                break
    return check(Scores(marks=marks), rubric)


def _strict_value(line: str, label: str, rubric: Rubric) -> int:
    text = line.split(":")[-1].strip()
    try:
        return _in_range(int(float(text)), label, rubric)
    except (ValueError, OverflowError) as error:
        raise VerdictError(f"{label}: {text!r} is not a number") from error


def reply_pattern(rubric: Rubric) -> str:
    """Return the regular expression of a well-formed reply, for servers that can constrain decoding.

    One line of printable reasoning, then one line per dimension, in order, each ending in one digit of the scale.
    """
    if rubric.lowest < 0 or rubric.highest > 9:
        raise PromptError(f"rubric {rubric.name!r}: only one-digit marks can be constrained")
    mark = f"[{rubric.lowest}-{rubric.highest}]"
    lines = [re.escape(dimension.label).replace("\\ ", " ") + f": {mark}" for dimension in rubric.dimensions]
    # Printable ASCII only: a model can fill any other character class with bytes until it runs out of tokens.
    return r"Brief reasoning: [ -~]{1,240}\n" + r"\n".join(lines)
