"""The light of a scene, as a tone curve on whoever stands in it, and what it takes to go from one light to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from sparkle_bench.synthetic.stage import Picture, Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """How a scene lights its subject; each channel gets `gain · tint · (contrast · (x − ½) + ½)` for x in 0 to 1.

    Attributes:
        gain: Luminance: 1 is full daylight, 0.3 is moonlight.
        contrast: 1 keeps that of the subject, less is haze.
        tint: Red, green and blue weights, which is the colour temperature.
    """

    gain: float
    contrast: float
    tint: tuple[float, float, float]

    def slope_and_lift(self) -> tuple[Plane, Plane]:
        """Return the curve's slope and lift by channel, for values from 0 to 255."""
        scale = self.gain * np.asarray(self.tint, np.float32)
        return scale * self.contrast, scale * 127.5 * (1 - self.contrast)

    def on_tiles(self) -> Plane:
        """Return the matrix (3×4) that takes a tile's pixels, colours times mask and mask from 0 to 1, to lit colours."""
        slope, lift = self.slope_and_lift()
        return np.column_stack([np.diag(slope * 255), lift])


def relit(picture: Picture, before: Light, after: Light) -> Picture:
    """Return a picture (H×W×3) that was lit by `before` as it is under `after`."""
    (slope, lift), (new_slope, new_lift) = before.slope_and_lift(), after.slope_and_lift()
    levels = np.arange(256, dtype=np.float32)[:, None]
    curve = (levels - lift) / slope * new_slope + new_lift
    table = np.clip(np.rint(curve), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]), np.uint8)
