"""A landscape of cut paper, with windmills that turn and birds that fly."""

from __future__ import annotations

import cv2
import numpy as np

from sparkle_bench.synthetic.layers import drift, stand
from sparkle_bench.synthetic.stage import WIDTH, Layer, Moving, Picture, Plane, stack
from sparkle_bench.synthetic.texture import cut_out, disc, grid, noise, paint, polygon, rgb, ridge, rounded, slope


def picture_book(seed: int) -> Moving:
    """Hills of cut paper under paper clouds, with a windmill whose sails turn and birds that fly."""
    still = slope((0, "ffe2b8"), (0.6, "ffc9a0"))
    for across, colour in ((74, "ffd98a"), (54, "ffcb62"), (36, "ffb638")):
        paint(still, disc(292, 66, across), rgb(colour))
    layers: list[Layer] = []
    for number, (top, colour) in enumerate(((34, "fff6ea"), (70, "ffe9dc"))):
        puffs = noise(seed + number, (2, 2 * WIDTH), (2, 40), octaves=2)[0]
        tile = _paper(np.clip(16 + 30 * (puffs - 0.55) - np.abs(grid(60, 2 * WIDTH)[1] - 30 - 6), 0, 1), colour)
        layers.append(drift(tile, speed=16 + 12 * number, top=top - 20))
    for number, colour in enumerate(("f2a48c", "e08a7a", "7fb09a", "4f8f86")):
        layers.append(stand(_paper(ridge(seed + 9 + number, 108 + 26 * number, 16, rough=170), colour)))
        if number == 1:
            layers += [_mill(96, 92), _mill(328, 108)]
    return stack(rounded(still), *layers, *[_bird(n) for n in range(4)])


def _paper(mask: Plane, colour: str) -> Picture:
    """Return a tile of cut paper that throws a soft shadow upwards."""
    shadow = cv2.GaussianBlur(np.roll(mask, -3, axis=0), (0, 0), 2.5) * 0.28
    fibre = 0.95 + 0.1 * noise(7, mask.shape, (3, 5), octaves=2)
    both = np.maximum(mask, shadow)
    return cut_out(rgb(colour) * (fibre * mask / both.clip(1e-3))[..., None], both)


def _mill(x: int, y: int) -> Layer:
    tower = polygon([(x - 7, y - 8), (x + 7, y - 8), (x + 12, y + 46), (x - 12, y + 46)])
    body = stand(_paper(np.maximum(tower, polygon([(x - 10, y - 7), (x, y - 20), (x + 10, y - 7)])), "b4584c"))
    blade = np.array([(0, -2), (8, -7), (40, -7), (40, 2), (0, 2)])

    def at(picture: Picture, time: float) -> Picture:
        body(picture, time)
        for quarter in range(4):
            turn = 1.6 * time + quarter * np.pi / 2 + x
            spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
            corners = np.rint((blade @ spin + (x, y - 6)) * 16).astype(np.int32)
            cv2.fillPoly(picture, [corners], (255, 244, 226), cv2.LINE_AA, 4)
        cv2.circle(picture, (x, y - 6), 3, (90, 50, 46), -1, cv2.LINE_AA)
        return picture

    return at


def _bird(number: int) -> Layer:
    def at(picture: Picture, time: float) -> Picture:
        x = (60 + 93 * number + 34 * time) % (WIDTH + 40) - 20
        y = 30 + 17 * ((number * 7) % 4) + 3 * np.sin(time + number)
        flap = 5 * np.sin(9 * time + number)
        wing = np.rint(np.array([(x - 9, y - flap), (x - 3, y - 2), (x, y), (x + 3, y - 2), (x + 9, y - flap)]) * 16)
        cv2.polylines(picture, [wing.astype(np.int32)], False, (110, 66, 70), 2, cv2.LINE_AA, 4)
        return picture

    return at
