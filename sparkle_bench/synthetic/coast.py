"""Coasts: a sea whose waves roll in and run up the shore."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sparkle_bench.synthetic.elements import Water, water
from sparkle_bench.synthetic.layers import Fall, fall, stand
from sparkle_bench.synthetic.sky import Sky
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Moving, Picture, stack
from sparkle_bench.synthetic.texture import between, cut_out, disc, grid, halo, noise, paint, rgb, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Coast:
    """A sea and its shore.

    Attributes:
        sky: The sky above; its height is the horizon.
        sea: Colours from troughs to crests.
        foam: Colour of the surf.
        sand: Colours of the shore, far and near.
        power: How hard the waves come, 0.3 to 2.
        lamp: Where the sun or moon stands (x, y), or None.
        shine: Colour of its light on the sea.
        rain: Whether it rains, with spray off the rocks.
    """

    sky: Sky
    sea: tuple[str, ...]
    foam: str
    sand: tuple[str, str]
    power: float
    lamp: tuple[int, int] | None = None
    shine: str = "fff3d0"
    rain: bool = False


def coast(seed: int, kind: Coast) -> Moving:
    """A sea whose waves roll in and run up the shore."""
    horizon, shore = kind.sky.height, 184
    still = kind.sky.still()
    over = None
    if kind.lamp is not None:
        paint(still, 0.5 * halo(*kind.lamp, 60), rgb(kind.shine))
        paint(still, disc(*kind.lamp, 11), 0.4 * rgb(kind.shine) + 153)
        x, y = grid()
        column = np.exp(-(((x - kind.lamp[0]) / (14 + 0.45 * (y - horizon).clip(0))) ** 2))
        over = rgb(kind.shine) * 0.85 * column[..., None]
    sea = Water(top=horizon, bottom=HEIGHT, colours=kind.sea, speed=1.0 + 0.8 * kind.power, size=34 + 14 * kind.power)
    layers = [kind.sky.drifting(seed), water(seed, sea, over=over), _surf(seed, kind, shore)]
    if kind.rain:
        layers += [_spray(seed, kind, 58, 168), _spray(seed + 1, kind, 338, 150)]
        layers.append(fall(seed, Fall(count=110, colour="8f9aa6", velocity=(-150, 520), streak=0.03)))
    return stack(rounded(still), *layers)


def _surf(seed: int, kind: Coast, shore: int) -> Layer:
    """The strip of sand that every wave covers and leaves, with foam at its edge."""
    x, y = grid()
    uneven = 9 * (noise(seed + 5, (2, WIDTH), (2, 60), octaves=4)[0] - 0.5)
    grain = noise(seed + 6, (HEIGHT, WIDTH), (5, 9), octaves=3)[..., None]
    depth = np.clip((y - shore) / (HEIGHT - shore), 0, 1)[..., None]
    sand = (rgb(kind.sand[0]) * (1 - depth) + rgb(kind.sand[1]) * depth) * (0.85 + 0.3 * grain)
    lace = noise(seed + 7, (HEIGHT, WIDTH), (6, 14), octaves=3)
    top = shore - 22
    rows, broken = y[top:], np.clip((lace - 0.42) * 5, 0, 1)[top:]
    foam, beach = rgb(kind.foam), rounded(sand)[top:]
    reach = 5 + 7 * kind.power

    def at(picture: Picture, time: float) -> Picture:
        turn = 2.6 * (0.7 + 0.4 * kind.power) * time
        edge = shore + uneven + reach * np.sin(turn + 0.012 * x[0]) * 0.8
        below = rows - edge
        dry = np.clip(below, 0, 1)
        behind = np.clip(1 + (below + 2) / (14 + reach), 0, 1) * (below < 0)
        white = np.clip(1 - np.abs(below + 3) / 4, 0, 1) + broken * behind
        area = picture[top:].astype(np.float32)
        area += (beach - area) * dry[..., None]
        area += (foam - area) * (np.clip(white, 0, 1) * 0.85)[..., None]
        picture[top:] = area.astype(np.uint8)
        return picture

    return at


def _spray(seed: int, kind: Coast, x: int, y: int) -> Layer:
    """A rock with waves that break on it and throw up spray."""
    rng = np.random.default_rng(seed)
    across, rise, delay = rng.normal(0, 30, 70), rng.uniform(60, 170, 70), rng.random(70) * 0.2
    columns, rows = grid()
    lumps = noise(seed + 3, (HEIGHT, WIDTH), (16, 16), octaves=3)
    mask = between(0.0, 0.1, 1 - np.sqrt(((columns - x) / 46) ** 2 + ((rows - y - 22) / 34) ** 2) + 0.5 * (lumps - 0.5))
    tone = np.clip(0.35 + 0.9 * (lumps - 0.5) - 0.012 * (rows - y), 0, 1)[..., None]
    rock = stand(cut_out(rgb("1d2125") * (1 - tone) + rgb("5c636a") * tone, mask))
    foam = tuple(int(level) for level in rgb(kind.foam))

    def at(picture: Picture, time: float) -> Picture:
        for part in range(70):
            age = (time * 0.8 + seed * 0.37 + delay[part]) % 1.0
            place = (x + across[part] * (0.3 + age), y + 18 - rise[part] * 2.2 * age * (0.8 - age))
            size = (1.6 + 4.0 * age) * 8
            if age < 0.8:
                spot = (round(place[0] * 16), round(place[1] * 16))
                cv2.circle(picture, spot, round(size), foam, -1, cv2.LINE_AA, 4)
        return rock(picture, time)

    return at
