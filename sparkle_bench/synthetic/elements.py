"""Water that rolls in waves, and fire: layers like those of `layers`, computed and not painted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sparkle_bench.synthetic.stage import WIDTH, Layer, Picture, Plane
from sparkle_bench.synthetic.texture import grid, noise, rgb, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Water:
    """Water seen from its shore.

    Attributes:
        top: The row of the horizon.
        bottom: The row where it ends.
        colours: From the troughs to the crests.
        speed: How fast the waves come.
        size: Pixels between two waves at the bottom.
        chop: How irregular the waves are, 0 to 1.
    """

    top: int
    bottom: int
    colours: tuple[str, ...]
    speed: float = 1.0
    size: float = 40.0
    chop: float = 0.5


def water(seed: int, kind: Water, *, over: Plane | None = None) -> Layer:
    """Waves that roll towards the viewer.

    Args:
        seed: Which waves.
        kind: How they look.
        over: Light (H×W×3) that lies on the crests, such as the moon's; None for none.
    """
    height = kind.bottom - kind.top
    x, y = grid(height, WIDTH)
    near = (y + 4) / height
    away = 1 / near
    rough = (noise(seed, (height, WIDTH), (14, 70), octaves=3) - 0.5) * 9 * kind.chop
    turns = 2 * np.pi * height / kind.size
    waves = [
        (0.5, turns * 0.55 * away + 0.004 * (x - WIDTH / 2) * away + rough, 2.1),
        (0.3, turns * 0.35 * away + 0.011 * (x - 90) * away + 1.4 * rough, 2.9),
        (0.2, turns * 1.3 * away - 0.017 * (x - 250) * away - 0.8 * rough, 3.7),
    ]
    parts = [(weight * np.sin(phase), weight * np.cos(phase), rate) for weight, phase, rate in waves]
    levels = np.linspace(0, 255, len(kind.colours))
    stops = np.array([rgb(code) for code in kind.colours])
    table = rounded(np.stack([np.interp(np.arange(256), levels, stops[:, c]) for c in range(3)], -1))[None]
    calm = np.clip(0.35 + near, 0, 1)
    light = None if over is None else over[kind.top : kind.bottom]

    def at(picture: Picture, time: float) -> Picture:
        swell = np.zeros((height, WIDTH), np.float32)
        for rise, run, rate in parts:
            angle = rate * kind.speed * time
            swell += rise * np.float32(np.cos(angle)) + run * np.float32(np.sin(angle))
        level = np.clip(127.5 + 127.5 * swell * calm, 0, 255).astype(np.uint8)
        sea = cv2.LUT(cv2.merge([level] * 3), table)
        if light is not None:
            crest = np.clip(swell * 2.2 - 0.5, 0, 1)
            sea = cv2.add(sea, (light * crest[..., None]).astype(np.uint8))
        picture[kind.top : kind.bottom] = sea
        return picture

    return at


def fire(seed: int, spot: tuple[int, int], size: tuple[int, int]) -> Layer:
    """A flame.

    Args:
        seed: Which flame.
        spot: (x, y) of its foot's middle in pixels.
        size: (width, height) in pixels.
    """
    width, height = size
    x, y = grid(height, width)
    licks = noise(seed, (width, 4 * height), (max(4, width // 3), max(6, height // 4)), octaves=3).T
    up = 1 - (y + 0.5) / height
    across = np.abs(x + 0.5 - width / 2) / (width / 2)
    shape = 1.5 - across / (1.02 - up).clip(0.02) ** 0.6 - 0.75 * up
    heats = ((0, 190, 255, 255), (0, 50, 150, 240), (0, 5, 20, 170))
    table = rounded(np.stack([np.interp(np.arange(256), [0, 60, 150, 255], heat) for heat in heats], -1))[None]
    left, top = spot[0] - width // 2, spot[1] - height
    area = slice(top, top + height), slice(left, left + width)

    def at(picture: Picture, time: float) -> Picture:
        start = int(time * 2.6 * height) % (3 * height)
        rolled = np.take(licks, np.arange(start, start + height) % (4 * height), axis=0)
        heat = np.clip((shape + 1.5 * (rolled - 0.55)) * 200, 0, 255).astype(np.uint8)
        picture[area] = cv2.add(picture[area], cv2.LUT(cv2.merge([heat] * 3), table))
        return picture

    return at
