"""What a value in a `submission.toml` may be, and how one that may not be is named."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

_UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?([KMBT])", re.IGNORECASE)
_LINK = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(?:[/?#][A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*)?")
_JOINERS = "\u200c\u200d"  # invisible, but some scripts and pictures cannot be written without them
_NOTHING = {"no", "none", "nothing", "n/a", "na", "-", "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a declared value must be.

    Attributes:
        expected: In words.
        kept: Returns the value as it is kept; None if it is not as expected.
    """

    expected: str
    kept: Callable[[Any], Any]


def _text(most: int, what: str = "a text", fits: Callable[[str], object] = bool) -> Rule:
    def kept(value: object) -> str | None:
        if not isinstance(value, str) or _stranger(value):
            return None
        folded = " ".join(value.split())
        return folded if len(folded) <= most and fits(folded) else None

    return Rule(expected=f"{what}, at most {most} characters", kept=kept)


def _stranger(text: str) -> str:
    """Return the first character that is no text: a control character, a switch of direction, half a pair."""
    strange = (c for c in text if c not in "\n\r\t" + _JOINERS and unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs"))
    return next(strange, "")


def _whole(low: int, high: int) -> Rule:
    return Rule(
        expected=f"a whole number from {low} to {high}",
        kept=lambda value: value if type(value) is int and low <= value <= high else None,
    )


def _number(low: float, high: float) -> Rule:
    return Rule(
        expected=f"a number from {low:g} to {high:g}",
        kept=lambda value: value if type(value) in (int, float) and low <= value <= high else None,
    )


def _choice(*known: str) -> Rule:
    return Rule(
        expected=" or ".join(f'"{name}"' for name in known),
        kept=lambda value: value if isinstance(value, str) and value in known else None,
    )


def _parameters(value: Any) -> int | None:
    size = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if size:
        value = Decimal(size[1]) * _UNITS[size[2].upper()]
    known = type(value) in (int, float, Decimal) and 10**3 <= value <= 10**14 and value == int(value)
    return int(value) if known else None


def _is_link(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(_LINK.fullmatch(text) and parts.hostname and (parts.port is None or parts.port > 0))
    except ValueError:
        return False


_FLAG = Rule(expected="true or false", kept=lambda value: value if isinstance(value, bool) else None)
_ANSWER = _choice("yes", "no", "unknown")
RULES: Mapping[str, Mapping[str, Rule]] = {
    "model": {
        "name": _text(100, "the model's name", lambda text: any(c.isalnum() for c in text)),
        "version": _text(60),
        "parameters": Rule(
            expected='a number of parameters from 1000 to 1e14, such as "14B" or 1300000000', kept=_parameters
        ),
        # The first character keeps a spreadsheet from taking the board's cell for a formula.
        "license": _text(100, "a text that begins with a letter or digit", lambda text: text[:1].isalnum()),
        "weights": _choice("open", "closed"),
        "link": _text(500, "an address, https://… or http://…, without a user", _is_link),
    },
    "made_by": {"who": _choice("authors", "others"), "name": _text(200)},
    "settings": {
        "steps": _whole(1, 100_000),
        "guidance": _number(0, 1000),
        "seed": _whole(-(2**63), 2**64 - 1),
        "frames": _whole(1, 1_000_000),
        "fps": _number(0.01, 1000),
        "width": _whole(1, 65_536),
        "height": _whole(1, 65_536),
        "notes": _text(2000),
    },
    "training": {"data": _text(2000), "sparkle": _ANSWER, "openve_3m": _ANSWER},
    "inputs": {
        "masks": _FLAG,
        "first_frame": _FLAG,
        "reference_image": _FLAG,
        "other": _text(500, "a text, left out if there was nothing else", lambda text: text.lower() not in _NOTHING),
    },
}


def found(value: object) -> str:
    """Name a value in a few words, whatever it is."""
    if isinstance(value, str):
        strange = _stranger(value)
        if strange:
            return f"a text with the character U+{ord(strange):04X}"
        return repr(value) if len(value) <= 60 else f"a text of {len(value)} characters"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else "a huge number"  # Python prints no number of any length
    if isinstance(value, float):
        return str(value)
    kinds: dict[str, Any] = {"a section": Mapping, "a list": list, "a date or time": (date, time)}
    return next((words for words, kind in kinds.items() if isinstance(value, kind)), f"a {type(value).__name__}")
