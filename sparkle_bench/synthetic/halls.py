"""A great hall by torchlight, and a theatre under sweeping lights."""

from __future__ import annotations

import cv2
import numpy as np

from sparkle_bench.synthetic.elements import fire
from sparkle_bench.synthetic.layers import Fall, Wind, fall, flicker, glow, stand, sway
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
)


def hall(seed: int) -> Moving:
    """A great hall of stone, lit by torches whose flames leap, with banners that stir and embers that rise."""
    x, y = grid()
    still = rgb("6e6054") * bricks(seed, (17, 36))[..., None]
    for middle in (64, 192, 320):
        arch = np.maximum(box(middle - 34, 78, middle + 34, 176), disc(middle, 78, 34, 44))
        dark = rgb("241c1c") * (0.7 + 0.5 * bricks(seed + 1, (12, 26)))[..., None]
        paint(still, cv2.GaussianBlur(arch, (0, 0), 2), dark)
    flags = 0.55 + 0.45 * noise(seed + 2, (HEIGHT, WIDTH), (6, 24), octaves=3)
    paint(still, np.clip(y - 176, 0, 1), rgb("5a4c44") * flags[..., None])
    torches = (20, 128, 256, 364)
    light = sum((0.9 * halo(t, 88, 74, 92) for t in torches), np.zeros_like(x))
    still *= (0.24 + 0.62 * np.clip(light, 0, 1.1))[..., None] * np.array([1.25, 0.95, 0.68], np.float32)
    layers: list[Layer] = []
    for number, middle in enumerate((74, 310)):
        layers.append(_banner(seed + number, middle, ("7a2020", "24406a")[number]))
    for number, middle in enumerate(torches):
        handle = polygon([(middle - 4, 96), (middle + 4, 96), (middle + 2, 126), (middle - 2, 126)])
        leaping = flicker(seed + number, low=0.35, high=1.0, rate=7.0)
        layers.append(stand(cut_out(rgb("2a1a10"), handle)))
        layers.append(glow("ff8c3c", 0.55 * halo(middle, 84, 58, 66), leaping))
        layers.append(fire(seed + number, (middle, 100), (30, 54)))
    embers = Fall(count=46, colour="ffa648", velocity=(12, -46), size=2.2, flutter=9)
    return stack(rounded(still), *layers, fall(seed, embers))


def _banner(seed: int, middle: int, colour: str) -> Layer:
    cloth = polygon([(middle - 20, 12), (middle + 20, 12), (middle + 20, 96), (middle, 116), (middle - 20, 96)])
    canvas = plain(colour) * (0.6 + 0.3 * noise(seed, (HEIGHT, WIDTH), (60, 9)))[..., None]
    paint(canvas, disc(middle, 54, 11) - disc(middle, 54, 7), rgb("c9a24a"))
    paint(canvas, box(middle - 1.5, 24, middle + 1.5, 92), rgb("c9a24a"))
    hem = np.clip((grid()[1] - 12) / 100, 0, 1)
    return sway(cut_out(canvas, cloth), Wind(reach=7, rate=0.6, length=110), loose=hem)


def show(seed: int, colours: tuple[str, ...]) -> Moving:
    """A dark theatre with coloured beams that sweep across its curtain, and dust in the light."""
    x, y = grid()
    folds = 0.55 + 0.45 * np.sin(x / 6.5 + 2.2 * noise(seed, (HEIGHT, WIDTH), (120, 60)))
    still = rgb("4a1c3c") * folds[..., None] * (1 - 0.4 * y / HEIGHT)[..., None]
    boards = 0.6 + 0.4 * noise(seed + 1, (HEIGHT, WIDTH), (40, 4), octaves=2)
    paint(still, np.clip(y - 178, 0, 1), rgb("3a2430") * boards[..., None])
    layers: list[Layer] = []
    for number, colour in enumerate(colours):
        bulb = WIDTH * (number + 0.5) / len(colours)
        layers.append(_beam(bulb, 0.5 + 0.13 * number, 1.7 * number, rgb(colour)))
        layers.append(glow(colour, halo(bulb, 2, 20, 14), flicker(seed + number, low=0.7, high=1.0, rate=4.0)))
    dust = Fall(count=50, colour="b89ad0", velocity=(14, -9), size=1.6, flutter=8)
    return stack(rounded(still), *layers, fall(seed, dust))


def _beam(bulb: float, rate: float, phase: float, colour: Plane) -> Layer:
    """A beam from a lamp above that swings from side to side."""
    fade = np.linspace(0.75, 0.25, HEIGHT // 2, dtype=np.float32)[:, None, None] * colour

    def at(picture: Picture, time: float) -> Picture:
        foot = bulb + 130 * np.sin(2 * np.pi * rate * time + phase)
        shape = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
        corners = [(bulb - 3, 0), (bulb + 3, 0), (foot + 34, HEIGHT), (foot - 34, HEIGHT)]
        cv2.fillPoly(shape, [np.rint(np.array(corners) / 2).astype(np.int32)], 255)
        soft = cv2.blur(shape, (7, 7))
        light = (fade * (soft.astype(np.float32) / 255)[..., None]).astype(np.uint8)
        return np.asarray(cv2.add(picture, cv2.resize(light, (WIDTH, HEIGHT))), np.uint8)

    return at
