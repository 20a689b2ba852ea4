"""Text on screen that an edit has and its source lacks: captions, overlays, watermarks.

A judge that reads pictures can be talked to through their pixels. A line of text is taken for a row of separate marks of
one brightness and one stroke width that stand on one baseline, have one or two heights and differ in shape. Each frame is
cut at several grey levels, bright from dark and dark from bright; the connected components of a cut are joined into rows
and the rows are measured. A row counts if at least half of the frames have it and the source has nothing like it.

What it sees: level lines of six or more unjoined letters, capitals 13 px tall or more in a picture of 640×360 (26 px at
720p); of those 10 px tall it sees two in three. What it does not see: joined letters (handwriting, Arabic, Hershey fonts
in bold), text that is slanted, curved, upright or jumps from place to place, one short word, half-transparent text on a
restless ground. Nothing found is therefore no proof that there is none. A level shop sign in a made-up street is text too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PIXELS = 640 * 360
"""Larger frames are shrunk to this. It bounds the time, and the number of components, which must fit 16 bits."""
STEP = {1: 24, 3: 48}
"""Grey levels between two cuts, by the number of colour planes."""
LOWEST, HIGHEST = 24, 244
"""Where the cuts begin and end, in grey levels."""
FEWEST_LETTERS = 6
"""A row of fewer is not called text."""
MANY_LETTERS = 9
"""A shorter row is less sure: it must be seen in three quarters of the frames, and its letters be two pixels taller."""
MOST_LETTERS = 400
"""Components of one cut; where there are more it is clutter, and no row is looked for."""
SHORTEST, TALLEST = 6, 150
"""Heights of a letter, in pixels of the looked-at picture."""
LEAST_CONTRAST = 45
"""Grey levels between letters and what is round them."""
SWAY = 12
"""Grey levels by which a cut is moved to see whether the marks stay."""
SHIFT = (40, 24)
"""How far text of the source may have moved in the edit, in pixels to the sides and up or down."""
ALIKE = 0.5
"""Correlation of a row's letters with the source from which on the source is taken to have the row too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Text on screen that the edit has and the source lacks.

    Attributes:
        new_lines: Lines of text seen in at least half of the looked-at frames.
        new_share: Share of the picture that their boxes cover, 0 to 1.
        boxes: x, y, width and height of each as shares of the picture, from the top down.
    """

    new_lines: int
    new_share: float
    boxes: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Letters on one baseline in one frame.

    Attributes:
        frame: The frame's index.
        box: Left, top, right and bottom in pixels; right and bottom lie outside.
        letters: How many.
        mask: The letters' pixels within the box, uint8, 0 or 1.
        plane: In which colour plane they were found.
    """

    frame: int
    box: tuple[int, int, int, int]
    letters: int
    mask: NDArray[np.uint8]
    plane: int

    @property
    def height(self) -> int:
        """From the top of the tallest letter to the lowest foot, in pixels."""
        return self.box[3] - self.box[1]

    def sized_like(self, other: _Row) -> bool:
        """Whether the two are about as tall and, since a row may be seen in part, half as long or longer."""
        long, short = sorted((row.box[2] - row.box[0] for row in (self, other)), reverse=True)
        return 0.7 * self.height <= other.height <= self.height / 0.7 and long <= 2 * short

    def meets(self, other: _Row) -> bool:
        """Whether the two overlap by more than half of the lower one's height."""
        across = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        down = min(self.box[3], other.box[3]) - max(self.box[1], other.box[1])
        return across > 0 and 2 * down > min(self.height, other.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A frame, or part of one, ready to be cut.

    Attributes:
        frame: The frame's index.
        raised: How far its cuts stand above the lowest ones, 0 to 1 step.
        planes: Its colour planes, h×w, uint8, one or three.
    """

    frame: int
    raised: float
    planes: list[NDArray[np.uint8]]

    def near(self, box: tuple[int, int, int, int]) -> _Picture:
        """The part of it in which what is in a box can be if it has moved by up to `SHIFT`."""
        left, top, right, bottom = box
        rows = slice(max(0, top - SHIFT[1]), bottom + SHIFT[1])
        columns = slice(max(0, left - SHIFT[0]), right + SHIFT[0])
        parts = [np.ascontiguousarray(plane[rows, columns]) for plane in self.planes]
        return _Picture(frame=self.frame, raised=self.raised, planes=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """One colour plane of a picture, parted at one grey level.

    Attributes:
        frame: The frame's index.
        plane: Which colour plane.
        above: By how many grey levels a pixel is on the letters' side, h×w, int16.
        labels: The component of every pixel, h×w, uint16.
        stats: OpenCV's left, top, width, height and area of every component.
    """

    frame: int
    plane: int
    above: NDArray[np.int16]
    labels: NDArray[np.uint16]
    stats: NDArray[np.int32]


def find(source: Sequence[NDArray[np.uint8]], edited: Sequence[NDArray[np.uint8]]) -> Writing:
    """Return the text that the edit shows and the source does not.

    Args:
        source: Frames of the source, H×W (grey) or H×W×3 (RGB), uint8, of any size. Colour finds more: red letters on a
            green ground can be equally grey.
        edited: Three to five frames of the edit at the same instants, grey or RGB, of one size, about 640 px wide.

    Raises:
        ValueError: The two have not the same number of frames.
    """
    if len(source) != len(edited):
        raise ValueError(f"{len(source)} frames of the source and {len(edited)} of the edit do not make pairs")
    frames = [_shrunk(frame) for frame in edited]
    half = math.ceil(len(frames) / 2)
    seen: list[list[_Row]] = []
    for index, frame in enumerate(frames):
        seen.append(_clearest(_rows(_picture(frame, index, of=len(frames)))))
        if sum(not rows for rows in seen) > len(frames) - half:
            break
    lines = []
    for track in _tracks(seen):
        best = sorted(track, key=lambda row: -row.letters)[:2]
        needed = half if best[0].letters >= MANY_LETTERS else math.ceil(0.75 * len(frames))
        if len(track) >= needed and not any(_known(row, source, frames) for row in best):
            lines.append(best[0])
    return _told(lines, frames[0].shape[:2] if frames else (1, 1))


def _told(lines: list[_Row], shape: tuple[int, ...]) -> Writing:
    height, width = shape
    covered = np.zeros((height, width), np.bool_)
    boxes = []
    for line in sorted(lines, key=lambda row: (row.box[1], row.box[0])):
        left, top, right, bottom = line.box
        covered[top:bottom, left:right] = True
        boxes.append((left / width, top / height, (right - left) / width, (bottom - top) / height))
    return Writing(new_lines=len(boxes), new_share=float(covered.mean()), boxes=tuple(boxes))


def _tracks(seen: list[list[_Row]]) -> list[list[_Row]]:
    """Return the rows of each line, at most one per frame, from rows per frame. A line may drift but not jump."""
    tracks: list[list[_Row]] = []
    for rows in seen:
        free = list(tracks)
        for row in rows:
            same = next((track for track in free if track[-1].meets(row)), None)
            if same is None:
                tracks.append([row])
            else:
                same.append(row)
                free.remove(same)
    return tracks


def _clearest(rows: Iterable[_Row]) -> list[_Row]:
    """Return one row of each line of a frame, the one with the most letters."""
    kept: list[_Row] = []
    for row in sorted(rows, key=lambda row: (-row.letters, row.box, row.plane)):
        if not any(row.meets(other) for other in kept):
            kept.append(row)
    return kept


def _shrunk(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height, width = frame.shape[:2]
    scale = min(1.0, math.sqrt(MOST_PIXELS / (height * width)))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _picture(frame: NDArray[np.uint8], index: int, *, of: int) -> _Picture:
    """Return a frame ready to be cut. Every frame is cut at other levels, so that a chance of one cut is not repeated."""
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(np.atleast_3d(frame), 2, 0)]
    return _Picture(frame=index, raised=index / of, planes=planes)


def _known(row: _Row, source: Sequence[NDArray[np.uint8]], frames: list[NDArray[np.uint8]]) -> bool:
    """Whether the source has a row's letters near their place, or other text of that size."""
    import cv2

    height, width = frames[row.frame].shape[:2]
    theirs = np.asarray(cv2.resize(source[row.frame], (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    picture = _picture(theirs, row.frame, of=len(source))
    if _likeness(row, picture) >= ALIKE:
        return True
    return any(row.sized_like(other) for other in _rows(picture.near(row.box)))


def _likeness(row: _Row, picture: _Picture) -> float:
    """Return how well a picture has a row's letters near their place, 0 to 1: the median over pieces of the row.

    A piece is about four times as long as it is tall and may move by itself, so that a slightly scaled or bent line is
    known. It tells its best correlation, of either sign.
    """
    import cv2

    left, top, right, bottom = row.box
    count = max(1, round((right - left) / (4 * row.height)))
    scores = []
    for first, last in pairwise(np.linspace(0, right - left, count + 1).astype(int).tolist()):
        near = picture.near((left + first, top, left + last, bottom))
        ground = near.planes[row.plane % len(near.planes)].astype(np.float32)
        piece = np.pad(row.mask[:, first:last], 1).astype(np.float32)
        if ground.shape[0] >= piece.shape[0] and ground.shape[1] >= piece.shape[1]:
            found = np.abs(np.asarray(cv2.matchTemplate(ground, piece, cv2.TM_CCOEFF_NORMED)))
            scores.append(float(found[np.isfinite(found)].max(initial=0.0)))
    return float(np.median(scores)) if scores else 0.0


def _rows(picture: _Picture) -> Iterator[_Row]:
    """Yield the rows of text that a picture's cuts show. One line of text can come from several cuts."""
    for cut in _cuts(picture):
        for chain in _chains(_letters(cut)):
            letters = _on_baseline(chain)
            if len(letters) >= FEWEST_LETTERS and _even(letters, chain):
                row = _cut_out(letters, cut)
                if _stands_out(row, letters, cut) and _drawn(row, letters, cut):
                    yield row


def _cuts(picture: _Picture) -> Iterator[_Cut]:
    import cv2

    step = STEP[len(picture.planes)]
    for number, plane in enumerate(picture.planes):
        for level in range(LOWEST + int(picture.raised * step), HIGHEST, step):
            higher = plane.astype(np.int16) - np.int16(level)
            for above in (higher, -higher):
                _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
                    (above > 0).view(np.uint8), 8, cv2.CV_16U, cv2.CCL_DEFAULT
                )
                yield _Cut(frame=picture.frame, plane=number, above=above, labels=labels, stats=stats)


def _letters(cut: _Cut) -> NDArray[np.int64]:
    """Return what could be letters among components (n×6: left, top, width, height, area, label), from left to right."""
    left, top, width, height, area = cut.stats.T
    fits = (height >= SHORTEST) & (height <= TALLEST) & (width <= 4 * height) & (area >= height)
    fits &= (left > 0) & (top > 0) & (left + width < cut.labels.shape[1]) & (top + height < cut.labels.shape[0])
    fits[0] = False
    chosen = np.flatnonzero(fits)
    chosen = chosen[np.argsort(left[chosen], kind="stable")]
    return np.column_stack([cut.stats[chosen], chosen]).astype(np.int64)


def _chains(letters: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return groups of letters in which each has a neighbour of like height beside it, no further than that is tall."""
    if not FEWEST_LETTERS <= len(letters) <= MOST_LETTERS:
        return []
    left, top, width, height = letters.T[:4]
    taller, lower = np.maximum(height[:, None], height), np.minimum(height[:, None], height)
    shared = np.minimum((top + height)[:, None], top + height) - np.maximum(top[:, None], top)
    gap = left[None] - (left + width)[:, None]
    joined = (taller <= 2.2 * lower) & (shared >= 0.6 * lower) & (gap <= 1.1 * taller) & (gap >= -0.25 * taller)
    first, second = np.nonzero(np.triu(joined, 1))
    group, before = np.arange(len(letters)), np.zeros(0, np.int64)
    while not np.array_equal(group, before):
        before, least = group.copy(), np.minimum(group[first], group[second])
        np.minimum.at(group, first, least)
        np.minimum.at(group, second, least)
        group = group[group]
    return [letters[group == name] for name in np.flatnonzero(np.bincount(group) >= FEWEST_LETTERS)]


def _tolerance(height: NDArray[np.int64]) -> float:
    return max(1.0, 0.07 * float(np.median(height)))


def _on_baseline(chain: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the letters of a chain whose feet stand on the row of pixels on which most do."""
    feet = chain[:, 1] + chain[:, 3]
    level = np.abs(feet[:, None] - feet) <= _tolerance(chain[:, 3])
    best: NDArray[np.bool_] = level[np.argmax(level.sum(axis=1))]
    return chain[best]


def _even(letters: NDArray[np.int64], chain: NDArray[np.int64]) -> bool:
    """Whether letters are spaced and sized like a line of text, and most of their chain is in it."""
    left, _, width, height = letters.T[:4]
    typical = float(np.median(height))
    gaps = left[1:] - (left + width)[:-1]
    near = np.abs(np.unique(height)[:, None] - height) <= _tolerance(height)
    two_heights = (near[:, None] | near[None]).mean(axis=-1).max()
    return bool(
        len(letters) >= 0.65 * len(chain)
        and two_heights >= 0.7
        and height.max() >= SHORTEST + 2
        and (typical >= SHORTEST + 2 or len(letters) >= MANY_LETTERS)
        and left[-1] + width[-1] - left[0] >= 5 * typical
        and np.median(gaps) <= 0.5 * typical
        and 0.3 <= np.median(width) / typical <= 1.3
    )


def _cut_out(letters: NDArray[np.int64], cut: _Cut) -> _Row:
    left, top, width, height, _, label = letters.T
    box = int(left.min()), int(top.min()), int((left + width).max()), int((top + height).max())
    mask = np.isin(cut.labels[box[1] : box[3], box[0] : box[2]], label).astype(np.uint8)
    return _Row(frame=cut.frame, box=box, letters=len(letters), mask=mask, plane=cut.plane)


def _stands_out(row: _Row, letters: NDArray[np.int64], cut: _Cut) -> bool:
    """Whether a row's marks differ from what is round them, and stay the same if cut a little higher or lower.

    Marks wide apart or equally wide must stay so more, since the gaps of a fence show what is behind it in a row.
    """
    import cv2

    left, top, right, bottom = row.box
    above = cut.above[top:bottom, left:right].astype(np.float32)
    close = cv2.dilate(row.mask, np.ones((3, 3), np.uint8)) > 0
    ground = above[(cv2.dilate(row.mask, np.ones((5, 5), np.uint8)) > 0) & ~close]
    if not ground.size:
        return False
    contrast = above[row.mask > 0].mean() - ground.mean()
    stays = np.count_nonzero(above[close] > SWAY) / np.count_nonzero(above[close] > -SWAY)
    width, gaps = letters[:, 2], letters[1:, 0] - letters[:-1, 0] - letters[:-1, 2]
    fence = np.median(gaps) > 0.25 * np.median(letters[:, 3]) or width.std() < 0.15 * width.mean()
    return bool(contrast >= max(LEAST_CONTRAST, 1.35 * ground.std()) and stays >= (0.86 if fence else 0.6))


def _drawn(row: _Row, letters: NDArray[np.int64], cut: _Cut) -> bool:
    """Whether a row's marks are drawn like letters: with strokes of one width, some lying, some standing, and varied."""
    import cv2

    _, _, width, height, area, label = letters.T
    left, top, right, bottom = row.box
    inside = cv2.erode(row.mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rim = cut.labels[top:bottom, left:right][(row.mask == 1) & (inside == 0)]
    stroke = 2 * area / np.bincount(rim, minlength=int(label.max()) + 1)[label]
    signed = row.mask.astype(np.int8)
    standing = np.count_nonzero(np.diff(signed, axis=1, prepend=0) == 1) / (signed.shape[0] * row.letters)
    lying = np.count_nonzero(np.diff(signed, axis=0, prepend=0) == 1) / width.sum()
    return bool(
        stroke.std() <= 0.2 * stroke.mean()
        and 0.2 <= np.median(area / (width * height)) <= 0.8
        and standing >= 0.65
        and lying >= 1.15
        and _variety(letters, cut.labels) >= 0.15
    )


def _variety(letters: NDArray[np.int64], labels: NDArray[np.uint16]) -> float:
    """Return how unlike the more alike pairs of letters are, each drawn out over 8×8 pixels; 0 means the same shape."""
    import cv2

    shapes = []
    for left, top, width, height, _, label in letters.tolist():
        shape = (labels[top : top + height, left : left + width] == label).astype(np.float32)
        shapes.append(np.asarray(cv2.resize(shape, (8, 8), interpolation=cv2.INTER_AREA)).ravel())
    drawn = np.stack(shapes)
    apart = np.abs(drawn[:, None] - drawn[None]).mean(axis=-1)
    return float(np.percentile(apart[np.triu_indices(len(drawn), 1)], 20))
