"""Still textures that scenes and clothes are made of: noise, gradients, ridges, bricks, painting through a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Picture, Plane


def rgb(code: str) -> Plane:
    """Return a colour given as six hexadecimal digits: red, green, blue from 0 to 255."""
    return np.frombuffer(bytes.fromhex(code), np.uint8).astype(np.float32)


def noise(seed: int, shape: tuple[int, int], cell: tuple[int, int], *, octaves: int = 4) -> Plane:
    """Return smooth random values from 0 to 1 that continue seamlessly from the right edge to the left.

    Args:
        seed: Which random values.
        shape: (height, width).
        cell: (height, width) of the coarsest spots in pixels.
        octaves: How many finer layers there are, each half as large and half as strong.
    """
    rng, (height, width) = np.random.default_rng(seed), shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows, columns = (max(2, round(s * 2**octave / c)) for s, c in zip(shape, cell, strict=True))
        spots = np.pad(rng.random((rows, columns), np.float32), ((2, 2), (0, 0)), mode="edge")
        spots = np.pad(spots, ((0, 0), (2, 2)), mode="wrap")
        across, down = columns / width, rows / height
        place = np.array([[across, 0, across / 2 + 1.5], [0, down, down / 2 + 1.5]])
        way = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        total += cv2.warpAffine(spots, place, (width, height), flags=way) * np.float32(0.5**octave)
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-6), np.float32)


def plain(code: str, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Plane:
    """Return a canvas (H×W×3) of one colour."""
    return np.array(np.broadcast_to(rgb(code), (*shape, 3)), np.float32)


def slope(*stops: tuple[float, str], height: int = HEIGHT, width: int = WIDTH) -> Plane:
    """Return a canvas (H×W×3) whose colour changes from top to bottom through (place from 0 to 1, colour) stops."""
    rows = np.linspace(0, 1, height)
    colours = np.array([rgb(code) for _, code in stops])
    columns = [np.interp(rows, [place for place, _ in stops], colours[:, c]) for c in range(3)]
    return np.repeat(np.stack(columns, -1)[:, None].astype(np.float32), width, axis=1)


def paint(canvas: Plane, mask: Plane, colour: Plane) -> None:
    """Lay a colour or a picture over a canvas where the mask (H×W, 0 to 1) lets it."""
    if not mask.any():
        return
    area = filled(mask)
    canvas[area] += ((colour[area] if colour.ndim == 3 else colour) - canvas[area]) * mask[area][..., None]


def filled(mask: NDArray[Any]) -> tuple[slice, slice]:
    """Return the rows and columns between which a mask (H×W) is not empty."""
    rows, columns = (np.nonzero(mask.any(axis))[0] for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def up_to_one(values: Plane) -> Plane:
    """Return values cut off below 0 and above 1, as a mask."""
    return np.asarray(np.clip(values, 0, 1), np.float32)


def between(low: float, high: float, values: Plane) -> Plane:
    """Return the smooth step from 0 at `low` to 1 at `high`."""
    part: Plane = np.clip((values - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def grid(height: int = HEIGHT, width: int = WIDTH) -> tuple[Plane, Plane]:
    """Return every pixel's x and y."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x, y


def ridge(seed: int, top: float, rise: float, *, rough: int = 90) -> Plane:
    """Return the mask (H×W) of what lies below a skyline at about `top`, up to `rise` pixels higher or lower."""
    line = top + rise * (2 * noise(seed, (2, WIDTH), (2, rough), octaves=5)[0] - 1)
    return up_to_one(grid()[1] - line[None] + 0.5)


def drawn(draw: Callable[[Picture], object], *, height: int = HEIGHT, width: int = WIDTH) -> Plane:
    """Return the antialiased mask (H×W, 0 to 1) of what `draw` paints in white on a canvas four times as large."""
    large = np.zeros((4 * height, 4 * width), np.uint8)
    draw(large)
    small: Picture = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def polygon(points: Sequence[tuple[float, float]]) -> Plane:
    """Return the mask (H×W) of a polygon with corners (x, y) in pixels."""
    corners = np.rint(np.array(points) * 4).astype(np.int32)
    return drawn(lambda large: cv2.fillPoly(large, [corners], 255))


def box(left: float, top: float, right: float, bottom: float) -> Plane:
    """Return the mask (H×W) of a rectangle."""
    x, y = np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32)
    across = up_to_one(np.minimum(x + 1, right) - np.maximum(x, left))
    down = up_to_one(np.minimum(y + 1, bottom) - np.maximum(y, top))
    return down[:, None] * across[None]


def disc(x: float, y: float, across: float, down: float | None = None) -> Plane:
    """Return the mask (H×W) of a disc or ellipse with these half-axes."""
    columns, rows = grid()
    down = across if down is None else down
    distance = np.sqrt(((columns - x) / across) ** 2 + ((rows - y) / down) ** 2)
    return up_to_one((1 - distance) * min(across, down) + 0.5)


def halo(x: float, y: float, across: float, down: float | None = None) -> Plane:
    """Return a soft round glow (H×W, 1 in its middle)."""
    columns, rows = grid()
    down = across if down is None else down
    return np.asarray(np.exp(-(((columns - x) / across) ** 2) - ((rows - y) / down) ** 2), np.float32)


def bricks(seed: int, size: tuple[int, int]) -> Plane:
    """Return a wall (H×W, about 0.5 to 1): stones of one (height, width), each of its own shade, with dark joints."""
    x, y = grid()
    row = np.floor(y / size[0]).astype(np.int64)
    shifted = x + (row % 2) * size[1] / 2
    column = np.floor(shifted / size[1]).astype(np.int64)
    shade = np.random.default_rng(seed).random((64, 64), np.float32)[row % 64, column % 64]
    across, down = (np.minimum(place % side, side - place % side) for place, side in ((shifted, size[1]), (y, size[0])))
    grain = noise(seed + 1, (HEIGHT, WIDTH), (8, 8), octaves=3)
    joints = 0.6 + 0.4 * up_to_one(np.minimum(across, down) / 1.6)
    return np.asarray((0.72 + 0.2 * shade + 0.16 * (grain - 0.5)) * joints, np.float32)


def rounded(canvas: Plane) -> Picture:
    """Return a canvas as a picture of whole levels."""
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def cut_out(colour: Plane, mask: Plane) -> Picture:
    """Return a tile (H×W×4) for the moving layers: colour times mask, and the mask."""
    mask = up_to_one(mask)
    return rounded(np.dstack([np.broadcast_to(colour, (*mask.shape, 3)) * mask[..., None], mask * 255]))
