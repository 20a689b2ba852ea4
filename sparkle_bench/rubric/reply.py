"""Reading marks from a judge's reply.

Two readers exist. `parse` is forgiving in form and strict in value: it accepts `4/5`, bold labels, headings, tables and
JSON, and refuses everything that is not exactly one whole mark per dimension. `parse_strict` behaves as the benchmark
authors' script does, including its quirk that `4.9` becomes 4.

How `parse` goes about it: thinking blocks and tags are dropped; a JSON verdict is read as JSON; else, for each dimension,
every place is found where its label stands before a separator, and the last one that gives a mark, or a spoilt one,
decides. Remarks under a label (`Foreground Integrity: no halos`) are neither.
"""

from __future__ import annotations

import bisect
import re

from sparkle_bench.errors import PromptError, VerdictError
from sparkle_bench.rubric import structured
from sparkle_bench.rubric.mark import has_number, is_remark, read_mark
from sparkle_bench.rubric.scale import Dimension, Rubric, Scores, check, in_range

READER = 1
"""Changes whenever a reply may be read otherwise than before."""
LONGEST_REPLY = 100_000
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z|][^<>\n]{0,24}>|\\boxed(?=\{)")
# What may stand around a label without meaning anything: spaces, markdown, quotes, brackets.
_DECORATION = r"[ \t\r\u00a0*_`\"'“”‘’#|\[\]{}]*"
_SEPARATOR = r"(?:[:：=|→]|[-=]>|[ \t][-–—][ \t])"
_WORD = r"(?:score|mark|rating|评分|分数)"
_LEAD = re.compile(rf"[-•+]?{_DECORATION}(?:{_WORD}{_DECORATION}[:：=]{_DECORATION})?[(（]?", re.IGNORECASE)
_SCORE_LINE = re.compile(rf"[-•+]?{_DECORATION}{_WORD}{_DECORATION}[:：=]", re.IGNORECASE)
_CELL = re.compile(r"[ \t*]*\d+(?:[ \t]*/[ \t]*\d+)?[ \t*]*")
_LIST_NUMBER = re.compile(r"\d+[.)]$")
# A mark at the end of a rationale: `… but a halo. Score: 4`, `… (4/5)`.
_AT_END = re.compile(
    rf"(?:\b{_WORD}\b[ \t]*[:：=]?|[(（]|→|->)[ \t*]*(\d+[ \t]*/[ \t]*\d+|(?<=[\s:：=*])\d+)[)）]?[ \t.*]*$",
    re.IGNORECASE,
)
# A label under which there is no mark, said in so many words, takes an earlier mark back.
_NONE = re.compile(
    r"(?:n/?a|none|not? (?:applicable|available|rated|scored|mark|score)|(?:cannot|can't|can not|unable to) "
    r"(?:be )?(?:say|judge|rate|score|assess|determine|evaluate)d?|unknown|unclear|unsure|[?–—-]*|"
    r"zero|one|two|three|four|five|six|seven|eight|nine|ten)[.!]?",
    re.IGNORECASE,
)


def parse(reply: str, rubric: Rubric) -> Scores:
    """Read one mark per dimension from a judge's reply, whatever its form.

    A mark is a whole number after a label and a separator; labels may be bold, bulleted, quoted, headings, in a table or
    the keys of a JSON object, in any letter case. Where a label is marked more than once the last one decides, so that
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
    said = _THINKING.sub("", reply[-LONGEST_REPLY:])
    found = structured.find(said, rubric)
    if found is not None and not all(_places(said[found[0] :], dimension) for dimension in rubric.dimensions):
        return structured.read(found[1], rubric)
    said = _TAG.sub("", said)
    places = {dimension.key: _places(said, dimension) for dimension in rubric.dimensions}
    starts = sorted(place.start() for found_places in places.values() for place in found_places)
    return Scores(marks={d.key: _last_mark(said, d, rubric, places[d.key], starts) for d in rubric.dimensions})


def _places(said: str, dimension: Dimension) -> list[re.Match[str]]:
    """Return where a dimension is marked. A label of one word that is no quoted key, and a heading, must begin its line."""

    def is_plain(place: re.Match[str]) -> bool:
        clear = " " in place["label"] or place["label"].lower() == dimension.key
        return bool(place["separator"].strip()) and clear

    return [m for m in _label_pattern(dimension).finditer(said) if is_plain(m) or _begins_line(said, m.start())]


def _label_pattern(dimension: Dimension) -> re.Pattern[str]:
    """Return what a label and its separator look like; a heading's separator is the end of its line.

    A key alone is too common a word: it counts only in quotes.
    """
    names = sorted({dimension.label, *dimension.aliases}, key=len, reverse=True)
    labels = "|".join(r"[ \t_]+".join(map(re.escape, name.split())) for name in names)
    label = rf"(?<![\w-])(?:{labels})(?![\w-])|(?<=[\"']){re.escape(dimension.key)}(?=[\"'])"
    aside = rf"(?:[(\[（](?P<aside>[^()\[\]（）\n]{{0,60}})[)\]）]{_DECORATION})?"
    word = rf"(?:{_WORD}{_DECORATION})?"
    return re.compile(rf"(?P<label>{label}){_DECORATION}{word}{aside}(?P<separator>{_SEPARATOR}|\n|$)", re.IGNORECASE)


def _begins_line(said: str, start: int) -> bool:
    """Whether a label stands first on its line, but for decoration and a list's number."""
    before = said[said.rfind("\n", 0, start) + 1 : start]
    return len(before) < 40 and not any(map(str.isalpha, before))


def _last_mark(said: str, dimension: Dimension, rubric: Rubric, places: list[re.Match[str]], starts: list[int]) -> int:
    decides: str | None = None
    remark: str | None = None
    for place in places:
        index = bisect.bisect_left(starts, place.end())
        text = _text_after(said, place, starts[index] if index < len(starts) else len(said))
        if has_number(text) and not is_remark(text):
            decides = text
        elif has_number(text):
            remark = text
        elif _begins_line(said, place.start()) and place["separator"].strip() and _NONE.fullmatch(text.strip(" *_`")):
            decides = None
    if decides is None and remark is None:
        raise VerdictError(f"no mark for {dimension.label}")
    return read_mark(decides or remark or "", dimension.label, rubric)


def _text_after(said: str, place: re.Match[str], stop: int) -> str:
    """Return what stands after a label, from its mark on if it has one, to the end of the line or the next label."""
    aside = (place["aside"] or "").strip()
    if re.fullmatch(r"\d(?:[ \t]*/[ \t]*\d+)?", aside):
        return aside
    start = place.end()
    if re.match(r"[ \t*_`]*\{", said[start : start + 20]):
        mark = structured.inner(said, said.index("{", start))
        if mark is not None:
            return mark
    line = _line(said, start)[: stop - start] if place["separator"].strip() else ""
    text = line[_end(_LEAD, line) :]
    if has_number(text):
        return text
    if text.strip():
        cells = [cell for cell in text.split("|") if _CELL.fullmatch(cell)] if place["separator"] == "|" else []
        at_end = _AT_END.search(text)
        return cells[0].strip(" *") if len(cells) == 1 else at_end[1] if at_end else text
    return _below(said, start + len(line), stop)


def _below(said: str, start: int, stop: int) -> str:
    """Return the mark on the next line that is not blank, if a mark is all it holds, or `Score:` begins it."""
    for line in said[start:stop].splitlines():
        if not line.strip():
            continue
        if _SCORE_LINE.match(line.strip()):
            return line.strip()[_end(_LEAD, line.strip()) :]
        bare = line.strip()[_end(_LEAD, line.strip()) :].strip()
        alone = has_number(bare) and not any(map(str.isalpha, bare)) and not _LIST_NUMBER.match(bare)
        return bare if alone else ""
    return ""


def _line(text: str, start: int) -> str:
    """Return what is left of the line that holds the character at `start`."""
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _end(pattern: re.Pattern[str], text: str) -> int:
    """Return where a match at the start of `text` ends, or 0."""
    match = pattern.match(text)
    return match.end() if match else 0


_DIGIT_AFTER = re.compile(r"[ \t*_`\"'(\[]*(\d)(?!\d|[.,]\d)")


def mark_places(reply: str, rubric: Rubric) -> dict[str, int]:
    """Return, by dimension key, where the one digit stands that follows the dimension's last label and separator.

    Dimensions whose mark stands otherwise are left out. The digit need not be what `parse` reads; compare.
    """
    found = {}
    for dimension in rubric.dimensions:
        places = [place for place in _places(reply, dimension) if place["separator"].strip()]
        digit = _DIGIT_AFTER.match(reply, places[-1].end()) if places else None
        if digit is not None:
            found[dimension.key] = digit.start(1)
    return found


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
