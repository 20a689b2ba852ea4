"""Rooms of a house, with a lamp or a fire, a curtain that stirs and a clock."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sparkle_bench.synthetic.elements import fire
from sparkle_bench.synthetic.layers import Wind, drift, flicker, glow, stand, sway
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Moving, Picture, Plane, stack
from sparkle_bench.synthetic.texture import (
    box,
    bricks,
    cut_out,
    disc,
    grid,
    halo,
    noise,
    paint,
    plain,
    polygon,
    rgb,
    rounded,
    slope,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room of a house.

    Attributes:
        wall: Colours of the wallpaper's stripes.
        wood: Colour of shelves and frames.
        floor: Colour of the boards.
        outside: Colours seen through the window, from top to bottom.
        curtain: Colour of the curtain.
        lamp: Colour of the lamp's light, or nothing.
        hearth: Whether a fire burns in a fireplace instead of a shelf of books.
        shade: How dark the corners are, 0 to 1.
    """

    wall: tuple[str, str]
    wood: str
    floor: str
    outside: tuple[str, str]
    curtain: str
    lamp: str = ""
    hearth: bool = False
    shade: float = 0.3


def room(seed: int, kind: Room) -> Moving:
    """A furnished room: a window with a curtain that stirs, books or a fire, a clock whose pendulum swings."""
    x, y = grid()
    still = plain(kind.wall[0])
    paint(still, ((x // 13) % 2 == 0).astype(np.float32), rgb(kind.wall[1]))
    still *= (0.94 + 0.12 * noise(seed, (HEIGHT, WIDTH), (30, 30)))[..., None]
    boards = 0.8 + 0.3 * noise(seed + 1, (HEIGHT, WIDTH), (3, 70), octaves=2)
    paint(still, np.clip(y - 176, 0, 1), rgb(kind.floor) * boards[..., None])
    paint(still, box(0, 168, WIDTH, 176), rgb(kind.wood))
    layers: list[Layer] = []
    if kind.hearth:
        layers += _hearth(seed, still, kind)
    else:
        _books(seed, still, kind)
    cloud = _window(seed, still, kind)
    corners = 1 - kind.shade * np.clip(np.hypot((x - 190) / 260, (y - 90) / 190), 0, 1) ** 2
    still *= corners[..., None]
    layers += [cloud, *_curtain(seed, kind), _pendulum(kind)]
    if kind.lamp:
        layers += _lamp(seed, kind)
    return stack(rounded(still), *layers)


def _books(seed: int, still: Plane, kind: Room) -> None:
    rng = np.random.default_rng(seed)
    paint(still, box(12, 14, 138, 170), rgb(kind.wood) * 0.45)
    for shelf in range(4):
        foot = 50 + 38 * shelf
        left = 16.0
        while left < 130:
            wide, tall = rng.uniform(4, 9), rng.uniform(20, 31)
            colour = rgb(("8c3b32", "3c5a7a", "c6a15a", "4d6b48", "7a5878", "b9b2a2")[int(rng.integers(6))])
            paint(still, box(left, foot - tall, left + wide - 0.7, foot), colour * rng.uniform(0.75, 1.1))
            paint(still, box(left, foot - tall + 5, left + wide - 0.7, foot - tall + 7), colour * 1.4)
            left += wide
        paint(still, box(12, foot, 138, foot + 4), rgb(kind.wood))
    for side in (10, 136):
        paint(still, box(side, 12, side + 4, 170), rgb(kind.wood) * 1.1)


def _hearth(seed: int, still: Plane, kind: Room) -> list[Layer]:
    wall = bricks(seed, (9, 19))[..., None]
    paint(still, box(14, 66, 136, 172), rgb("a06a52") * wall)
    paint(still, box(8, 60, 142, 70), rgb(kind.wood) * 1.2)
    paint(still, np.maximum(box(44, 116, 106, 172), disc(75, 116, 31, 18)), rgb("140a08"))
    for x, tall in ((26, 18), (118, 14), (98, 10)):
        paint(still, box(x, 60 - tall, x + 9, 60), rgb(("7a8c6a", "b87a4a", "6a7a9a")[x % 3]))
    paint(still, box(52, 14, 98, 48), rgb(kind.wood) * 0.7)
    paint(still, box(55, 17, 95, 45), rgb("8fa8a0"))
    paint(still, polygon([(55, 45), (70, 28), (80, 38), (88, 30), (95, 45)]), rgb("4f6a58"))
    flames = [fire(seed + n, (62 + 13 * n, 170), (24, (40, 52, 36)[n])) for n in range(3)]
    return [*flames, glow("ff8a3a", 0.5 * halo(75, 150, 90, 70), flicker(seed, low=0.5, high=1.0, rate=6.0))]


def _window(seed: int, still: Plane, kind: Room) -> Layer:
    """Paint the window and return the clouds that pass behind it."""
    paint(still, box(244, 22, 340, 140), rgb(kind.wood) * 1.25)
    view = slope((22 / HEIGHT, kind.outside[0]), (140 / HEIGHT, kind.outside[1]))
    paint(still, box(250, 28, 334, 134), view)
    puffs = np.clip((noise(seed + 3, (106, 2 * WIDTH), (30, 60)) - 0.5) * 3, 0, 0.8)
    clouds = drift(cut_out(rgb(kind.outside[1]) * 1.35 + 14, puffs), speed=9.0)
    bars = np.maximum(box(290, 28, 294, 134), box(250, 78, 334, 81))
    frame = stand(cut_out(rgb(kind.wood) * 1.25, bars))
    area = slice(28, 134), slice(250, 334)

    def at(picture: Picture, time: float) -> Picture:
        sky = np.zeros_like(picture)
        sky[: area[0].stop - area[0].start, : area[1].stop - area[1].start] = picture[area]
        picture[area] = clouds(sky, time)[: area[0].stop - area[0].start, : area[1].stop - area[1].start]
        return frame(picture, time)

    return at


def _curtain(seed: int, kind: Room) -> list[Layer]:
    """The two halves of a curtain, which hang from a rail and stir at their hem."""
    x, y = grid()
    folds = 0.78 + 0.22 * np.sin(x / 2.4 + 1.5 * noise(seed + 4, (HEIGHT, WIDTH), (90, 30)))
    hem = np.clip((y - 16) / 140, 0, 1) ** 1.2
    halves = []
    for left, right in ((232, 268), (318, 354)):
        tile = cut_out(rgb(kind.curtain) * folds[..., None], box(left, 16, right, 158))
        halves.append(sway(tile, Wind(reach=9, rate=0.45, length=160), loose=hem))
    return [*halves, stand(cut_out(rgb(kind.wood) * 0.8, box(226, 12, 360, 17)))]


def _pendulum(kind: Room) -> Layer:
    """A wall clock."""
    face = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    case = np.maximum(box(172, 18, 208, 112), disc(190, 20, 18, 10))
    paint(face, case, rgb(kind.wood) * 0.8)
    paint(face, box(178, 56, 202, 106), rgb(kind.wood) * 0.35)
    paint(face, disc(190, 36, 14), rgb("e8dfc8"))
    for hand in ([(189, 36), (190, 25), (191, 36)], [(190, 35), (198, 36), (190, 37)]):
        paint(face, polygon(hand), rgb("2a2018"))
    clock = stand(cut_out(face, case))
    brass = tuple(int(level) for level in rgb("d8b060") * (0.7 if kind.lamp else 1.0))

    def at(picture: Picture, time: float) -> Picture:
        clock(picture, time)
        angle = 0.22 * np.sin(2 * np.pi * time)
        end = round((190 + 42 * np.sin(angle)) * 16), round((54 + 42 * np.cos(angle)) * 16)
        cv2.line(picture, (190 * 16, 56 * 16), end, brass, 1, cv2.LINE_AA, 4)
        cv2.circle(picture, end, 5 * 16, brass, -1, cv2.LINE_AA, 4)
        return picture

    return at


def _lamp(seed: int, kind: Room) -> list[Layer]:
    lamp = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    shade = polygon([(196, 126), (228, 126), (238, 152), (186, 152)])
    table = np.maximum(box(178, 172, 246, 177), box(184, 177, 188, HEIGHT) + box(236, 177, 240, HEIGHT))
    stem = np.maximum(box(210, 150, 214, 172), disc(212, 171, 13, 4))
    paint(lamp, table, rgb(kind.wood) * 1.2)
    paint(lamp, stem, rgb("8a6a3c"))
    paint(lamp, shade, 0.35 * rgb(kind.lamp) + 0.65 * rgb("fff0cc"))
    light = np.clip(0.75 * halo(212, 150, 80, 70) + 0.35 * halo(212, 120, 190, 140), 0, 1)
    body = stand(cut_out(lamp, np.maximum(np.maximum(shade, stem), table)))
    return [body, glow(kind.lamp, light, flicker(seed, low=0.42, high=0.55, rate=3.0))]
