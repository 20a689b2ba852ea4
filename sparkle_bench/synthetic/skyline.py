"""Cities across the water, with windows that twinkle and boats that pass."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sparkle_bench.synthetic.elements import Water, water
from sparkle_bench.synthetic.layers import flicker, glow, moved, stand
from sparkle_bench.synthetic.sky import Sky
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Moving, Picture, Plane, stack
from sparkle_bench.synthetic.texture import box, cut_out, drawn, paint, rgb, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Skyline:
    """A city across the water.

    Attributes:
        sky: The sky above.
        towers: Colours of the towers, far and near.
        lamps: Colours of lit windows.
        lit: Share of windows that are lit.
        sea: Colours of the water from troughs to crests.
        shine: Colour of the lights on the water.
        boats: How many boats pass.
    """

    sky: Sky
    towers: tuple[str, str]
    lamps: tuple[str, ...]
    lit: float
    sea: tuple[str, ...]
    shine: str
    boats: int = 2


def skyline(seed: int, kind: Skyline) -> Moving:
    """Towers whose windows twinkle over shimmering water with passing boats."""
    shore = 152
    towers, mask, windows = _towers(seed, kind, shore)
    rng = np.random.default_rng(seed + 1)
    layers = [kind.sky.drifting(seed), stand(cut_out(towers, mask))]
    for group in range(4):
        own = (
            windows
            * (rng.integers(0, 4, (HEIGHT // 4 + 1, WIDTH // 4 + 1)) == group)
            .repeat(4, 0)
            .repeat(4, 1)[:HEIGHT, :WIDTH]
        )
        colour = kind.lamps[group % len(kind.lamps)]
        layers.append(glow(colour, own.astype(np.float32), flicker(seed + group, low=0.55, high=1.0, rate=3.0)))
    columns = cv2.GaussianBlur(windows.sum(0, keepdims=True), (0, 0), sigmaX=2.5, sigmaY=0.1)
    over = (
        rgb(kind.shine)
        * (np.clip(0.05 + columns / max(float(columns.max()), 1), 0, 1) * np.ones((HEIGHT, 1)))[..., None]
    )
    sea = Water(top=shore, bottom=HEIGHT, colours=kind.sea, speed=0.8, size=20, chop=0.9)
    layers.append(water(seed, sea, over=over.astype(np.float32)))
    layers += [_boat(seed + n, n, kind.lamps[0]) for n in range(kind.boats)]
    return stack(rounded(kind.sky.still()), *layers)


def _towers(seed: int, kind: Skyline, shore: int) -> tuple[Plane, Plane, Plane]:
    """Return the towers' colours (H×W×3), their mask and the mask of their lit windows (H×W)."""
    rng = np.random.default_rng(seed)
    colours, mask = np.zeros((HEIGHT, WIDTH, 3), np.float32), np.zeros((HEIGHT, WIDTH), np.float32)
    windows: Plane = np.zeros_like(mask)
    for row, tallest in enumerate((104, 66)):
        left = -6.0
        while left < WIDTH:
            wide, tall = rng.uniform(16, 34), tallest * rng.uniform(0.45, 1.0)
            own = box(left, shore - tall, left + wide, shore)
            if rng.random() < 0.3:
                own = np.maximum(own, box(left + wide / 2 - 0.8, shore - tall - 16, left + wide / 2 + 0.8, shore))
            paint(colours, own, rgb(kind.towers[row]) * rng.uniform(0.8, 1.15))
            mask, windows = np.maximum(mask, own), windows * (1 - own)
            x, y = np.meshgrid(np.arange(left + 3, left + wide - 3, 4), np.arange(shore - tall + 4, shore - 4, 6))
            for spot in np.stack([x, y], -1).reshape(-1, 2)[rng.random(x.size) < kind.lit].astype(int):
                windows[spot[1] : spot[1] + 3, max(0, spot[0]) : max(0, spot[0] + 2)] = 1
            left += wide + rng.uniform(-2, 5)
    return colours, mask, windows


def _boat(seed: int, number: int, lamp: str) -> Layer:
    def hull(large: Picture) -> None:
        cv2.fillPoly(large, [np.array([[2, 20], [58, 20], [50, 28], [8, 28]], np.int32) * 4], 255)
        cv2.rectangle(large, (16 * 4, 11 * 4), (38 * 4, 20 * 4), 255, -1)
        cv2.line(large, (44 * 4, 20 * 4), (44 * 4, 2 * 4), 255, 5)

    mask = drawn(hull, height=30, width=60)
    tile = cut_out(np.broadcast_to(rgb("1a1d28"), (30, 60, 3)).copy(), mask)
    for x in (19, 25, 31):
        tile[13:17, x : x + 4] = (*(int(level) for level in rgb(lamp)), 255)
    speed, start = (26.0, -19.0)[number % 2], (40.0, 300.0)[number % 2]
    return moved(
        tile,
        lambda time: ((start + speed * time) % (WIDTH + 70) - 62, 140 + 14 * number + 1.2 * np.sin(2 * time + seed)),
    )
