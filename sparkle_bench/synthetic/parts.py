"""The parts a figure is put together from: shapes filled with cloth or skin and shaded as if they were round.

A shape is drawn in head heights, with the joint it turns about at (0, 0), x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sparkle_bench.synthetic.stage import Plane
from sparkle_bench.synthetic.texture import filled, noise, up_to_one

Points = Sequence[tuple[float, float]]
Frame = tuple[float, float, float, float]
"""Left, top, right and bottom of a part's canvas, in head heights."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a figure.

    Attributes:
        tile: Its picture (H×W×4, 0 to 1): colours multiplied by the mask, and the mask.
        joint: The pixel (x, y) of the tile it turns about.
        density: Pixels of the tile a head height.
    """

    tile: Plane
    joint: tuple[float, float]
    density: float


class Easel:
    """A canvas of one part: shapes in head heights are laid on it one over another.

    It is a class because every shape needs the same frame, density and direction of the light.
    """

    def __init__(self, frame: Frame, *, density: float, side: float) -> None:
        """Set up an empty canvas.

        Args:
            frame: What it shows.
            density: Pixels a head height.
            side: Where the light comes from: -1 is from the left, 1 from the right.
        """
        self._left, self._top, right, bottom = frame
        self.density = density
        height, width = round((bottom - self._top) * density), round((right - self._left) * density)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.x, self.y = (x + 0.5) / density + self._left, (y + 0.5) / density + self._top
        self.tile = np.zeros((height, width, 4), np.float32)
        beam = np.array([0.55 * side, -0.5, 0.67])
        self._beam = beam / np.linalg.norm(beam)

    def polygon(self, points: Points, *, smooth: int = 3) -> Plane:
        """Return the mask of a closed shape whose corners are rounded `smooth` times."""
        corners = np.array(points, np.float64)
        for _ in range(smooth):  # Chaikin's corner cutting
            following = np.roll(corners, -1, axis=0)
            corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1).reshape(-1, 2)
        return self._drawn(lambda large, at: cv2.fillPoly(large, [at(corners)], 255, cv2.LINE_AA, 4))

    def limb(self, length: float, wide: tuple[float, float]) -> Plane:
        """Return the mask of a limb that hangs down from the joint, with its width above and below."""
        above, below = wide[0] / 2, wide[1] / 2
        shape = self.polygon([(-above, 0), (above, 0), (below, length), (-below, length)], smooth=0)
        shape = np.maximum(shape, self.ellipse(0, 0, above, above))
        return np.maximum(shape, self.ellipse(0, length, below, below))

    def ellipse(self, x: float, y: float, across: float, down: float) -> Plane:
        """Return the mask of an ellipse with these half-axes."""
        mask = np.zeros(self.x.shape, np.float32)
        reach = (np.array([x - self._left, y - self._top]) * self.density).round().astype(int)
        half = (np.array([across, down]) * self.density).astype(int) + 3
        (left, top), (right, bottom) = np.maximum(reach - half, 0), np.maximum(reach + half, 0)
        area = slice(top, bottom), slice(left, right)
        away = np.hypot((self.x[area] - x) / across, (self.y[area] - y) / down)
        mask[area] = np.clip((1 - away) * min(across, down) * self.density + 0.5, 0, 1)
        return mask

    def stroke(self, points: Points, wide: float) -> Plane:
        """Return the mask of a line through points."""
        thick = max(1, round(wide * self.density))
        return self._drawn(
            lambda large, at: cv2.polylines(large, [at(np.array(points))], False, 255, thick, cv2.LINE_AA, 4)
        )

    def _drawn(self, draw: Callable[[NDArray[np.uint8], Callable[[Plane], NDArray[np.int32]]], object]) -> Plane:
        large = np.zeros(self.x.shape, np.uint8)

        def at(points: Plane) -> NDArray[np.int32]:
            places = (points - (self._left, self._top)) * self.density - 0.5
            return np.asarray(np.rint(places * 16), np.int32)

        draw(large, at)
        return large.astype(np.float32) / 255

    def fill(self, mask: Plane, colour: Plane, *, round_by: float = 0.0) -> None:
        """Lay a shape over what is there.

        Args:
            mask: The shape (H×W, 0 to 1).
            colour: One colour, or one a pixel (H×W×3), 0 to 255.
            round_by: How deep its rounded edge is, in head heights; 0 leaves it flat.
        """
        if not mask.any():
            return
        area = filled(mask)
        mask, lit = mask[area][..., None], (colour[area] if colour.ndim == 3 else colour) / np.float32(255)
        if round_by:
            lit = up_to_one(lit * self.shading(mask[..., 0], round_by)[..., None])
        tile = self.tile[area]
        tile *= 1 - mask
        tile[..., :3] += lit * mask
        tile[..., 3:] += mask

    def tint(self, mask: Plane, colour: Plane) -> None:
        """Mix a colour (0 to 255) into what is there already, without adding to its shape."""
        area = filled(mask > 0.004)
        mask, tile = mask[area][..., None], self.tile[area]
        tile[..., :3] += mask * (tile[..., 3:] * colour / np.float32(255) - tile[..., :3])

    def shading(self, mask: Plane, depth: float) -> Plane:
        """Return how bright a shape is if it bulges towards us: 1 where it faces us, less on the far side."""
        reach, edge = depth * self.density, 2
        solid = np.pad((mask > 0.5).astype(np.uint8), edge)
        inside = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
        bulge = reach * np.sqrt(1 - (1 - np.clip(inside / reach, 0, 1)) ** 2)
        bulge = cv2.GaussianBlur(bulge, (0, 0), 0.22 * reach)
        across, down = (cv2.Sobel(bulge, cv2.CV_32F, *way, ksize=3, scale=1 / 8) for way in ((1, 0), (0, 1)))
        facing = self._beam[2] - across * self._beam[0] - down * self._beam[1]
        lit = np.clip(facing / np.sqrt(1 + across**2 + down**2) / self._beam[2], 0, 1.35)
        return np.asarray((0.52 + 0.48 * lit)[edge:-edge, edge:-edge], np.float32)

    def folds(self, seed: int, *, strength: float = 0.3) -> Plane:
        """Return the light and shade of creases, about 1."""
        return 1 + strength * (noise(seed, self.x.shape, self._cells(0.5, 0.22), octaves=3) - 0.5)

    def strands(self, seed: int) -> Plane:
        """Return the light and shade of hair, about 1."""
        return 1 + 0.75 * (noise(seed, self.x.shape, self._cells(0.9, 0.07), octaves=2) - 0.5)

    def _cells(self, down: float, across: float) -> tuple[int, int]:
        return max(3, round(down * self.density)), max(3, round(across * self.density))

    def part(self) -> Part:
        """Return what has been painted."""
        joint = (-self._left * self.density - 0.5, -self._top * self.density - 0.5)
        return Part(self.tile, joint, self.density)
