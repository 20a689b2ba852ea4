"""Which source frame does each frame of the edit show? Index by index, re-timed, frozen, looped, or one cannot tell.

The picture is cut into blocks. A block that the edit kept shows, at each of its frames, the structure of one source frame
more than that of the others; the blocks that tell frames apart vote. So a replaced background has no say, and a subject
that hardly moves leaves the question open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench.signals.structure import gradient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkle_bench.signals.footage import Footage

BLOCK = 10
"""Side of a block in pixels of the picture at half the analysed size."""
KEPT = 0.7
"""A block counts as kept if at most of its frames it agrees this much with its best source frame."""
ALIKE = 0.08
"""A block tells frames apart if its best agreement is this much above its median one."""
MIN_VOTES = 0.25
"""Sum of the votes below which nothing is concluded."""
NEAR_ENOUGH = 1.5
"""Frames by which the median frame may be off and still be called index-aligned."""
MOST_OFF = 0.2
"""Share of frames that may be off by more than two and leave the edit index-aligned."""

LEAST_GAIN = 0.03
"""So much more must the frames found agree than those of the same index, on average; else one cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Which source frame each frame of the edit shows.

    Attributes:
        state: `index-aligned`, `time-aligned` (another rate, the same instants), `shifted`, `re-timed`, `reversed`,
            `frozen`, `scrambled` or `unknown`.
        pairing: For each frame of the edit the source frame it shows; its own index where that is unknown.
        rate: Source frames per frame of the edit, 1 if index-aligned, or None.
        off: Mean distance of the shown frame from the one of the same index, in frames: or None.
    """

    state: str
    pairing: tuple[int, ...]
    rate: float | None = None
    off: float | None = None


def align(source: Footage, edited: Footage, pace: float = 1.0) -> Alignment:
    """Find which source frame each frame of the edit shows; both on one grid.

    Args:
        source: The source.
        edited: The edit, on the source's grid.
        pace: Source frames per frame of the edit if every instant is kept: the ratio of their rates.
    """
    own = tuple(min(index, source.frames - 1) for index in range(edited.frames))
    votes, total = _votes(_blocks(source), _blocks(edited))
    if total < MIN_VOTES or edited.frames < 8 or source.frames < 8:
        return Alignment(state="unknown", pairing=own)
    shown = _path(votes)
    away = np.abs(shown - np.arange(len(shown)))
    index = np.arange(len(shown))
    gain = float((votes[index, shown] - votes[index, np.minimum(index, votes.shape[1] - 1)]).mean())
    if _near(away):
        return Alignment(state="index-aligned", pairing=own, rate=1.0, off=float(away.mean()))
    in_time = np.minimum(np.round(index * pace), votes.shape[1] - 1).astype(np.int64)
    if _near(np.abs(shown - in_time)):
        off = float(np.abs(shown - in_time).mean())
        return Alignment(state="time-aligned", pairing=tuple(map(int, in_time)), rate=pace, off=off)
    if gain < LEAST_GAIN:
        return Alignment(state="unknown", pairing=own)
    rate = float(np.polyfit(np.arange(len(shown)), shown, 1)[0])
    return Alignment(state=_named(shown, rate), pairing=tuple(map(int, shown)), rate=rate, off=float(away.mean()))


def _near(away: NDArray[Any]) -> bool:
    return float(np.median(away)) <= NEAR_ENOUGH and float((away > 2).mean()) <= MOST_OFF


def _named(shown: NDArray[np.int64], rate: float) -> str:
    """Return what was done to the time of an edit that is not index-aligned."""
    steps = np.diff(shown)
    if float(np.ptp(shown)) <= 2:
        return "frozen"
    if rate < -0.9:
        return "reversed"
    if float((steps < -1).mean()) > 0.15:
        return "scrambled"
    constant = float((shown - np.arange(len(shown))).std()) < 1.5
    return "shifted" if constant and abs(rate - 1) < 0.05 else "re-timed"


def _blocks(clip: Footage) -> NDArray[np.float32]:
    """Return each block's normalised gradients (blocks×frames×values), all zero where it holds no texture."""
    import cv2

    frames = []
    for luma in clip.luma:
        half: Any = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
        frames.append(np.stack(gradient(half), axis=-1))
    values = np.stack(frames)
    count, height, width = values.shape[:3]
    rows, columns = height // BLOCK, width // BLOCK
    cut = values[:, : rows * BLOCK, : columns * BLOCK].reshape(count, rows, BLOCK, columns, BLOCK * 2)
    blocks = cut.transpose(1, 3, 0, 2, 4).reshape(rows * columns, count, 2 * BLOCK * BLOCK)
    norms = np.linalg.norm(blocks, axis=2, keepdims=True)
    textured = norms > 1.5 * BLOCK
    unit: NDArray[np.float32] = np.where(textured, blocks / np.maximum(norms, 1e-6), 0).astype(np.float32)
    return unit


def _votes(source: NDArray[np.float32], edited: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Return how much each edit frame (rows) looks like each source frame (columns), and how many blocks say so."""
    sums = np.zeros((edited.shape[1], source.shape[1]), np.float32)
    total = 0.0
    for ours, theirs in zip(source, edited, strict=True):
        match = theirs @ ours.T
        best = match.max(axis=1)
        kept = float(np.median(best)) - KEPT
        apart = float((best - np.median(match, axis=1)).mean()) - ALIKE
        if kept > 0 and apart > 0:
            weight = kept * apart / (1 - KEPT)
            sums += weight * match
            total += weight
    return (sums / total if total else sums), total


def _path(votes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the shown source frame for each edit frame: the sequence of most votes with short steps (Viterbi)."""
    frames, options = votes.shape
    jump = np.abs(np.arange(options)[:, None] - np.arange(options)[None, :] - 1)  # from column to row; one step is free
    cost = 0.004 * np.minimum(jump, 12)
    score = votes[0].astype(np.float64)
    back = np.zeros((frames, options), np.int64)
    for index in range(1, frames):
        ways = score[None, :] - cost
        back[index] = ways.argmax(axis=1)
        score = ways.max(axis=1) + votes[index]
    shown = [int(score.argmax())]
    for index in range(frames - 1, 0, -1):
        shown.append(int(back[index][shown[-1]]))
    return np.array(shown[::-1])
