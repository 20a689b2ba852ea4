"""The sky of a landscape, with clouds that drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparkle_bench.synthetic.layers import drift
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Layer, Plane
from sparkle_bench.synthetic.texture import between, cut_out, grid, noise, rgb, slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """The sky of a landscape.

    Attributes:
        colours: From the top of the picture to the horizon.
        clouds: Their light and their dark colour.
        cover: Share of the sky under clouds, 0 to 1.
        speed: Pixels a second that they drift.
        height: The row at which the sky ends.
    """

    colours: tuple[str, ...]
    clouds: tuple[str, str]
    cover: float
    speed: float
    height: int = 120

    def still(self) -> Plane:
        """Return the canvas (H×W×3) of the bare sky."""
        places = np.linspace(0, self.height / HEIGHT, len(self.colours))
        return slope(*zip(places.tolist(), self.colours, strict=True))

    def drifting(self, seed: int) -> Layer:
        """Return its clouds."""
        shape = (self.height, 2 * WIDTH)
        puffs = noise(seed, shape, (45, 110), octaves=5)
        edge = float(np.quantile(puffs, 1 - self.cover))
        mask = between(edge - 0.06, edge + 0.14, puffs)
        lit = noise(seed, (self.height + 10, 2 * WIDTH), (45, 110), octaves=5)[:-10]
        shade = between(-0.12, 0.12, puffs - lit)[..., None]
        colour = rgb(self.clouds[0]) * (1 - shade) + rgb(self.clouds[1]) * shade
        fade = np.clip((self.height - grid(*shape)[1]) / 30, 0, 1)
        return drift(cut_out(colour, mask * fade * 0.95), speed=self.speed)
