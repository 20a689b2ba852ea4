"""Where the subject and the background are: the subject is what the edit kept, the background what it replaced.

No network looks at the picture. A region counts as kept where source and edit share their structure in space and over
neighbouring frames. So whatever an edit keeps belongs to the subject, a table or a logo included; and a subject whose
surface is flat, very dark or strongly relit is found in parts. The background is therefore taken well away from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkle_bench.signals.structure import Agreement

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 0.5
"""Structure agreement from which a place counts as kept."""
SMALLEST = 0.004
"""Share of the picture below which a kept patch is chance."""
OPENING, CLOSING, BODY, GUARD = 2, 10, 20, 13
"""Radii, in analysed pixels: specks removed, gaps closed, parts joined to one body, distance kept from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Where things are, all T×h×w, bool.

    Attributes:
        subject: What the edit kept, gaps closed and holes filled.
        core: The subject without its rim.
        body: The subject's parts joined, which holds most of what was not recognised too.
        background: What was replaced, at some distance from the body.
    """

    subject: NDArray[np.bool_]
    core: NDArray[np.bool_]
    body: NDArray[np.bool_]
    background: NDArray[np.bool_]

    @property
    def subject_share(self) -> float:
        """Share of the picture that the subject takes, 0 to 1."""
        return float(self.subject.mean())

    @property
    def background_share(self) -> float:
        """Share of the picture that counts as background, 0 to 1."""
        return float(self.background.mean())


def regions(found: Agreement, seen: NDArray[np.bool_]) -> Regions:
    """Divide the picture.

    Args:
        found: How far source and edit agree.
        seen: h×w, where the edit has a picture.
    """
    subject = np.zeros(found.r.shape, np.bool_)
    core, body, background = np.zeros_like(subject), np.zeros_like(subject), np.zeros_like(subject)
    inside = shrunk(seen, OPENING)
    for index, r in enumerate(found.r):
        kept = _patches((r > KEPT) & found.decided[index] & inside)
        whole = _filled(_closed(kept, CLOSING))
        subject[index] = shrunk(whole, OPENING)
        core[index] = shrunk(whole, 2 * OPENING + 1)
        half = _closed(subject[index][::2, ::2], BODY // 2)  # nobody needs the pixel here
        body[index] = _doubled(half)
        background[index] = inside & ~_doubled(grown(half, GUARD // 2))
    return Regions(subject=subject, core=core, body=body, background=background)


def _patches(kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the larger patches."""
    import cv2

    opened = grown(shrunk(kept, OPENING), OPENING)
    _, labels, facts, _ = cv2.connectedComponentsWithStats(opened.astype(np.uint8))
    large = facts[:, cv2.CC_STAT_AREA] >= SMALLEST * kept.size
    large[0] = False
    chosen: NDArray[np.bool_] = large[labels]
    return chosen


def _closed(region: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Close gaps; beyond the picture's edge it goes on as its mirror image, so that gaps there close too."""
    padded = np.pad(region, radius, mode="symmetric")
    return shrunk(grown(padded, radius), radius)[radius:-radius, radius:-radius]


def _doubled(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return region.repeat(2, axis=0).repeat(2, axis=1)


def _filled(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    import cv2

    canvas = region.astype(np.uint8)
    outlines, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, 1, -1)
    return canvas.astype(np.bool_)


def shrunk(region: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Return a region (h×w) without its rim of `radius` pixels."""
    import cv2

    if radius <= SMALL:
        return np.asarray(cv2.erode(region.astype(np.uint8), _disc(radius)), np.bool_)
    far: NDArray[np.bool_] = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 3) > radius
    return far


def grown(region: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Return a region (h×w) and all within `radius` pixels of it."""
    import cv2

    if radius <= SMALL or not region.any():
        return np.asarray(cv2.dilate(region.astype(np.uint8), _disc(min(radius, SMALL))), np.bool_)
    near: NDArray[np.bool_] = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, 3) <= radius
    return near


SMALL = 5
"""Up to this radius a disc is moved over the region; for larger ones a map of distances is faster."""


def _disc(radius: int) -> Any:
    import cv2

    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
