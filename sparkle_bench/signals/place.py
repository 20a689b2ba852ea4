"""Laying the edit over the source: was the picture scaled, cropped, padded, mirrored or moved?

Every model scales or crops to the sizes it can make, so a few plain ways are tried first. Matched keypoints (ORB, Rublee
et al. 2011, with RANSAC) then say whether the picture was moved, which only matters for an edit that is the source again.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench.signals.footage import Footage
from sparkle_bench.signals.structure import Pairs, agreement, shared

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKS = 3
"""So many pairs of frames decide."""
CLEARLY = 0.05
"""A way must explain this much more of the picture than a plainer one to be believed."""
MIN_MATCHES = 20
LEAST_SEEN = 0.2
"""Share of the source's picture that must be there for a way to be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the edit's picture lies on the source's.

    Attributes:
        way: `scaled`, `cropped`, `padded`, `mirrored` or `moved`; `scaled` includes an edit of the source's own size.
        matrix: 2×3, from a place of the source's grid to the edit's, in analysed pixels.
        unseen: Share of the source's picture that the edit does not show, 0 to 1.
    """

    way: str
    matrix: NDArray[np.float64]
    unseen: float


def place(source: Footage, edited: Footage) -> Placement:
    """Find where the edit's picture lies on the source's."""
    ways = {"scaled": _centred(source, edited, None), "cropped": _centred(source, edited, max)}
    ways["padded"] = _centred(source, edited, min)
    ways["mirrored"] = _mirrored(ways["scaled"], edited)
    moved = _moved(source, edited)
    if moved is not None:
        ways["moved"] = moved
    best, best_score = "scaled", _score(source, edited, ways["scaled"])
    for name, matrix in ways.items():
        if np.allclose(matrix, ways[best], atol=0.3):
            continue
        score = _score(source, edited, matrix)
        if score > best_score + (CLEARLY if name in ("mirrored", "moved") else 0.01):
            best, best_score = name, score
    return Placement(way=best, matrix=ways[best], unseen=1.0 - float(_valid(source, edited, ways[best]).mean()))


def lay(source: Footage, edited: Footage, placement: Placement) -> tuple[Footage, NDArray[np.bool_]]:
    """Return the edit on the source's grid, and where (h×w, bool) it has a picture there."""
    size = source.size
    half = placement.matrix.copy()
    half[:, 2] = placement.matrix[:, 2] / 2 + placement.matrix[:, :2].sum(axis=1) * 0.25 - 0.25
    laid = dataclasses.replace(
        edited,
        luma=_warped(edited.luma, placement.matrix, size),
        blue=_warped(edited.blue, half, (size[0] // 2, size[1] // 2)),
        red=_warped(edited.red, half, (size[0] // 2, size[1] // 2)),
        fine={index: _laid_fine(source, edited, index, placement) for index in edited.fine},
        scale=source.scale,
    )
    return laid, _valid(source, edited, placement.matrix)


def _laid_fine(source: Footage, edited: Footage, index: int, placement: Placement) -> NDArray[np.uint8]:
    """Return one full-size frame of the edit on the source's full-size grid."""
    import cv2

    height, width = next(iter(source.fine.values())).shape
    frame = edited.fine[index]
    if frame.shape == (height, width) and placement.way == "scaled":
        return frame
    if placement.way == "scaled":
        fitting: NDArray[np.uint8] = np.asarray(
            cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        return fitting
    ours, theirs = source.scale, edited.scale
    linear = placement.matrix[:, :2] * theirs / ours
    shift = placement.matrix[:, 2] * theirs + (theirs - 1) / 2 - linear.sum(axis=1) * (ours - 1) / 2
    laid: NDArray[np.uint8] = _warped(frame[None], np.column_stack([linear, shift]), (height, width))[0]
    return laid


def _centred(source: Footage, edited: Footage, choose: Any) -> NDArray[np.float64]:
    """Return the matrix of a picture scaled by side (no `choose`), or evenly by the larger or smaller of the two."""
    height, width = source.size
    new_height, new_width = edited.size
    full = (source.scale, edited.scale)
    scales = [new_width * full[1] / (width * full[0]), new_height * full[1] / (height * full[0])]
    if choose is not None:
        scales = [choose(scales)] * 2
    x, y = (scale * full[0] / full[1] for scale in scales)
    shift = [(new_width - 1) / 2 - x * (width - 1) / 2, (new_height - 1) / 2 - y * (height - 1) / 2]
    return np.array([[x, 0, shift[0]], [0, y, shift[1]]])


def _mirrored(matrix: NDArray[np.float64], edited: Footage) -> NDArray[np.float64]:
    flip = np.array([[-1.0, 0, edited.size[1] - 1], [0, 1, 0], [0, 0, 1]])
    turned: NDArray[np.float64] = (flip @ np.vstack([matrix, [0, 0, 1]]))[:2]
    return turned


def _looks(source: Footage, edited: Footage) -> list[int]:
    """Return the indices of a few frames that both clips have."""
    last = min(source.frames, edited.frames) - 1
    return [n * last // (LOOKS - 1) for n in range(LOOKS)]


def _score(source: Footage, edited: Footage, matrix: NDArray[np.float64]) -> float:
    """Return the share of the source's picture whose structure the edit shares when laid so."""
    looks = _looks(source, edited)
    second = _warped(edited.luma[looks], matrix, source.size)
    seen = _valid(source, edited, matrix)
    if seen.mean() < LEAST_SEEN:
        return 0.0
    return shared(agreement(Pairs(first=source.luma[looks], second=second, pairing=range(len(looks)), seen=seen)))


def _moved(source: Footage, edited: Footage) -> NDArray[np.float64] | None:
    """Return the similarity that most keypoints agree on, or None."""
    import cv2

    best: NDArray[np.float64] | None = None
    most = MIN_MATCHES - 1
    for index in _looks(source, edited):
        ours, theirs = _matches(source.luma[index], edited.luma[index])
        if len(ours) < MIN_MATCHES:
            continue
        cv2.setRNGSeed(1)
        matrix, inside = cv2.estimateAffinePartial2D(ours, theirs, method=cv2.RANSAC, ransacReprojThreshold=1.5)
        if matrix is not None and int(inside.sum()) > most:
            best, most = np.asarray(matrix, np.float64), int(inside.sum())
    return best


def _matches(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    import cv2

    finder: Any = cv2.ORB.create(nfeatures=600, fastThreshold=8, edgeThreshold=12, patchSize=21)
    spots_a, marks_a = finder.detectAndCompute(first, None)
    spots_b, marks_b = finder.detectAndCompute(second, None)
    if marks_a is None or marks_b is None:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(marks_a, marks_b)
    ours = np.array([spots_a[pair.queryIdx].pt for pair in pairs], np.float32).reshape(-1, 2)
    theirs = np.array([spots_b[pair.trainIdx].pt for pair in pairs], np.float32).reshape(-1, 2)
    return ours, theirs


def _warped(frames: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    if frames.shape[1:] == size and np.allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-6):
        return frames
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    height, width = size
    warped = [
        cv2.warpAffine(frame, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE) for frame in frames
    ]
    return np.stack(warped).astype(np.uint8, copy=False)


def _valid(source: Footage, edited: Footage, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the places (h×w, bool) of the source's grid where the edit has a picture."""
    height, width = source.size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    there = matrix[:, :2] @ np.stack([x.ravel(), y.ravel()]) + matrix[:, 2:]
    limits = np.array([[edited.size[1] - 0.5], [edited.size[0] - 0.5]])
    inside: NDArray[np.bool_] = ((there > -0.5) & (there < limits)).all(axis=0).reshape(height, width)
    return inside
