"""Text in figures: how wide it is, where it is cut or wrapped, and which fonts have its letters.

Names, labels and instructions come from strangers: they are shown as they are, on one line or wrapped, and nothing in them
is mathematics or a control sign. A letter that no font of this machine has is shown as `�`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import printable

if TYPE_CHECKING:
    from matplotlib.path import Path

FAMILY = "DejaVu Sans"
"""Comes with matplotlib, so that a figure looks alike everywhere."""
MISSING = "\N{REPLACEMENT CHARACTER}"
POINTS = 72.0
_SIZE = 100.0
_NO_LETTERS = ("Last Resort", "cm", "STIXNonUnicode", "STIXSize")
"""Fonts whose pictures are not the letters that they stand for."""


def short(text: object, most: int = 28) -> str:
    """Return a stranger's text on one line of at most so many letters."""
    return legible(printable(text, limit=most))


def legible(text: str) -> str:
    """Return text with `�` for what no font has."""
    return text if text.isascii() else "".join(sign if font_of(sign) is not None else MISSING for sign in text)


def families(texts: Iterable[str]) -> list[str]:
    """Return the fonts that together have all letters of the texts, ours first."""
    signs = sorted({sign for text in texts if not text.isascii() for sign in text})
    found = dict.fromkeys([FAMILY, *(family for sign in signs if (family := font_of(sign)) is not None)])
    return [*found, "sans-serif"]  # for readers of an SVG who lack ours


@functools.cache
def font_of(sign: str) -> str | None:
    """Return the family of the first font that has a letter, by the fonts' names; None if none has."""
    return next((family for family, path in _fonts() if _font(path).get_char_index(ord(sign))), None)


@functools.cache
def _fonts() -> tuple[tuple[str, str], ...]:
    """Return name and file of every family's plain font, ours first."""
    from matplotlib import font_manager

    plain = {
        font.name: str(font.fname)
        for font in sorted(font_manager.fontManager.ttflist, key=lambda font: str(font.fname), reverse=True)
        if font.style == "normal"
        and font.weight in (400, "normal", "regular")
        and not font.name.startswith(_NO_LETTERS)
    }
    ours = font_manager.findfont(FAMILY)
    return ((FAMILY, ours), *sorted((name, path) for name, path in plain.items() if name != FAMILY))


@functools.cache
def _font(path: str) -> Any:
    from matplotlib.font_manager import get_font

    return get_font(path)


@functools.cache
def _advance(sign: str) -> float:
    """Return how far a letter moves on, in ems."""
    family = font_of(sign)
    path = dict(_fonts())[family or FAMILY]
    font = _font(path)
    font.set_size(_SIZE, POINTS)
    return float(font.load_char(ord(sign if family else MISSING)).linearHoriAdvance) / 65536 / _SIZE


def width(text: str, size: float) -> float:
    """Return how wide a line is, in inches; kerning aside.

    Args:
        text: One line.
        size: Of the letters, in points.
    """
    return sum(map(_advance, text)) * size / POINTS


HALF = 0.3645
"""Half the height of a digit, in ems."""


@functools.cache
def outline(sign: str, size: float) -> Path:
    """Return the outline of one letter in our own font, in inches from its origin on the base line."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    path = TextPath((0, 0), sign, size=size, prop=FontProperties(family=FAMILY))
    return path.transformed(Affine2D().scale(1 / POINTS))


def fitted(text: str, most: float, size: float) -> str:
    """Return a line, cut so that it is at most so many inches wide."""
    if width(text, size) <= most:
        return text
    while text and width(text + "…", size) > most:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped(text: str, most: float, size: float) -> list[str]:
    """Return a text in lines of at most so many inches, broken at spaces, or inside a word that is longer."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if width(joined, size) <= most:
            lines[-1] = joined
        elif width(word, size) <= most:
            lines.append(word)
        else:
            first, *others = _parts(joined, most, size)
            lines[-1:] = [first.rstrip(), *others]
    return [line for line in lines if line]


def _parts(word: str, most: float, size: float) -> Sequence[str]:
    """Return a word, or the pieces of one that is wider than a line, cut at a dash where one is near the end.

    Scripts without spaces are such words.
    """
    parts, wide = [""], 0.0
    for sign in word:
        wide += _advance(sign) * size / POINTS
        if wide > most and parts[-1]:
            cut = max(parts[-1].rfind(dash) for dash in "-_./") + 1
            tail = parts[-1][cut:] if cut > len(parts[-1]) / 2 else ""
            parts[-1] = parts[-1][: len(parts[-1]) - len(tail)]
            parts.append(tail)
            wide = width(tail + sign, size)
        parts[-1] += sign
    return parts
