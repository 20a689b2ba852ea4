"""Valleys with mist or a lake, and a canyon in which nothing moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparkle_bench.synthetic.elements import Water, water
from sparkle_bench.synthetic.layers import drift, stand
from sparkle_bench.synthetic.sky import Sky
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Moving, Picture, stack
from sparkle_bench.synthetic.texture import between, cut_out, disc, grid, halo, noise, paint, rgb, ridge, rounded, slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Valley:
    """Ridges behind ridges, with mist or a lake between them.

    Attributes:
        sky: The sky above.
        ridges: Colours from the farthest ridge to the nearest.
        mist: Colour of the drifting mist.
        thick: How thick it is, 0 to 1.
        sun: Where the sun's glow is (x, y), or None.
        lake: Colours of a lake at the bottom from troughs to crests, or nothing.
    """

    sky: Sky
    ridges: tuple[str, ...]
    mist: str
    thick: float
    sun: tuple[int, int] | None = None
    lake: tuple[str, ...] = ()


def valley(seed: int, kind: Valley) -> Moving:
    """Wooded ridges with mist that rolls between them."""
    still = kind.sky.still()
    if kind.sun is not None:
        paint(still, 0.85 * halo(*kind.sun, 80, 60), rgb("fff0c0"))
        paint(still, disc(*kind.sun, 13), rgb("fffbe6"))
    layers: list[Layer] = [kind.sky.drifting(seed)]
    last = len(kind.ridges) - 1
    for number, colour in enumerate(kind.ridges):
        layers.append(stand(_ridge_of_trees(seed + 3 * number, 62 + 92 * number / max(1, last), colour)))
        if number < last or not kind.lake:
            wisp = noise(seed + 50 + number, (70, 2 * WIDTH), (22, 130), octaves=4)
            fade = np.sin(np.pi * np.linspace(0, 1, 70, dtype=np.float32))[:, None]
            tile = cut_out(rgb(kind.mist), between(0.35, 0.8, wisp) * fade * kind.thick)
            layers.append(drift(tile, speed=10 + 9 * number, top=72 + round(92 * number / max(1, last))))
    if kind.lake:
        layers.append(water(seed, Water(top=156, bottom=HEIGHT, colours=kind.lake, speed=0.7, size=26, chop=0.8)))
    return stack(rounded(still), *layers)


def _ridge_of_trees(seed: int, top: float, colour: str) -> Picture:
    """Return a tile with a ridge whose skyline is ragged with firs."""
    line = top + 36 * (noise(seed, (2, WIDTH), (2, 150), octaves=3)[0] - 0.5)
    spikes = np.abs((np.arange(WIDTH) * (0.16 + 0.01 * (seed % 5)) + 3 * noise(seed, (2, WIDTH), (2, 20))[0]) % 2 - 1)
    rows = grid()[1]
    mask = np.clip(rows - (line - 7 * spikes * noise(seed + 1, (2, WIDTH), (2, 9))[0] * 2)[None] + 0.5, 0, 1)
    wooded = noise(seed + 2, (HEIGHT, WIDTH), (9, 6), octaves=3)[..., None]
    return cut_out(rgb(colour) * (0.8 + 0.4 * wooded), mask)


def canyon(seed: int) -> Moving:
    """Red cliffs under a hard noon sun. Nothing moves."""
    still = slope((0, "4f9bd9"), (0.5, "b9ddf2"))
    y = grid()[1]
    for number, (top, rise, colour) in enumerate(((84, 26, "c98d6a"), (104, 34, "bf6a42"), (138, 20, "d98a55"))):
        mask = ridge(seed + number, top, rise, rough=(70, 120, 200)[number])
        bent = y + 16 * noise(seed + 9 + number, (HEIGHT, WIDTH), (60, 120), octaves=3)
        strata = noise(seed + 29 + number, (2, 400), (2, 11), octaves=3)[0][bent.astype(np.int64)]
        shade = noise(seed + 19 + number, (HEIGHT, WIDTH), (44, 56), octaves=3)
        paint(still, mask, rgb(colour) * (0.62 + 0.4 * strata + 0.5 * (shade - 0.4))[..., None])
    floor = ridge(seed + 7, 168, 4)
    paint(still, floor, rgb("e3b07a") * (0.84 + 0.3 * noise(seed + 8, (HEIGHT, WIDTH), (5, 16), octaves=3))[..., None])
    return stack(rounded(still))
