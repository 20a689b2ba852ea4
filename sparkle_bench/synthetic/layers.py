"""What moves in a scene: drifting tiles, swaying plants, glows that flicker, things that fall.

Every function returns a `Layer`. All randomness is drawn when the layer is made, so that an instant always looks the same.
A tile (H×W×4, uint8) holds colours multiplied by their mask, and the mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Picture, Plane
from sparkle_bench.synthetic.texture import filled, grid, rgb, rounded


def _lay(picture: Picture, tile: Picture, top: int, left: int = 0) -> Picture:
    """Lay a tile over part of the picture, in place; what sticks out is cut off."""
    height, width = tile.shape[:2]
    y, x = max(0, top), max(0, left)
    end_y, end_x = min(HEIGHT, top + height), min(WIDTH, left + width)
    if y < end_y and x < end_x:
        part = tile[y - top : end_y - top, x - left : end_x - left]
        clear = cv2.merge([cv2.bitwise_not(cv2.extractChannel(part, 3))] * 3)
        behind = cv2.multiply(picture[y:end_y, x:end_x], clear, scale=1 / 255)
        picture[y:end_y, x:end_x] = cv2.add(behind, cv2.cvtColor(part, cv2.COLOR_RGBA2RGB))
    return picture


def stand(tile: Picture) -> Layer:
    """A tile (H×W×4) that stands still before what moves."""
    rows, columns = filled(tile[..., 3])
    part = np.ascontiguousarray(tile[rows, columns])
    return lambda picture, _: _lay(picture, part, rows.start, columns.start)


def drift(tile: Picture, *, speed: float, top: int = 0) -> Layer:
    """A tile that is seamless from right to left and moves by `speed` pixels a second (positive: to the left)."""
    period = tile.shape[1]
    wide = np.concatenate([tile, tile[:, : WIDTH + 1]], axis=1)

    def at(picture: Picture, time: float) -> Picture:
        place = speed * time % period
        left, part = int(place), place % 1
        now, then = wide[:, left : left + WIDTH], wide[:, left + 1 : left + 1 + WIDTH]
        return _lay(picture, cv2.addWeighted(now, 1 - part, then, part, 0), top)

    return at


@dataclass(frozen=True, slots=True, kw_only=True)
class Wind:
    """How plants sway.

    Attributes:
        reach: Pixels that the tips move to either side.
        rate: Swings a second.
        length: Pixels between two gusts.
        lean: Pixels that the tips are bent to the right all the time.
    """

    reach: float
    rate: float
    length: float = 120.0
    lean: float = 0.0


def sway(tile: Picture, wind: Wind, *, top: int = 0, loose: Plane | None = None) -> Layer:
    """A tile whose upper parts swing while its foot stands.

    Args:
        tile: The plants (H×W×4).
        wind: How they swing.
        top: The row of the picture at which the tile begins.
        loose: How freely each pixel moves (H×W, 0 to 1); by default 1 at the tile's top and 0 at its foot.
    """
    height, width = tile.shape[:2]
    x, y = grid(height, width)
    free = (1 - y / height) ** 1.3 if loose is None else loose
    area, margin = filled(tile[..., 3]), round(wind.reach * 1.4 + abs(wind.lean)) + 1
    rows, columns = area[0], slice(max(0, area[1].start - margin), min(width, area[1].stop + margin))
    plants = np.ascontiguousarray(tile[rows, columns])
    free, x, y = (part[rows, columns] for part in (free, x, y))
    phase = 2 * np.pi * x / wind.length + 0.02 * y
    reach = (free * wind.reach).astype(np.float32)
    near, far = reach * np.sin(phase), reach * np.cos(phase)
    small = 0.35 * reach * np.sin(2.7 * phase + 1.0), 0.35 * reach * np.cos(2.7 * phase + 1.0)
    still, down = (x - columns.start - free * wind.lean).astype(np.float32), y - rows.start

    def at(picture: Picture, time: float) -> Picture:
        angle = 2 * np.pi * wind.rate * time
        across = still + near * np.float32(np.cos(angle)) - far * np.float32(np.sin(angle))
        across += small[0] * np.float32(np.cos(1.9 * angle)) - small[1] * np.float32(np.sin(1.9 * angle))
        bent = cv2.remap(plants, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return _lay(picture, bent, top + rows.start, columns.start)

    return at


def flicker(seed: int, *, low: float, high: float, rate: float) -> Callable[[float], float]:
    """Return an uneven brightness between `low` and `high` that changes about `rate` times a second."""
    values = np.random.default_rng(seed).random(64)

    def at(time: float) -> float:
        place = rate * time
        first = int(place) % 64
        part = place % 1
        return float(low + (high - low) * (values[first] * (1 - part) + values[(first + 1) % 64] * part))

    return at


def glow(colour: str, shape: Plane, strength: Callable[[float], float]) -> Layer:
    """Light that is added to the picture: a colour times a shape (H×W, 0 to 1) times a strength that changes."""
    area = filled(shape > 0.01)
    light = rounded(rgb(colour) * shape[area][..., None])

    def at(picture: Picture, time: float) -> Picture:
        picture[area] = cv2.addWeighted(picture[area], 1, light, strength(time), 0)
        return picture

    return at


def moved(tile: Picture, path: Callable[[float], tuple[float, float]]) -> Layer:
    """A tile whose upper left corner follows a path of (x, y) in pixels."""

    def at(picture: Picture, time: float) -> Picture:
        x, y = path(time)
        shift = np.array([[1, 0, x % 1], [0, 1, y % 1]], np.float32)
        size = (tile.shape[1] + 1, tile.shape[0] + 1)
        return _lay(picture, cv2.warpAffine(tile, shift, size), int(y // 1), int(x // 1))

    return at


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """Things that fall, rise or blow through the air.

    Attributes:
        count: How many are in the picture.
        colour: Their colour.
        velocity: Pixels a second, (across, down), of the nearest; those far away are slower.
        size: Pixels across, of the nearest.
        flutter: Pixels they swing to either side.
        streak: Seconds of their way that one sees at once: 0 is a dot, more is a line, as rain is.
    """

    count: int
    colour: str
    velocity: tuple[float, float]
    size: float = 2.0
    flutter: float = 0.0
    streak: float = 0.0


def fall(seed: int, kind: Fall) -> Layer:
    """Snow, rain, petals, leaves, embers or sparks."""
    rng = np.random.default_rng(seed)
    start = rng.random((kind.count, 2)) * (WIDTH + 20, HEIGHT + 20)
    depth = 0.45 + 0.55 * rng.random(kind.count)
    phase = rng.random(kind.count) * 2 * np.pi
    colours = np.clip(rgb(kind.colour) * (0.75 + 0.3 * rng.random((kind.count, 1))), 0, 255)
    colour = [tuple(int(level) for level in row) for row in colours]
    way = np.array(kind.velocity)[None] * depth[:, None]

    def places(time: float) -> Plane:
        swing = kind.flutter * depth * np.sin(phase + 3.0 * time)
        moved_on = start + way * time + np.stack([swing, 0 * swing], 1)
        return moved_on % (WIDTH + 20, HEIGHT + 20) - 10

    def at(picture: Picture, time: float) -> Picture:
        spots = np.rint(places(time) * 16).astype(int).tolist()
        tails = np.rint(way * kind.streak * 16).astype(int).tolist()
        sizes = np.rint(kind.size / 2 * depth * 16).astype(int).tolist()
        for (x, y), (across, down), size, own in zip(spots, tails, sizes, colour, strict=True):
            if kind.streak:
                cv2.line(picture, (x, y), (x + across, y + down), own, 1, cv2.LINE_AA, 4)
            else:
                cv2.circle(picture, (x, y), size, own, -1, cv2.LINE_AA, 4)
        return picture

    return at
