"""Streets by day and by night, with cars that pass and signs that flicker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from sparkle_bench.synthetic.layers import Fall, fall, flicker, glow, moved
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Moving, Picture, Plane, stack
from sparkle_bench.synthetic.texture import box, cut_out, disc, drawn, grid, halo, noise, paint, rgb, rounded, slope

KERB = 150
"""The row where a street's houses end and its pavement begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """A street seen across.

    Attributes:
        sky: Colours of the sky from top to bottom.
        walls: Colours of the houses, in turn.
        panes: Colour of the window panes, and of those that are lit.
        lit: Share of the windows that are lit.
        road: Colours of the road, far and near.
        cars: Colours of the cars that pass.
        night: Whether cars have their lights on and signs glow.
        signs: Colours of the neon signs; none by day.
        rain: Whether it rains.
    """

    sky: tuple[str, str]
    walls: tuple[str, ...]
    panes: tuple[str, str]
    lit: float
    road: tuple[str, str]
    cars: tuple[str, ...]
    night: bool = False
    signs: tuple[str, ...] = ()
    rain: bool = False


def street(seed: int, kind: Street) -> Moving:
    """Houses with windows and shops, cars that pass, and by night signs that flicker."""
    still = slope((0, kind.sky[0]), (0.7, kind.sky[1]))
    _houses(seed, kind, still)
    y = grid()[1]
    depth = np.clip((y - KERB) / (HEIGHT - KERB), 0, 1)[..., None]
    gravel = noise(seed + 2, (HEIGHT, WIDTH), (5, 14), octaves=3)[..., None]
    road = (rgb(kind.road[0]) * (1 - depth) + rgb(kind.road[1]) * depth) * (0.85 + 0.3 * gravel)
    paint(still, np.clip(y - KERB, 0, 1), road)
    paint(still, box(0, KERB, WIDTH, KERB + 5), rgb(kind.road[0]) * 1.35)
    layers = [_sign(seed + n, colour, n, len(kind.signs)) for n, colour in enumerate(kind.signs)]
    layers += [_car(seed + 5 * n, colour, n, night=kind.night) for n, colour in enumerate(kind.cars)]
    if kind.rain:
        layers.append(fall(seed, Fall(count=120, colour="8a93b8", velocity=(-40, 480), streak=0.028)))
    return stack(rounded(still), *layers)


def _houses(seed: int, kind: Street, still: Plane) -> None:
    rng = np.random.default_rng(seed)
    left, number = -8.0, 0
    while left < WIDTH:
        wide, top = rng.uniform(58, 92), rng.uniform(6, 52)
        wall = rgb(kind.walls[number % len(kind.walls)])
        stains = noise(seed + number, (HEIGHT, WIDTH), (26, 10), octaves=3)[..., None]
        paint(still, box(left, top, left + wide, KERB), wall * (0.85 + 0.3 * stains))
        paint(still, box(left, top, left + wide, top + 3), wall * 0.6)
        columns, across = 4, wide / 4
        for row in range(int((112 - top) // 24)):
            for column in range(columns):
                x, y = left + across * (column + 0.25), top + 10 + 24 * row
                _window(still, (x, y, x + across * 0.5, y + 14), rgb(kind.panes[rng.random() < kind.lit]))
        _shop(
            still, (left + 4, left + wide - 4), rgb(kind.panes[1]) if kind.night else rgb(kind.panes[0]), seed + number
        )
        left, number = left + wide, number + 1


def _window(still: Plane, corners: tuple[float, float, float, float], pane: Plane) -> None:
    left, top, right, bottom = corners
    still[int(top) - 1 : int(bottom) + 1, max(0, int(left) - 1) : max(0, int(right) + 1)] *= 0.62
    glass = still[int(top) : int(bottom), max(0, int(left)) : max(0, int(right))]
    glass[:] = pane * np.linspace(1.08, 0.86, glass.shape[0], dtype=np.float32)[:, None, None]
    glass[:, glass.shape[1] // 2 :][:, :1] *= 0.6


def _shop(still: Plane, sides: tuple[float, float], pane: Plane, seed: int) -> None:
    left, right = sides
    rng = np.random.default_rng(seed)
    paint(still, box(left, 118, right, KERB), pane * 0.35)
    paint(still, box(left + 3, 124, right - 18, KERB - 4), pane * 0.85)
    paint(still, box(right - 14, 124, right - 3, KERB), pane * 0.55)
    colour = rgb(("b0483c", "3f7a5c", "c9913a", "49659a")[seed % 4]) * (0.35 + 0.65 * float(pane.mean()) / 255)
    for stripe in range(8):
        x, step = left + (right - left) * stripe / 8, (right - left) / 8
        paint(still, box(x, 114, x + step, 123), colour if stripe % 2 else colour * 0.3 + pane * 0.7)
    for _ in range(5):
        x = rng.uniform(left + 6, right - 22)
        paint(still, disc(x, KERB - 10, 3.5, 6), pane * rng.uniform(0.35, 0.75, 3).astype(np.float32))


def _sign(seed: int, colour: str, number: int, of: int) -> Layer:
    """A neon sign of tubes, with the glow around it and its reflection on the wet road."""
    rng = np.random.default_rng(seed)
    x, y = WIDTH * (number + 0.5) / of + rng.uniform(-12, 12), rng.uniform(24, 84)
    word = ("BAR", "HOTEL", "24h", "JAZZ", "CAFE", "<3")[number % 6]

    def draw(large: Picture) -> None:
        spot = (int(4 * x) - 38 * len(word), int(4 * y) + 34)
        cv2.putText(large, word, spot, cv2.FONT_HERSHEY_SIMPLEX, 3.4, 255, 11, cv2.LINE_AA)
        corner = (spot[0] - 26, spot[1] - 106), (spot[0] + 76 * len(word) + 18, spot[1] + 34)
        if number % 2:
            cv2.rectangle(large, *corner, 255, 8, cv2.LINE_AA)

    tubes = drawn(draw)
    near = cv2.GaussianBlur(tubes, (0, 0), 4) * 1.4 + 0.25 * halo(x, y, 46)
    mirrored = cv2.GaussianBlur(tubes[::-1], (0, 0), sigmaX=5, sigmaY=14) * 1.8
    mirrored[:KERB] = 0
    shape = np.clip(tubes + near, 0, 1) + np.clip(mirrored, 0, 0.5)
    return glow(
        colour, shape, flicker(seed, low=0.25 if number % 2 else 0.6, high=1.15, rate=5.0 if number % 2 else 2.0)
    )


def _car(seed: int, colour: str, number: int, *, night: bool) -> Layer:
    rng = np.random.default_rng(seed)
    width, height = 132, 54

    def body(large: Picture) -> None:
        cabin = np.array([[34, 30], [48, 8], [88, 8], [106, 30]]) * 4
        hull = np.array([[6, 44], [8, 31], [34, 27], [106, 27], [124, 33], [126, 44]]) * 4
        cv2.fillPoly(large, [cabin.astype(np.int32), hull.astype(np.int32)], 255)

    def glass(large: Picture) -> None:
        panes = [np.array([[40, 28], [51, 12], [66, 12], [66, 28]]), np.array([[70, 28], [70, 12], [86, 12], [98, 28]])]
        cv2.fillPoly(large, [(pane * 4).astype(np.int32) for pane in panes], 255)

    def wheels(large: Picture) -> None:
        for x in (30, 102):
            cv2.circle(large, (4 * x, 4 * 44), 4 * 9, 255, -1)

    masks = [drawn(draw, height=height, width=width) for draw in (body, glass, wheels)]
    canvas = (
        np.broadcast_to(rgb(colour), (height, width, 3))
        * np.linspace(1.25, 0.6, height, dtype=np.float32)[:, None, None]
    )
    dark = 0.25 if night else 1.0
    paint(canvas, masks[1], rgb("9fb4c4") * dark)
    paint(canvas, masks[2], rgb("1c1c20") * (0.5 + 0.5 * dark))
    tile = cut_out(canvas, np.maximum(masks[0], masks[2]))
    if night:
        _lamps(tile)
    speed, start, right = rng.uniform(110, 190), rng.uniform(0, 520), number % 2 == 0
    tile = tile if right else np.ascontiguousarray(tile[:, ::-1])
    return moved(tile, _pass(start, speed if right else -speed, 134.0 + 14 * (number % 2)))


def _lamps(tile: Picture) -> None:
    """Light a car's lamps and what is around them, in place."""
    for x, colour, across in ((125, (255, 244, 205), 9), (7, (255, 40, 30), 5)):
        cv2.circle(tile, (x, 37), across, (*(level // 2 for level in colour), 90), -1, cv2.LINE_AA)
        cv2.circle(tile, (x, 37), across // 2, (*colour, 255), -1, cv2.LINE_AA)


def _pass(start: float, speed: float, y: float) -> Callable[[float], tuple[float, float]]:
    return lambda time: ((start + speed * time) % (WIDTH + 140) - 136, y)
