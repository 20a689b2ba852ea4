"""Local structure and how far two pictures share it, whatever their light and colour.

The structure of a place is its luma gradient over a window. Two pictures agree there as far as their gradients correlate:

    r = Σ g₁·g₂ / (√(Σ|g₁|² Σ|g₂|²) + ε)

which is 1 for the same structure under any local brightness and contrast, near 0 for unrelated pictures and −1 for a
negative. It is the gradient form of the normalised cross-correlation used for registration (Scharr and Weickert 2000 for
the derivative; Lewis 1995 for the normalisation). Sums run over a small window, and over a larger one where the small
one holds no texture, and over three frames, which halves the noise of a codec.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]

NEAR, FAR = 9, 25
"""Sides of the two windows, in analysed pixels."""
TEXTURE_NEAR, TEXTURE_FAR = 1.2, 0.7
"""Root mean square gradient, in grey levels per pixel, from which a window holds texture and not only a codec's noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two clips share their structure.

    Attributes:
        r: T×h×w, float16, −1 to 1.
        decided: T×h×w, bool: whether at least one of the two holds texture there.
        textured: T×h×w, bool: whether the first one (the source) does.
    """

    r: NDArray[np.float16]
    decided: NDArray[np.bool_]
    textured: NDArray[np.bool_]


def gradient(luma: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return the derivatives of a picture along x and y (h×w, float32, grey levels per pixel), by Scharr's filter."""
    import cv2

    across: Any = cv2.Scharr(luma, cv2.CV_32F, 1, 0, scale=1 / 32)
    down: Any = cv2.Scharr(luma, cv2.CV_32F, 0, 1, scale=1 / 32)
    return across, down


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Two clips on one grid, and which frames of them to compare.

    Attributes:
        first: T₁×h×w, uint8, luma of the source.
        second: T×h×w, uint8, luma of the edit.
        pairing: For each frame of `second` the index of the frame of `first` to compare it with.
        seen: h×w, bool: where the edit has a picture.
    """

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    pairing: Sequence[int]
    seen: NDArray[np.bool_]


def agreement(pairs: Pairs) -> Agreement:
    """Compare two clips; where the edit has no picture nothing is decided."""
    shape = (len(pairs.pairing), *pairs.second.shape[1:])
    r = np.zeros(shape, np.float16)
    decided, textured = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for index, (both, one, other) in enumerate(_over_three(_products(pairs))):
        near, near_one, near_other = _windowed(both, one, other, NEAR)
        far, far_one, far_other = _windowed(both, one, other, FAR)
        has_near = np.maximum(near_one, near_other) > TEXTURE_NEAR
        close = near / (near_one * near_other + 0.5)
        wide = far / (far_one * far_other + 0.2)
        r[index] = np.where(has_near, close, wide)
        decided[index] = pairs.seen & (has_near | (np.maximum(far_one, far_other) > TEXTURE_FAR))
        textured[index] = near_one > TEXTURE_NEAR
    return Agreement(r=r, decided=decided, textured=textured)


Products: TypeAlias = "tuple[Floats, Floats, Floats]"


def _products(pairs: Pairs) -> Iterator[Products]:
    for index, partner in enumerate(pairs.pairing):
        ax, ay = gradient(pairs.first[partner])
        bx, by = gradient(pairs.second[index])
        yield ax * bx + ay * by, ax * ax + ay * ay, bx * bx + by * by


def _over_three(products: Iterator[Products]) -> Iterator[Products]:
    """Yield each frame's products averaged with those of the frames before and after it."""
    window: deque[Products] = deque(maxlen=3)
    for new in products:
        window.append(new)
        if len(window) > 1:
            yield _mean(window)
    if len(window) == 3:
        window.popleft()
    if window:
        yield _mean(window)


def _mean(window: deque[Products]) -> Products:
    both, one, other = (sum(parts) / len(window) for parts in zip(*window, strict=True))
    return both, one, other


def _windowed(both: Floats, one: Floats, other: Floats, side: int) -> Products:
    """Return the mean product of the gradients over a window, and the root mean square of each."""
    import cv2

    means: list[Any] = [
        cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT) for values in (both, one, other)
    ]
    return means[0], np.sqrt(means[1]), np.sqrt(means[2])


def shared(agreement: Agreement, threshold: float = 0.6) -> float:
    """Return the share (0 to 1) of the decided places where the structure agrees, of either sign."""
    places = agreement.decided
    count = int(places.sum())
    return float((np.abs(agreement.r[places]) > threshold).sum() / count) if count else 0.0
