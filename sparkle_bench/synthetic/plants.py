"""Meadows and woods: grass, trees and what falls from them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sparkle_bench.synthetic.layers import Fall, Wind, fall, flicker, glow, stand, sway
from sparkle_bench.synthetic.sky import Sky
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Moving, Picture, Plane, stack
from sparkle_bench.synthetic.texture import (
    between,
    cut_out,
    drawn,
    grid,
    noise,
    paint,
    rgb,
    ridge,
    rounded,
    slope,
    up_to_one,
)


def grass(seed: int, colours: tuple[str, str], *, height: int, blades: int) -> Picture:
    """Return a tile (height×W×4) of blades of grass that are dark at their foot and light at their tips."""
    rng = np.random.default_rng(seed)

    def draw(large: Picture) -> None:
        for x, tall, bent in rng.random((blades, 3)):
            foot, tip = 4 * WIDTH * x, 4 * height * (0.75 - 0.7 * tall)
            lean = 4 * 14 * (bent - 0.5)
            way = [(foot - 5, 4 * height), (foot + 5, 4 * height), (foot + lean * 0.5, (tip + 4 * height) / 2.2)]
            corners = [*way[:2], (way[2][0] + 3, way[2][1]), (foot + lean, tip), (way[2][0] - 3, way[2][1])]
            cv2.fillPoly(large, [np.rint(corners).astype(np.int32)], 255, cv2.LINE_AA)

    mask = drawn(draw, height=height)
    foot = grid(height)[1] / height
    streaks = noise(seed, (height, WIDTH), (height, 6), octaves=2)
    tone = np.clip(foot * 0.8 + 0.9 * (streaks - 0.45), 0, 1)[..., None]
    return cut_out(rgb(colours[1]) * (1 - tone) + rgb(colours[0]) * tone, np.maximum(mask, between(0.5, 0.75, foot)))


def crown(seed: int, spot: tuple[float, float, float], colours: tuple[str, str]) -> Picture:
    """Return a tile (H×W×4) with the leafy crown of a tree at (x, y, size), dark below and light above."""
    x, y, size = spot
    leaves = noise(seed, (HEIGHT, WIDTH), (7, 7), octaves=3)
    lumps = noise(seed + 1, (HEIGHT, WIDTH), (24, 30), octaves=2)
    columns, rows = grid()
    distance = np.sqrt(((columns - x) / size) ** 2 + ((rows - y) / (0.8 * size)) ** 2)
    mask = between(0.0, 0.12, 0.86 + 0.5 * (lumps - 0.5) + 0.35 * (leaves - 0.5) - distance)
    tone = np.clip(0.5 - 0.55 * (rows - y) / size - 0.3 * (columns - x) / size + 1.1 * (lumps - 0.5), 0, 1)
    tone = np.clip(tone + 0.9 * (leaves - 0.5), 0, 1)[..., None]
    return cut_out(rgb(colours[0]) * (1 - tone) + rgb(colours[1]) * tone, mask)


def _trunk(x: float, foot: float, top: float, wide: float) -> Plane:
    bend = np.random.default_rng(int(abs(x) * 7 + wide)).uniform(-0.4, 0.4)
    columns, rows = grid()
    part = np.clip((foot - rows) / (foot - top), 0, 1)
    middle = x + bend * wide * np.sin(3 * part)
    across = wide * (0.5 + 0.35 * (1 - part) ** 4 - 0.15 * part)
    return up_to_one(across - np.abs(columns - middle) + 0.5) * up_to_one(foot - rows) * (rows > top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meadow:
    """Open grassland.

    Attributes:
        sky: The sky above.
        hills: Colours of the hills, from the farthest to the nearest.
        grass: Dark and light colour of the blades.
        wind: How the grass sways.
        flowers: Colours of flowers among the grass.
        trees: Trees as (x, y of the crown, size), with their colours after them.
        leaves: Dark and light colour of the trees.
    """

    sky: Sky
    hills: tuple[str, ...]
    grass: tuple[str, str]
    wind: Wind
    flowers: tuple[str, ...] = ()
    trees: tuple[tuple[float, float, float], ...] = ()
    leaves: tuple[str, str] = ("2f5a2a", "8fbf52")


def meadow(seed: int, kind: Meadow) -> Moving:
    """Hills under a wide sky, with swaying grass and perhaps trees."""
    still, clouds = kind.sky.still(), kind.sky.drifting(seed)
    ground = np.zeros((HEIGHT, WIDTH), np.float32)
    hills = np.zeros_like(still)
    for number, colour in enumerate(kind.hills):
        mask = ridge(seed + number, kind.sky.height - 18 + 16 * number, 14, rough=150)
        tuft = noise(seed + 40 + number, (HEIGHT, WIDTH), (7, 22), octaves=3)[..., None]
        paint(hills, mask, rgb(colour) * (0.82 + 0.36 * tuft))
        ground = np.maximum(ground, mask)
    layers = [clouds, stand(cut_out(hills, ground))]
    for number, (x, y, size) in enumerate(kind.trees):
        trunk = _trunk(x, y + 1.7 * size, y, 0.16 * size)
        layers.append(stand(cut_out(rgb("4a3626"), trunk)))
        foot = np.clip((y + size - grid()[1]) / (1.6 * size), 0, 1)
        gust = Wind(reach=0.5 * kind.wind.reach, rate=kind.wind.rate, length=90)
        layers.append(sway(crown(seed + 60 + number, (x, y, size), kind.leaves), gust, loose=foot))
    layers += _turf(seed, kind)
    return stack(rounded(still), *layers)


def _turf(seed: int, kind: Meadow) -> list[Layer]:
    rows = []
    for number, (top, height) in enumerate(((128, 76), (148, 68))):
        tile = grass(seed + 80 + number, kind.grass, height=height, blades=420 - 120 * number)
        _plant(seed + number, tile, kind.flowers)
        part = 0.6 + 0.4 * number
        wind = Wind(reach=kind.wind.reach * part, rate=kind.wind.rate, length=kind.wind.length, lean=kind.wind.lean)
        rows.append(sway(tile, wind, top=top))
    return rows


def _plant(seed: int, tile: Picture, colours: tuple[str, ...]) -> None:
    """Put flowers on a tile of grass, in place."""
    rng = np.random.default_rng(seed + 7)
    for number in range(34 if colours else 0):
        x, y = int(rng.integers(4, WIDTH - 4)), int(rng.integers(tile.shape[0] // 4, tile.shape[0] - 4))
        own = tuple(int(level) for level in rgb(colours[number % len(colours)]))
        cv2.circle(tile, (x, y), int(rng.integers(2, 4)), (*own, 255), -1, cv2.LINE_AA)
        cv2.circle(tile, (x, y), 1, (250, 220, 90, 255), -1, cv2.LINE_AA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wood:
    """A wood or an avenue of trees.

    Attributes:
        depth: Colours of the distance, from the top of the picture to the ground.
        trunks: Colours of the trunks, far and near.
        leaves: Dark and light colour of the crowns.
        ground: Far and near colour of the floor.
        falling: What comes down, such as snow or petals.
        wind: How the crowns sway.
        shafts: Colour of light that falls through the crowns, or nothing.
    """

    depth: tuple[str, ...]
    trunks: tuple[str, str]
    leaves: tuple[str, str]
    ground: tuple[str, str]
    falling: Fall
    wind: Wind
    shafts: str = ""


def wood(seed: int, kind: Wood) -> Moving:
    """Trees whose crowns sway while something drifts down."""
    rng = np.random.default_rng(seed)
    still = slope(*zip(np.linspace(0, 0.7, len(kind.depth)).tolist(), kind.depth, strict=True))
    haze = noise(seed, (HEIGHT, WIDTH), (40, 40), octaves=4)[..., None]
    still *= 0.86 + 0.28 * haze
    floor = ridge(seed + 1, 142, 6)
    depth = np.clip((grid()[1] - 140) / 76, 0, 1)[..., None]
    litter = noise(seed + 2, (HEIGHT, WIDTH), (5, 12), octaves=3)[..., None]
    for number, share in enumerate((0.0, 0.35, 0.7, 1.0)):
        colour = rgb(kind.trunks[0]) * (1 - share) + rgb(kind.trunks[1]) * share
        for x in rng.permutation(np.linspace(8, WIDTH - 8, 9 - 2 * number)) + rng.uniform(-12, 12, 9 - 2 * number):
            mask = _trunk(float(x), 146 + 12 * number, -30, 3.5 + 3.2 * number)
            bark = noise(seed + 9, (HEIGHT, WIDTH), (22, 3), octaves=2)[..., None]
            paint(still, mask, colour * (0.75 + 0.5 * bark))
        if number == 0:
            ground = rgb(kind.ground[0]) * (1 - depth) + rgb(kind.ground[1]) * depth
            paint(still, floor, ground * (0.8 + 0.4 * litter))
    layers = [_canopy(seed + number, kind, number) for number in range(2)]
    if kind.shafts:
        layers.append(_shafts(seed, kind.shafts))
    return stack(rounded(still), *layers, fall(seed, kind.falling))


def _canopy(seed: int, kind: Wood, near: int) -> Layer:
    """Crowns that hang into the picture from above: fine ones far away, larger ones near."""
    rows = grid()[1]
    leaves = noise(seed + 20, (HEIGHT, WIDTH), (8 + 3 * near, 9 + 3 * near), octaves=3)
    lumps = noise(seed + 21, (HEIGHT, WIDTH), (34, 60), octaves=3)
    edge = (62, 40)[near] + 70 * (lumps - 0.5)
    mask = between(-0.1, 0.1, (edge - rows) / 60 + 0.9 * (leaves - 0.45))
    tone = np.clip(0.55 + 1.2 * (leaves - 0.5) + 0.8 * (lumps - 0.5) - 0.18 * near, 0, 1)[..., None]
    tile = cut_out(rgb(kind.leaves[0]) * (1 - tone) + rgb(kind.leaves[1]) * tone, mask)
    return sway(tile[:150], kind.wind, loose=np.clip(grid(150)[1] / 60, 0.15, 1))


def _shafts(seed: int, colour: str) -> Layer:
    x, y = grid()
    slant = noise(seed + 30, (2, WIDTH), (2, 36), octaves=2)[0]
    place = (x + 0.55 * y).astype(np.int64) % WIDTH
    beams = between(0.5, 0.85, slant[place]) * np.clip(1.1 - y / 170, 0, 1) * 0.5
    return glow(colour, beams, flicker(seed, low=0.45, high=1.0, rate=1.2))
