"""Signals of the light: do subject and background share it?

YCbCr is read as BT.709, limited range. Luminance and colour temperature are taken from linear light (IEC 61966-2-1, CIE
1931 XYZ), lightness is CIE 1976 L*, the correlated colour temperature is McCamy's (1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.signals.facts import Harmony

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkle_bench.signals.footage import Footage
    from sparkle_bench.signals.scene import Scene

LOOKS = 9
"""So many frames are looked at."""
LEAST = 60
"""Pixels of a region below which its light is unknown."""
DARKEST = 0.01
"""Luminance (0 to 1) below which a colour temperature is not believed."""
TEMPERATURES = (1667.0, 25000.0)
"""Kelvin; McCamy's formula holds between these."""
FARTHEST = 0.05
"""Distance from the black body's colours, in CIE 1960 uv, beyond which a colour has no temperature (CIE 15:2004)."""
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """The light on a region: mean L*, its standard deviation, and the colour temperature in mired or None."""

    lightness: float
    contrast: float
    mired: float | None


def measure(scene: Scene, unknown: dict[str, str]) -> Harmony:
    """Measure the light on subject and background, before and after."""
    core, background = scene.regions.core, scene.regions.background
    looks = np.unique(np.linspace(0, len(core) - 1, LOOKS).round().astype(int))
    theirs = [int(index) for index in scene.pairing[looks]]
    ours = list(map(int, looks))
    before = (_light(scene.source, theirs, core[looks]), _light(scene.source, theirs, background[looks]))
    after = (_light(scene.edited, ours, core[looks]), _light(scene.edited, ours, background[looks]))
    if None in (*before, *after):
        unknown["harmony"] = "no subject or no background was found"
    return Harmony(
        luminance_before=_less(*before, "lightness"),
        luminance_after=_less(*after, "lightness"),
        temperature_before=_less(*before, "mired"),
        temperature_after=_less(*after, "mired"),
        contrast_before=_less(*before, "contrast"),
        contrast_after=_less(*after, "contrast"),
        subject_luminance=_less(after[0], before[0], "lightness"),
        background_luminance=_less(after[1], before[1], "lightness"),
    )


def _less(one: Light | None, other: Light | None, name: str) -> float | None:
    if one is None or other is None:
        return None
    first, second = getattr(one, name), getattr(other, name)
    return None if first is None or second is None else float(first - second)


def _light(clip: Footage, frames: list[int], regions: NDArray[np.bool_]) -> Light | None:
    pixels = [_xyz(clip, index, region) for index, region in zip(frames, regions, strict=True)]
    values = np.concatenate(pixels)
    if len(values) < LEAST:
        return None
    luminance = values[:, 1]
    lightness = np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)
    return Light(lightness=float(lightness.mean()), contrast=float(lightness.std()), mired=_mired(values.mean(axis=0)))


def _xyz(clip: Footage, index: int, region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the region's colours (n×3, CIE XYZ, 0 to about 1) at the resolution of the chroma."""
    small = region[::2, ::2]
    luma = clip.luma[index].reshape(small.shape[0], 2, small.shape[1], 2).mean(axis=(1, 3))[small]
    y = (luma - 16) / 219
    blue, red = ((plane[index][small] - 128.0) / 224 for plane in (clip.blue, clip.red))
    rgb = np.stack([y + 1.5748 * red, y - 0.1873 * blue - 0.4681 * red, y + 1.8556 * blue], axis=1).clip(0, 1)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz: NDArray[np.float64] = linear @ XYZ.T
    return xyz


def _mired(xyz: NDArray[np.float64]) -> float | None:
    """Return the correlated colour temperature, or None for the dark and for colours that no black body has."""
    if float(xyz[1]) < DARKEST:
        return None
    x, y = float(xyz[0] / xyz.sum()), float(xyz[1] / xyz.sum())
    n = (x - 0.3320) / (0.1858 - y)
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33
    if not TEMPERATURES[0] <= kelvin <= TEMPERATURES[1]:
        return None
    return 1e6 / kelvin if math.dist(_uv(x, y), _uv(*_black_body(kelvin))) <= FARTHEST else None


def _uv(x: float, y: float) -> tuple[float, float]:
    """Return CIE 1960 chromaticity."""
    return 4 * x / (12 * y - 2 * x + 3), 6 * y / (12 * y - 2 * x + 3)


def _black_body(kelvin: float) -> tuple[float, float]:
    """Return the xy chromaticity of a black body from 1667 to 25000 K (cubic splines of Kim et al. 2002)."""
    t = 1e3 / kelvin
    if kelvin <= 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin <= 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin <= 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return x, y
