"""How a figure moves: its path through the picture and the swing of its joints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Swing:
    """An angle that swings by `reach` degrees about `rest`, `rate` times a second, from a start of `phase` turns."""

    rest: float
    reach: float = 0.0
    rate: float = 1.0
    phase: float = 0.0

    def at(self, time: float) -> float:
        """Return the angle in degrees."""
        return self.rest + self.reach * float(np.sin(2 * np.pi * (self.rate * time + self.phase)))


Gesture = Mapping[str, Swing]
"""Swings by joint. `l` is the arm at the picture's left. An arm hangs at 0 and is level at 90; a forearm is straight at 0."""

GESTURES: dict[str, Gesture] = {
    "wave": {
        "l.upper": Swing(14, 5, 0.8),
        "l.fore": Swing(18, 8, 0.8),
        "r.upper": Swing(118, 10, 0.6),
        "r.fore": Swing(48, 34, 1.5),
        "lean": Swing(2, 3, 0.6),
        "head": Swing(4, 6, 0.6, 0.2),
    },
    "talk": {
        "l.upper": Swing(30, 14, 0.9),
        "l.fore": Swing(-122, 28, 1.2, 0.2),
        "r.upper": Swing(34, 16, 0.7, 0.4),
        "r.fore": Swing(-112, 34, 1.1),
        "lean": Swing(0, 3, 0.5),
        "head": Swing(0, 7, 0.8, 0.1),
    },
    "cheer": {
        "l.upper": Swing(138, 20, 1.3),
        "l.fore": Swing(22, 22, 1.3, 0.15),
        "r.upper": Swing(138, 20, 1.3, 0.08),
        "r.fore": Swing(22, 22, 1.3, 0.25),
        "lean": Swing(0, 4, 0.65),
        "head": Swing(0, 5, 1.3),
    },
    "walk": {
        "l.upper": Swing(10, 26, 0.9),
        "l.fore": Swing(-14, 12, 0.9, 0.1),
        "r.upper": Swing(10, -26, 0.9),
        "r.fore": Swing(-14, 12, 0.9, 0.6),
        "lean": Swing(3, 2, 1.8),
        "head": Swing(1, 3, 0.9),
    },
    "dance": {
        "l.upper": Swing(88, 42, 0.75),
        "l.fore": Swing(10, 46, 0.75, 0.2),
        "r.upper": Swing(88, -42, 0.75),
        "r.fore": Swing(10, 46, 0.75, 0.7),
        "lean": Swing(0, 10, 0.75),
        "head": Swing(0, -9, 0.75, 0.05),
    },
    "point": {
        "l.upper": Swing(26, 6, 0.5),
        "l.fore": Swing(-118, 6, 0.5),
        "r.upper": Swing(84, 26, 0.45),
        "r.fore": Swing(4, 16, 0.9),
        "lean": Swing(3, 5, 0.45),
        "head": Swing(6, 6, 0.45),
    },
    "stretch": {
        "l.upper": Swing(98, 62, 0.36, -0.25),
        "l.fore": Swing(18, 14, 0.36, -0.2),
        "r.upper": Swing(98, 62, 0.36, -0.25),
        "r.fore": Swing(18, 14, 0.36, -0.2),
        "lean": Swing(0, 4, 0.36),
        "head": Swing(0, 5, 0.36, 0.1),
    },
    "conduct": {
        "l.upper": Swing(62, 24, 1.0),
        "l.fore": Swing(70, 36, 1.0, 0.3),
        "r.upper": Swing(62, 24, 1.0, 0.5),
        "r.fore": Swing(70, 36, 1.0, 0.8),
        "lean": Swing(0, 5, 0.5),
        "head": Swing(0, 7, 1.0),
    },
    "greet": {
        "l.upper": Swing(122, 14, 0.9),
        "l.fore": Swing(-62, 30, 0.9),
        "r.upper": Swing(24, 10, 0.6),
        "r.fore": Swing(-70, 16, 0.6),
        "lean": Swing(-2, 4, 0.45),
        "head": Swing(-5, 8, 0.7),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Where a figure stands and goes.

    Attributes:
        start: (x, y) of its hips at the first instant, in pixels.
        speed: Pixels a second to the right.
        sway: Pixels to either side of its way, and how often a second.
        bob: Pixels up and down, and how often a second.
    """

    start: tuple[float, float]
    speed: float = 0.0
    sway: tuple[float, float] = (0.0, 1.0)
    bob: tuple[float, float] = (2.0, 1.0)

    def at(self, time: float) -> tuple[float, float]:
        """Return the place of the hips in pixels."""
        x = self.start[0] + self.speed * time + self.sway[0] * float(np.sin(2 * np.pi * self.sway[1] * time))
        return x, self.start[1] - self.bob[0] * abs(float(np.sin(np.pi * self.bob[1] * time)))
