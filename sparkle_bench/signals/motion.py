"""Optical flow of a clip (DIS, Kroeger et al. 2016), the part of it that is the camera's, and pictures that come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = 2
"""The camera's motion is fitted on every so-many-th place of the flow."""
SMALLEST = 48
"""Pixels of a side that the flow needs; a smaller picture is padded."""
SHORTEST_LOOP = 4
"""Frames."""
STILL = 0.3
"""Root mean square difference of smoothed luma between neighbours up to which a clip stands still, in grey levels."""


def flow(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the flow from each frame to the next at every other pixel ((T−1)×h/2×w/2×2, analysed pixels per frame)."""
    import cv2

    finder: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    height, width = luma.shape[1:]
    short = [(0, 0), (0, max(0, SMALLEST - height)), (0, max(0, SMALLEST - width))]
    padded = np.pad(luma, short, mode="edge") if max(short) > (0, 0) else luma
    fields = np.zeros((max(0, len(luma) - 1), height // 2, width // 2, 2), np.float32)
    for index in range(len(fields)):
        found = finder.calc(padded[index], padded[index + 1], None)
        fields[index] = found[: height // 2 * 2 : 2, : width // 2 * 2 : 2]
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """A flow field in two parts, both mean lengths in analysed pixels per frame.

    Attributes:
        own: What moves by itself.
        camera: What the camera's motion explains.
    """

    own: float
    camera: float


def part(field: NDArray[np.float32], region: NDArray[np.bool_]) -> Parted | None:
    """Part a flow field (h/2×w/2×2) within a region (h×w) into the camera's motion and the rest; None if it is too small.

    The camera's part is the affine motion that fits best, fitted twice, the second time to the half that fits better, so
    that what moves by itself has little say.
    """
    y, x = np.nonzero(region[:: 2 * GRID, :: 2 * GRID])
    if len(y) < 30:
        return None
    values = field[::GRID, ::GRID][y, x]
    places = np.stack([np.ones(len(y)), x - x.mean(), y - y.mean()], axis=1).astype(np.float32)
    chosen = np.ones(len(y), np.bool_)
    fit = np.zeros((3, 2), np.float32)
    for _ in range(2):
        fit = np.linalg.lstsq(places[chosen], values[chosen], rcond=None)[0]
        misfit = np.linalg.norm(values - places @ fit, axis=1)
        chosen = misfit <= np.median(misfit)
    camera = places @ fit
    own = np.linalg.norm(values - camera, axis=1)
    return Parted(own=float(own.mean()), camera=float(np.linalg.norm(camera, axis=1).mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Whether pictures come back.

    Attributes:
        loop: After how many frames, or None.
        ping_pong: Whether they come back in the opposite order.
    """

    loop: int | None = None
    ping_pong: bool = False


def returns(values: NDArray[np.float32]) -> Return:
    """Find out whether a clip repeats or runs to and fro.

    It does if frames far apart are as alike as neighbours, although the clip moved away from them in between.

    Args:
        values: T×n, the luma of the places to look at, a few hundred or thousand of them.
    """
    count = len(values)
    if count < 3 * SHORTEST_LOOP or values.shape[1] < 50:
        return Return()
    distance = _distances(values)
    step = float(np.diagonal(distance, 1).mean())
    away = float(distance.max(axis=1).mean())
    if step < STILL or away < 1.5 * step:  # still but for a jump, or it never leaves
        return Return()
    near = 1.3 * step
    longest = count - max(SHORTEST_LOOP, count // 4)
    by_lag = [float(np.diagonal(distance, lag).mean()) for lag in range(longest + 1)]
    for lag in range(SHORTEST_LOOP, longest):
        back = by_lag[lag] < min(near, 0.5 * by_lag[lag // 2])
        if back and by_lag[lag] <= by_lag[lag + 1]:
            return Return(loop=lag)
    return Return(ping_pong=_turns(distance, near))


def _turns(distance: NDArray[np.float32], near: float) -> bool:
    """Whether the clip runs backwards from some frame on: the frames on both sides of it are alike in pairs."""
    count = len(distance)
    for turn in range(count // 4, 3 * count // 4):
        reach = min(turn, count - 1 - turn)
        arms = np.arange(1, reach + 1)
        left = distance[turn, turn - arms]
        # It may turn on a frame or between two.
        mirrored = min(
            distance[turn - arms, turn + arms], distance[turn - arms, turn + arms - 1], key=lambda d: d.mean()
        )
        if reach >= 2 * SHORTEST_LOOP and mirrored.mean() < 0.5 * near and left.max() > 2.5 * near:
            return True
    return False


def _distances(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the root mean square difference between every two frames (T×T)."""
    squares = (values**2).mean(axis=1)
    products = values @ values.T / values.shape[1]
    distance: NDArray[np.float32] = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0))
    return distance
