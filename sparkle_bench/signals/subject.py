"""Signals of the subject: is it the source's, whole, and does it move as there?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench.signals import region
from sparkle_bench.signals.facts import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkle_bench.signals.scene import Scene

SMALLEST = 0.01
"""Share of the picture below which a kept region is no subject."""
SAME = 0.75
"""Agreement from which a place surely holds the source's structure."""
GAP = 4
"""Radius in analysed pixels: what is narrower between gaps does not count as solid."""

NONE = Subject(
    found=False,
    structure=None,
    solid=None,
    unsteady=None,
    contour=None,
    flow=None,
    flow_error=None,
    drift=None,
    colour_drift=None,
)


def measure(scene: Scene) -> Subject:
    """Measure the subject; without a kept region nothing but that is known."""
    regions = scene.regions
    if regions.subject_share < SMALLEST or not regions.core.any():
        return NONE
    by_frame = _structure_by_frame(scene)
    quarter = max(1, len(by_frame) // 4)
    flow, error = _flows(scene)
    return Subject(
        found=True,
        structure=_mean(by_frame),
        solid=_solid(scene),
        unsteady=_unsteady(scene),
        contour=_contour(scene),
        flow=flow,
        flow_error=error,
        drift=_drift(by_frame, quarter),
        colour_drift=_colour_drift(scene),
    )


def _structure_by_frame(scene: Scene) -> NDArray[np.float64]:
    """Return the mean agreement within the subject at every frame; NaN where there is none."""
    means = [
        float(r[core & decided].mean(dtype=np.float64)) if (core & decided).any() else np.nan
        for r, core, decided in zip(scene.agreement.r, scene.regions.core, scene.agreement.decided, strict=True)
    ]
    return np.array(means)


def _drift(by_frame: NDArray[np.float64], quarter: int) -> float | None:
    first, last = _mean(by_frame[:quarter]), _mean(by_frame[-quarter:])
    return None if first is None or last is None else first - last


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _solid(scene: Scene) -> float | None:
    """Return how much of the subject's body holds the source's structure without gaps, over every fourth frame."""
    shares = []
    for index in range(0, len(scene.agreement.r), 4):
        body = scene.regions.body[index]
        if body.any():
            same = (scene.agreement.r[index] > SAME) & scene.agreement.decided[index] & body
            shares.append(float(region.grown(region.shrunk(same, GAP), GAP).sum() / body.sum()))
    return min(1.0, float(np.mean(shares))) if shares else None


def _unsteady(scene: Scene) -> float | None:
    places = (scene.regions.body & scene.agreement.textured)[1:]
    if not places.any():
        return None
    r = scene.agreement.r
    return float(np.abs(r[1:][places] - r[:-1][places]).mean(dtype=np.float64))


def _contour(scene: Scene) -> float | None:
    """Carry each frame's region along with the source's motion and compare it with the next frame's region."""
    import cv2

    flows, pairing = scene.source_flow, scene.pairing
    regions = scene.regions.subject[:, ::2, ::2]  # the flow is known at every other pixel
    x, y = (axis.astype(np.float32) for axis in np.meshgrid(*(np.arange(side) for side in flows.shape[2:0:-1])))
    overlaps = []
    for index in range(1, len(regions)):
        before, now = int(pairing[index - 1]), int(pairing[index])
        if now - before not in (0, 1) or not regions[index].any():
            continue
        # Where a place was one frame ago: the flow towards it, read at the place itself, which is near enough.
        step = flows[before] / 2 if now > before else np.zeros(flows.shape[1:], np.float32)
        old = regions[index - 1].astype(np.uint8)
        carried: Any = cv2.remap(old, x - step[..., 0], y - step[..., 1], cv2.INTER_NEAREST)
        both, either = regions[index] & (carried > 0), regions[index] | (carried > 0)
        overlaps.append(float(both.sum() / either.sum()))
    return float(np.mean(overlaps)) if overlaps else None


def _flows(scene: Scene) -> tuple[float | None, float | None]:
    """Return the subject's mean flow in the source and the edit's mean distance from it, in full-size pixels per frame.

    Frames are compared index by index: an edit may not move the subject at another time.
    """
    if scene.alignment.state == "time-aligned":  # frames of another rate move by other steps
        return None, None
    count = min(len(scene.source_flow), len(scene.edited_flow))
    core = scene.regions.core[:count, ::2, ::2]
    if not core.any():
        return None, None
    ours, theirs = scene.source_flow[:count][core], scene.edited_flow[:count][core]
    length = float(np.linalg.norm(ours, axis=1).mean()) * scene.source.scale
    error = float(np.linalg.norm(theirs - ours, axis=1).mean()) * scene.source.scale
    return length, error


def _colour_drift(scene: Scene) -> float | None:
    """Return how far the subject's mean colour difference between edit and source wanders over time."""
    rows = []
    for index, partner in enumerate(scene.pairing):
        core = scene.regions.core[index]
        small = core[::2, ::2]
        if core.sum() < 100 or not small.any():
            continue
        pairs = (
            (scene.edited.luma[index][core], scene.source.luma[partner][core]),
            (scene.edited.blue[index][small], scene.source.blue[partner][small]),
            (scene.edited.red[index][small], scene.source.red[partner][small]),
        )
        rows.append([float(after.mean(dtype=np.float64) - before.mean(dtype=np.float64)) for after, before in pairs])
    if len(rows) < 4:
        return None
    return float(np.sqrt((np.std(rows, axis=0) ** 2).sum()))
