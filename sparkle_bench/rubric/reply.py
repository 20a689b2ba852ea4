"""Reading marks from a judge's reply.

Two readers exist. `parse` is forgiving in form and strict in value: it accepts `4/5`, bold labels, bullets, tables
and JSON, and refuses everything that is not exactly one whole mark per dimension. `parse_strict` behaves as the
benchmark authors' script does, including its quirk that `4.9` becomes 4.
"""

from __future__ import annotations

import re

from sparkle_bench.errors import PromptError, VerdictError
from sparkle_bench.rubric.scale import Dimension, Rubric, Scores, check, in_range

# What may stand around a label or a mark without meaning anything: spaces, markdown, quotes, brackets.
_DECORATION = r"[ \t\r\u00a0*_`\"'“”‘’#|\[\]]*"
_SEPARATOR = r"(?:[:：=|→]|[-=]>|[ \t][-–—][ \t])"
# Before a mark: decoration, a bracket, or a word such as `Score:`.
_LEAD = re.compile(rf"{_DECORATION}(?:(?:score|mark|rating)[ \t]*[:=]{_DECORATION})?\(?", re.IGNORECASE)
# A mark inside an object of its own: `{"reason": "…", "score": 4}`.
_WRAPPER = re.compile(rf"{_DECORATION}\{{[^{{}}]{{0,300}}?[\"'](?:score|mark|rating|value)[\"']\s*:", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<sign>[-+−]?)(?P<whole>\d+)(?P<fraction>[.,．٫]\d+)?")
_SCALE = re.compile(rf"{_DECORATION}\(?[ \t]*(?:[/⁄∕]|(?:out )?of\b){_DECORATION}(\d+(?:\.\d+)?)\)?", re.IGNORECASE)
MOST_DIGITS = 9
# Words after a label that say there is no mark; any other words are a remark, and an earlier mark stands.
_NONE = re.compile(
    r"(?:n/?a|none|no|not|cannot|can't|unable|unknown|unclear|unsure|zero|one|two|three|four|five|six)\b|[?–—-]|$",
    re.IGNORECASE,
)
# What may follow a mark: nothing, the next member of a JSON object, the next item of a list on the same line …
_NOTHING = re.compile(rf"{_DECORATION}[)}}]?{_DECORATION}[.,;]?{_DECORATION}$")
_MEMBER = re.compile(r"[\"']?\s*(?:\}|,\s*(?:[\"']|$))")
_NEXT_ITEM = re.compile(r"[.,;]?\s+\d+[.)]\s+[^\W\d_]")
# … a comment in brackets, or one that a sign or a plain word begins.
_BRACKETED = re.compile(rf"{_DECORATION}\((?!\s*(?:or|to|and)\b)(?=[^()]*[^\W\d_])[^()]*", re.IGNORECASE)
_COMMENT = re.compile(
    rf"{_DECORATION}(?:[-–—.,;:|]\s*(?=[^\W\d_]|[\"'“(])|\s+(?=(?:because|since|as|due|with|for|stars?|points?)\b))",
    re.IGNORECASE,
)
# In a comment, what would make the mark another one or no whole one.
_SECOND = re.compile(r"(?<![\w.])\d+(?![\w%])|\b(?:half|quarter)\b|[½¼¾]", re.IGNORECASE)


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
        VerdictError: A dimension has no mark, takes its mark back (`N/A`), or its last mark is fractional, out of
            range, on another scale or ambiguous (`4 or 5`). The message names the label.
    """
    any_label = _label_pattern(rubric.dimensions)
    starts = [match.start() for match in any_label.finditer(reply)]
    return Scores(marks={d.key: _last_mark(reply, d, rubric, starts) for d in rubric.dimensions})


def _last_mark(reply: str, dimension: Dimension, rubric: Rubric, starts: list[int]) -> int:
    found = None
    for match in _label_pattern((dimension,)).finditer(reply):
        stop = next((start for start in starts if start >= match.end()), len(reply))
        text = _after(reply, match.end(), stop)
        if _NUMBER.match(text):
            found = text
        elif _begins_line(reply, match.start()) and _NONE.match(text.strip()):
            found = None
    if found is None:
        raise VerdictError(f"no mark for {dimension.label}")
    return _value(found, dimension.label, rubric)


def _label_pattern(dimensions: tuple[Dimension, ...]) -> re.Pattern[str]:
    """Return what a label and its separator look like. A key alone is too common a word: it counts only in quotes."""
    names = sorted({name for d in dimensions for name in (d.label, *d.aliases)}, key=len, reverse=True)
    labels = "|".join(r"[\s_]+".join(map(re.escape, name.split())) for name in names)
    keys = "|".join(re.escape(d.key) for d in dimensions)
    label = rf"(?<![\w-])(?:{labels})(?![\w-])|(?<=[\"'])(?:{keys})(?=[\"'])"
    aside = rf"(?:[(\[][^()\[\]\n]{{0,60}}[)\]]{_DECORATION})?"
    return re.compile(rf"(?:{label}){_DECORATION}{aside}{_SEPARATOR}", re.IGNORECASE)


def _begins_line(reply: str, start: int) -> bool:
    """Whether a label stands first on its line, but for decoration and a list's number."""
    before = reply[reply.rfind("\n", 0, start) + 1 : start]
    return len(before) < 40 and not any(map(str.isalpha, before))


def _after(reply: str, start: int, stop: int) -> str:
    """Return what stands after a label, from its number on if it has one, to the end of the line or the next label."""
    wrapper = _WRAPPER.match(reply, start, min(start + 400, stop))
    start = wrapper.end() if wrapper else start
    line = _line(reply, start)
    text = line[: stop - start][_end(_LEAD, line) :]
    if text.strip():
        return text
    # Nothing after the separator: the next line decides, if a mark is all it holds (else it may be `2. Next label`).
    below = _line(reply, start + len(line) + 1).strip()
    below = below[_end(_LEAD, below) :]
    return below if _NUMBER.match(below) and not any(map(str.isalpha, below)) else ""


def _line(text: str, start: int) -> str:
    """Return what is left of the line that holds the character at `start`."""
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _end(pattern: re.Pattern[str], text: str) -> int:
    """Return where a match at the start of `text` ends, or 0."""
    match = pattern.match(text)
    return match.end() if match else 0


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
    if not _ends_well(rest):
        raise VerdictError(f"{label}: {shown} is not one mark")
    if len(number["whole"]) > MOST_DIGITS:
        raise VerdictError(f"{label}: {shown} is outside {rubric.lowest} to {rubric.highest}")
    sign = -1 if number["sign"] in ("-", "−") else 1
    return in_range(sign * int(number["whole"]), label, rubric)


def _ends_well(rest: str) -> bool:
    """Whether what follows a mark leaves it the one mark.

    A comment may follow; a range, a choice, a correction or half a mark (`4-5`, `4 or 5`, `3 → 4`, `4 and a half`) may
    not, nor may a second number outside brackets.
    """
    if _NOTHING.match(rest) or _MEMBER.match(rest) or _NEXT_ITEM.match(rest):
        return True
    bracketed = _BRACKETED.match(rest)
    if bracketed is not None:
        return True
    comment = _COMMENT.match(rest)
    return comment is not None and not _SECOND.search(rest, comment.end())


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
        return in_range(int(float(text)), label, rubric)
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
