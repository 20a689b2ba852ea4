"""The stage of the demo's clips: their size, length and rate, and what a picture, a moving scene and a setting are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sparkle_bench.synthetic.light import Light

WIDTH = 384
HEIGHT = 216
FRAMES = 41
FPS = 16.0

Picture: TypeAlias = NDArray[np.uint8]
"""H×W×3, RGB."""

Plane: TypeAlias = NDArray[np.floating[Any]]
"""H×W or H×W×C."""

Moving: TypeAlias = Callable[[float], Picture]
"""The picture at an instant in seconds; asked twice for one instant it gives the same pixels."""

Layer: TypeAlias = Callable[[Picture, float], Picture]
"""What a moving thing makes of the picture behind it at an instant in seconds; it may paint on the picture given."""


def instant(index: int) -> float:
    """Return the time of a frame in seconds."""
    return index / FPS


def stack(still: Picture, *layers: Layer) -> Moving:
    """Return the scene that has `still` at the back and the layers before it, in order."""

    def at(time: float) -> Picture:
        return reduce(lambda picture, layer: layer(picture, time), layers, still.copy())

    return at


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A place.

    Attributes:
        build: Makes the moving scene.
        light: How it lights its subject.
        moves: Whether anything moves in it.
    """

    build: Callable[[], Moving]
    light: Light
    moves: bool = True
