"""Is this text one whole mark? `4`, `4/5`, `**4** (minor halo)` are; `4.9`, `4 or 5`, `3 → 4`, `4/10` are not."""

from __future__ import annotations

import re
from typing import NoReturn

from sparkle_bench.errors import VerdictError
from sparkle_bench.rubric.scale import Rubric, in_range

MOST_DIGITS = 9
_DECORATION = r"[ \t\r\u00a0*_`\"'“”‘’#|\[\]{}]*"
_NUMBER = re.compile(r"(?P<sign>[-+−]?)(?P<whole>\d+)(?P<fraction>[.,．٫]\d+)?")
_SCALE = re.compile(
    rf"{_DECORATION}(?P<bracket>[(（])?[ \t]*(?:[/⁄∕]|(?:out )?of\b){_DECORATION}(?P<top>\d+(?:\.\d+)?)(?(bracket)[)）])",
    re.IGNORECASE,
)
_RUN = re.compile(r"([ \t\r\u00a0*_`|])\1+")
_FILL = " \t\r\n\u00a0*_`\"'“”‘’#|[]{}).,;。；，!⭐★）"
# After a mark that is a member of a JSON object there is the next one, or the end of the object.
_MEMBER = re.compile(r"[\"']?\s*(?:\}|,\s*(?:[\"']|$))")
_NEXT_ITEM = re.compile(r"[.,;]?\s+\d+[.)]\s+[^\W\d_]")
# A comment: in brackets, after a sign, or begun by a word that nobody takes for a part of the mark.
_COMMENT = re.compile(
    rf"{_DECORATION}(?:[(（\[]|[-–—.,;:，。；：|]\s*(?=[^\W\d_]|[\"'“(\[（|])|\s(?=(?:because|since|as|due|with|for)\b)|"
    r"\s(?:stars?|points?)\b(?=\s*(?:$|[.,;)]|(?:out )?of 5)))",
    re.IGNORECASE,
)
# In a comment: another mark, or words that take this one back. A number before a noun (`2 small halos`) is neither.
_SECOND = re.compile(r"(?<![\w./])\d+(?=\s*(?:/|out of\b|[.,;!?)|\]]|$))(?!\.\d)")
_TAKEN_BACK = re.compile(
    r"/\s*5\b|[½¼¾→]|->|\bscale of (?!5\b)|"
    r"\b(?:or|vs\.?|maybe|perhaps|actually|rather|finally?|wait|instead|draft|initially|revised|corrected)\b\W*\d|"
    r"\b(?:half|quarter|draft|make (?:that|it))\b|\b(?:one|two|three|four|five)\b(?=\s*(?:[.,;!?)|]|$))",
    re.IGNORECASE,
)
_JOINED = re.compile(
    r"\s+(?:or|to|and|vs|versus|but|instead|if|of|out|through|then|maybe|perhaps|stars?|points?|because|since|as|due|with|for)\b",
    re.IGNORECASE,
)


def has_number(text: str) -> bool:
    """Whether a text begins with a number."""
    return _NUMBER.match(text) is not None


def is_remark(text: str) -> bool:
    """Whether a number begins a remark (`2 small halos near the hair`) rather than being a mark."""
    number = _NUMBER.match(text)
    rest = text[number.end() :] if number else ""
    return bool(re.match(r"\s+[^\W\d_]", rest)) and not _JOINED.match(rest)


def read_mark(text: str, label: str, rubric: Rubric) -> int:
    """Return the one mark with which `text` begins.

    Raises:
        VerdictError: There is none, or it is fractional, ambiguous, on another scale or out of range.
    """
    number = _NUMBER.match(text)
    if number is None:
        raise VerdictError(f"no mark for {label}")
    shown = repr(text[:40].strip())
    rest = _RUN.sub(r"\1", text[number.end() :].removeprefix("分"))
    if rest[:1].isalnum() or rest[:1] == "%" or (number["fraction"] or ".0")[1:].strip("0"):
        _refuse(label, shown, "is not a whole number")
    scale = _SCALE.match(rest)
    if scale is not None:
        if float(scale["top"]) != rubric.highest:
            _refuse(label, shown, f"is not on the scale {rubric.lowest} to {rubric.highest}")
        rest = rest[scale.end() :]
    if not _ends_well(rest, rubric):
        _refuse(label, shown, "is not one mark")
    if len(number["whole"]) > MOST_DIGITS:
        _refuse(label, shown, f"is outside {rubric.lowest} to {rubric.highest}")
    sign = -1 if number["sign"] in ("-", "−") else 1
    return in_range(sign * int(number["whole"]), label, rubric)


def _refuse(label: str, shown: str, why: str) -> NoReturn:
    raise VerdictError(f"{label}: {shown} {why}")


def _ends_well(rest: str, rubric: Rubric) -> bool:
    """Whether what follows a mark leaves it the one mark: nothing, the next thing, or a comment without a second one."""
    if not rest.strip(_FILL) or _MEMBER.match(rest) or _NEXT_ITEM.match(rest):
        return True
    comment = _COMMENT.match(rest)
    if comment is None or _TAKEN_BACK.search(rest, comment.end()):
        return False
    return not any(
        rubric.lowest <= int(n[0][:MOST_DIGITS]) <= rubric.highest for n in _SECOND.finditer(rest, comment.end())
    )
