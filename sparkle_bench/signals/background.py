"""Signals of the background: how it moves, and how good it is as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench.signals import motion
from sparkle_bench.signals.facts import Background
from sparkle_bench.signals.footage import fitted
from sparkle_bench.signals.structure import TEXTURE_NEAR, gradient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkle_bench.signals.footage import Footage
    from sparkle_bench.signals.scene import Scene

SMALLEST = 0.05
"""Share of the picture below which a background is too small to be measured."""
STANDS = 1.0
"""Standard deviation over time, in grey levels, up to which a place stands still; a codec's noise stays below it."""
DARK = 40.0
"""Mean luma (black is 16) below which motion drowns in a codec's noise, and nobody can tell what stands still."""
MOST_CAMERA = 0.004
"""Camera motion, in picture widths per frame, above which nobody can tell what stands still."""
LEAST_TEXTURED = 0.03
"""Share of the picture that must hold textured background to say how much of it stands still."""
OCTAVE_AREA = 640 * 360
"""Sharpness is measured on pictures of at most so many pixels."""

NONE = Background(
    energy=None,
    source_energy=None,
    steadiness=None,
    flow=None,
    camera=None,
    frozen=None,
    loop=None,
    ping_pong=False,
    flicker=None,
    sharpness=None,
    source_sharpness=None,
    blockiness=None,
)


def measure(scene: Scene, unknown: dict[str, str]) -> Background:
    """Measure the background; what cannot be known goes into `unknown`."""
    if scene.regions.background_share < SMALLEST:
        unknown["background"] = "next to nothing of the picture was replaced"
        return NONE
    always = _always(scene.regions.background)
    energies = _energies(scene.edited.luma, scene.regions.background)
    parted = [motion.part(f, b) for f, b in zip(scene.edited_flow, scene.regions.background, strict=False)]
    known = [p for p in parted if p is not None]
    camera = float(np.mean([p.camera for p in known])) if known else None
    again = motion.returns(_values(scene.edited, always))
    mean = float(energies.mean()) if len(energies) else None
    return Background(
        energy=mean,
        source_energy=_mean(_energies(scene.source.luma, scene.regions.background)),
        steadiness=None if not mean else float(np.clip(1 - energies.std() / mean, 0, 1)),
        flow=float(np.mean([p.own for p in known])) * scene.source.scale if known else None,
        camera=None if camera is None else camera * scene.source.scale,
        frozen=_frozen(scene, always, camera, unknown),
        loop=again.loop,
        ping_pong=again.ping_pong,
        flicker=_flicker(scene.edited.luma, always),
        sharpness=_sharpness(scene.edited, scene.regions.background),
        source_sharpness=_sharpness(scene.source, None),
        blockiness=_blockiness(scene.raw),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _always(background: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the places (h×w) that are background nearly all the time."""
    always: NDArray[np.bool_] = background.mean(axis=0) > 0.9
    return always


def _energies(luma: NDArray[np.uint8], background: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean absolute difference from each frame to the next within the background."""
    means = []
    for index in range(min(len(luma), len(background)) - 1):
        places = background[index] & background[index + 1]
        if places.any():
            now, later = luma[index][places].astype(np.int16), luma[index + 1][places].astype(np.int16)
            means.append(float(np.abs(later - now).mean()))
    return np.array(means)


def _values(clip: Footage, places: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the luma (T×n) at every fourth pixel of a place, smoothed."""
    import cv2

    chosen = places[::4, ::4]
    smooth = [cv2.blur(luma, (4, 4))[::4, ::4][chosen] for luma in clip.luma]
    return np.array(smooth, np.float32)


def _frozen(scene: Scene, always: NDArray[np.bool_], camera: float | None, unknown: dict[str, str]) -> float | None:
    """Return the share of the textured background that stands still."""
    import cv2

    if camera is not None and camera > MOST_CAMERA * scene.source.size[1]:
        unknown["background.frozen"] = "the camera moves"
        return None
    frames = scene.edited.luma
    if len(frames) < 3:
        unknown["background.frozen"] = "there are too few frames"
        return None
    if always.any() and float(frames[:, always].mean()) < DARK:
        unknown["background.frozen"] = "the background is too dark"
        return None
    smooth = np.stack([cv2.blur(luma, (3, 3)) for luma in frames]).astype(np.float32)
    x, y = gradient(np.asarray(smooth.mean(axis=0), np.uint8))
    textured = always & (np.asarray(cv2.blur(np.sqrt(x * x + y * y), (5, 5))) > TEXTURE_NEAR)
    if float(textured.mean()) < LEAST_TEXTURED:
        unknown["background.frozen"] = "the background has too little texture"
        return None
    return float((smooth[:, textured].std(axis=0) < STANDS).mean())


def _flicker(luma: NDArray[np.uint8], always: NDArray[np.bool_]) -> float | None:
    if len(luma) < 3 or not always.any():
        return None
    means = luma[:, always].mean(axis=1)
    return float(np.sqrt((np.diff(means, 2) ** 2).mean()))


def _sharpness(clip: Footage, region: NDArray[np.bool_] | None) -> float | None:
    """Return the contrast of fine details (Gaussian scale 1 to 2 px) against coarse ones (4 to 8 px), over a few frames.

    Natural pictures carry about as much contrast in each octave (Field 1987), so the ratio needs no reference.
    """
    import cv2

    fine = coarse = 0.0
    for index, luma in clip.fine.items():
        size = fitted(luma.shape, OCTAVE_AREA)
        picture: Any = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        soft = [cv2.GaussianBlur(picture, (0, 0), scale) for scale in (1, 2, 4, 8)]
        here = np.ones(picture.shape, np.bool_)
        if region is not None:
            mask: Any = region[index].astype(np.uint8)
            here = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST).astype(np.bool_)
        fine += float(((soft[0] - soft[1])[here] ** 2).sum())
        coarse += float(((soft[2] - soft[3])[here] ** 2).sum())
    return float(np.sqrt(fine / coarse)) if coarse > 1.0 else None


def _blockiness(clip: Footage) -> float | None:
    """Return how much larger steps across 8×8 borders are than others (after Wang, Sheikh and Bovik 2002)."""
    at_borders = elsewhere = 0.0
    for luma in clip.fine.values():
        for picture in (luma, luma.T):
            steps = np.abs(np.diff(picture.astype(np.int16), axis=1)).mean(axis=0)
            border = np.arange(1, len(steps) + 1) % 8 == 0
            if border.any():
                at_borders += float(steps[border].mean())
                elsewhere += float(steps[~border].mean())
    return max(0.0, at_borders / elsewhere - 1) if elsewhere > 0 else None
