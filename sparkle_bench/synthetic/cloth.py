"""What clothes are made of: woven and printed patterns, drawn in the garment's own coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sparkle_bench.synthetic.stage import Plane
from sparkle_bench.synthetic.texture import between, rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloth:
    """A material.

    Attributes:
        pattern: A key of `PATTERNS`.
        colours: The ground's colour, then one or two more.
        period: How often the pattern repeats, in head heights.
    """

    pattern: str
    colours: tuple[str, ...]
    period: float = 0.3


def dyed(cloth: Cloth, x: Plane, y: Plane) -> Plane:
    """Return the colours (H×W×3) of a cloth at these places, which are in head heights."""
    ground, *others = (rgb(code) for code in cloth.colours)
    colour: Plane = np.broadcast_to(ground, (*x.shape, 3)).astype(np.float32)
    weights = PATTERNS[cloth.pattern](x / cloth.period, y / cloth.period)
    for weight, other in zip(weights, others, strict=False):
        colour = colour + (other - colour) * np.clip(weight, 0, 1)[..., None]
    return colour


def _band(value: Plane, wide: float, soft: float = 0.06) -> Plane:
    """Return 1 where a value is within `wide` of a whole number, in turns."""
    off = np.abs((value + 0.5) % 1 - 0.5)
    return 1 - between(wide / 2 - soft, wide / 2 + soft, off)


def _cell(x: Plane, y: Plane) -> tuple[Plane, Plane, Plane]:
    """Return the place within its cell (-½ to ½) and a number from 0 to 1 for each cell, every second row shifted."""
    row = np.floor(y)
    shifted = x + 0.5 * (row % 2)
    random = np.sin(np.floor(shifted) * 12.9898 + row * 78.233) * 43758.547
    return shifted % 1 - 0.5, y % 1 - 0.5, random % 1


def _stripes(x: Plane, y: Plane) -> list[Plane]:
    return [_band(y + 0.04 * np.sin(5 * x), 0.5), _band(y + 0.25, 0.08, 0.03)]


def _pinstripes(x: Plane, y: Plane) -> list[Plane]:
    return [_band(x, 0.24, 0.08)]


def _plaid(x: Plane, y: Plane) -> list[Plane]:
    return [
        0.5 * (_band(x, 0.5) + _band(y, 0.5)),
        0.8 * np.maximum(_band(x + 0.5, 0.1, 0.03), _band(y + 0.5, 0.1, 0.03)),
    ]


def _checks(x: Plane, y: Plane) -> list[Plane]:
    first, second = _band(x, 0.5), _band(y, 0.5)
    return [np.abs(first - second)]


def _dots(x: Plane, y: Plane) -> list[Plane]:
    across, down, _ = _cell(x, y)
    return [1 - between(0.2, 0.3, np.hypot(across, down))]


def _flowers(x: Plane, y: Plane) -> list[Plane]:
    across, down, number = _cell(x, y)
    away, angle = np.hypot(across, down), np.arctan2(down, across) + 6 * number
    return [1 - between(0.0, 0.08, away - 0.26 - 0.1 * np.cos(5 * angle)), 1 - between(0.08, 0.14, away)]


def _diamonds(x: Plane, y: Plane) -> list[Plane]:
    first, second = _band(x + y, 0.5), _band(x - y, 0.5)
    return [first * second, np.maximum(_band(x + y + 0.25, 0.06, 0.03), _band(x - y + 0.25, 0.06, 0.03))]


def _knit(x: Plane, y: Plane) -> list[Plane]:
    zigzag = y + 0.32 * np.abs((2 * x) % 2 - 1)
    return [0.9 * _band(zigzag, 0.4, 0.1), _band(0.25 * zigzag, 0.2, 0.02)]


def _denim(x: Plane, y: Plane) -> list[Plane]:
    return [0.6 * _band(3 * x + 3 * y, 0.5, 0.2) * _band(2.2 * y - 1.1 * x, 0.6, 0.2)]


PATTERNS: dict[str, Callable[[Plane, Plane], list[Plane]]] = {
    "stripes": _stripes,
    "pinstripes": _pinstripes,
    "plaid": _plaid,
    "checks": _checks,
    "dots": _dots,
    "flowers": _flowers,
    "diamonds": _diamonds,
    "knit": _knit,
    "denim": _denim,
}
"""Each takes x and y in periods and returns how strongly every further colour covers the ground."""
