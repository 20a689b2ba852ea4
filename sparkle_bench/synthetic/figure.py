"""The subject of a clip: a figure put together from parts, posed for an instant and drawn with a soft mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sparkle_bench.synthetic.cloth import Cloth, dyed
from sparkle_bench.synthetic.head import EXPRESSIONS, FRAME, Looks, back_hair, head, neck
from sparkle_bench.synthetic.motion import GESTURES, Path
from sparkle_bench.synthetic.parts import Easel, Frame, Part
from sparkle_bench.synthetic.stage import HEIGHT, WIDTH, Plane
from sparkle_bench.synthetic.texture import between, rgb

SHARPNESS = 2.0
"""Pixels of a part's tile for every pixel of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A person.

    Attributes:
        looks: Head and hair.
        top: What the upper body wears.
        bottom: What the legs wear.
        skirt: Whether that is a skirt rather than trousers.
        build: Half the width of the shoulders, in head heights.
        short: Whether the sleeves end at the elbow.
        trim: Colour of buttons and collar, or of a scarf if `scarf`.
        scarf: Whether a scarf is worn.
        size: Height of the head in pixels.
        gesture: A key of `GESTURES`.
        path: Where the figure stands and goes.
        pace: How fast it moves its limbs; 1 is as `GESTURES` says.
        side: Where its shading says that light comes from: -1 is the left.
    """

    looks: Looks
    top: Cloth
    bottom: Cloth
    skirt: bool = False
    build: float = 0.66
    short: bool = False
    trim: str = "f2e6d0"
    scarf: bool = False
    size: float = 46.0
    gesture: str = "talk"
    path: Path
    pace: float = 1.0
    side: float = -1.0


TRUNK = 1.75
UPPER = 0.88
FORE = 0.78


def painter(figure: Figure) -> Callable[[float], Plane]:
    """Return what paints the figure at an instant in seconds (H×W×4, 0 to 1): colours times mask, and the mask.

    The colours are those in neutral light.
    """
    parts = _parts(figure)

    def at(time: float) -> Plane:
        canvas = np.zeros((HEIGHT, WIDTH, 4), np.float32)
        for name, place in _posed(figure, time):
            _lay(canvas, parts[name], place)
        return canvas

    return at


def _parts(figure: Figure) -> dict[str, Part]:
    def easel(frame: Frame) -> Easel:
        return Easel(frame, density=SHARPNESS * figure.size, side=figure.side)

    looks = figure.looks
    parts = {expression: head(looks, expression, easel(FRAME)) for expression in EXPRESSIONS}
    if looks.style in ("long", "tail"):
        parts["hair"] = back_hair(looks, easel((-0.9, -0.4, 0.9, 1.6)))
    parts["neck"] = neck(looks, easel((-0.4, -0.4, 0.4, 0.7)))
    parts["trunk"] = _trunk(figure, easel((-1.1, -TRUNK - 0.35, 1.1, 0.5)))
    parts["thigh"] = _thigh(figure, easel((-0.5, -0.45, 0.5, 2.6)))
    parts["skirt"] = _skirt(figure, easel((-1.5, -0.4, 1.5, 2.7)))
    parts["upper"] = _upper(figure, easel((-0.35, -0.35, 0.35, UPPER + 0.35)))
    for side, way in (("l", 1), ("r", -1)):
        parts[f"{side}.fore"] = _fore(figure, easel((-0.4, -0.3, 0.4, FORE + 0.65)), way)
    return parts


def _trunk(figure: Figure, easel: Easel) -> Part:
    wide, hips = figure.build, 0.62 * figure.build + 0.1
    shape = easel.polygon(
        [
            (-0.2, -TRUNK - 0.08), (0.2, -TRUNK - 0.08), (wide * 0.8, -TRUNK + 0.05), (wide * 1.04, -TRUNK + 0.28),
            (wide * 0.86, -1.0), (hips * 0.92, -0.5), (hips * 1.08, 0.0), (hips * 1.05, 0.34), (-hips * 1.05, 0.34),
            (-hips * 1.08, 0.0), (-hips * 0.92, -0.5), (-wide * 0.86, -1.0), (-wide * 1.04, -TRUNK + 0.28),
            (-wide * 0.8, -TRUNK + 0.05),
        ]
    )  # fmt: skip
    easel.fill(shape, dyed(figure.top, easel.x, easel.y) * easel.folds(1)[..., None], round_by=0.34)
    trim = rgb(figure.trim)
    if figure.scarf:
        over, under = -TRUNK - 0.12, -TRUNK + 0.16
        wrap = easel.polygon([(-0.38, over), (0.38, over), (0.42, under), (-0.42, under)])
        tail = easel.polygon([(0.06, -TRUNK), (0.3, -TRUNK), (0.36, -0.85), (0.12, -0.85)], smooth=1)
        for scarf in (tail, wrap):
            easel.fill(scarf, trim * easel.folds(2, strength=0.7)[..., None], round_by=0.12)
    else:
        collar = easel.polygon([(-0.26, -TRUNK - 0.06), (0.26, -TRUNK - 0.06), (0, -TRUNK + 0.34)], smooth=1)
        easel.fill(collar, trim, round_by=0.08)
        skin = easel.polygon([(-0.17, -TRUNK - 0.06), (0.17, -TRUNK - 0.06), (0, -TRUNK + 0.22)], smooth=1)
        easel.fill(skin, rgb(figure.looks.skin) * 0.86, round_by=0.06)
        for button in range(4):
            easel.fill(easel.ellipse(0, -1.2 + 0.32 * button, 0.04, 0.04), trim, round_by=0.03)
    return easel.part()


def _thigh(figure: Figure, easel: Easel) -> Part:
    wide = 0.62 * figure.build + 0.1
    colour = dyed(figure.bottom, easel.x, easel.y) * easel.folds(3)[..., None]
    easel.fill(easel.limb(2.4, (wide, 0.7 * wide)), colour, round_by=0.2)
    return easel.part()


def _skirt(figure: Figure, easel: Easel) -> Part:
    hips = 0.62 * figure.build + 0.1
    half = [(hips, -0.25), (hips * 2.0, 2.6), (hips, 2.75)]
    shape = easel.polygon(half + [(-x, y) for x, y in reversed(half)], smooth=2)
    pleats = 1 + 0.16 * np.sin(easel.x / (0.35 + 0.3 * easel.y.clip(0)) * 14)
    easel.fill(shape, dyed(figure.bottom, easel.x, easel.y) * pleats[..., None], round_by=0.3)
    return easel.part()


def _upper(figure: Figure, easel: Easel) -> Part:
    colour = dyed(figure.top, easel.x, easel.y + 0.1) * easel.folds(5)[..., None]
    easel.fill(easel.limb(UPPER, (0.42, 0.32)), colour, round_by=0.17)
    return easel.part()


def _fore(figure: Figure, easel: Easel, way: int) -> Part:
    """A forearm with its hand; the thumb points inwards."""
    skin = rgb(figure.looks.skin)
    for number, (x, tip) in enumerate(((-0.115, 0.3), (-0.04, 0.36), (0.035, 0.35), (0.105, 0.3))):
        finger = easel.stroke([(0.6 * x, FORE + 0.12), (x * 1.15, FORE + tip)], 0.085)
        easel.fill(finger, skin * (0.97 if number % 2 else 0.9), round_by=0.04)
    easel.fill(easel.stroke([(way * 0.06, FORE + 0.06), (way * 0.21, FORE + 0.2)], 0.085), skin * 0.95, round_by=0.04)
    easel.fill(easel.ellipse(0, FORE + 0.12, 0.145, 0.16), skin, round_by=0.1)
    arm = easel.limb(FORE, (0.31, 0.22))
    easel.fill(arm, skin, round_by=0.13)
    sleeve = arm * between(0.16, 0.13, easel.y) if figure.short else arm
    easel.fill(sleeve, dyed(figure.top, easel.x, easel.y + 0.25) * easel.folds(6)[..., None], round_by=0.14)
    if not figure.short:
        over, under = FORE - 0.08, FORE + 0.05
        cuff = easel.polygon([(-0.15, over), (0.15, over), (0.15, under), (-0.15, under)], smooth=2)
        easel.fill(cuff, rgb(figure.trim) * 0.92, round_by=0.06)
    return easel.part()


# -- pose --------------------------------------------------------------------------------------------------------------

Place = NDArray[np.float64]
"""3×3: takes a point in a part's head heights to the picture's pixels."""


def _turned(x: float, y: float, degrees: float = 0.0) -> Place:
    """Return the place of a joint at (x, y) that is turned clockwise."""
    angle = np.deg2rad(degrees)
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, -sine, x], [sine, cosine, y], [0, 0, 1]])


def _posed(figure: Figure, time: float) -> list[tuple[str, Place]]:
    """Return the parts from back to front, each with its place."""
    own = {joint: swing.at(time * figure.pace) for joint, swing in GESTURES[figure.gesture].items()}
    x, y = figure.path.at(time)
    hips = _turned(x, y) @ np.diag([figure.size, figure.size, 1.0])
    trunk = hips @ _turned(0, 0, own["lean"])
    skull = trunk @ _turned(0, -TRUNK - 0.12, own["head"])
    posed: list[tuple[str, Place]] = []
    if figure.looks.style in ("long", "tail"):
        posed.append(("hair", skull @ _turned(0, -0.75, 5 * np.sin(4.4 * time + 1) - 1.3 * own["head"])))
    if figure.skirt:
        posed.append(("skirt", hips @ _turned(0, 0.05, 4 * np.sin(4.0 * time))))
    else:
        step = 13 * np.sin(2 * np.pi * 0.9 * time) if figure.gesture == "walk" else 3 * np.sin(3 * time)
        for leg in (-1, 1):
            posed.append(("thigh", hips @ _turned(leg * (0.3 * figure.build + 0.06), 0.15, leg * (step - 3))))
    posed += [("neck", skull), ("trunk", trunk)]
    posed.append((_expression(figure, time), skull))
    for side, way in (("l", 1), ("r", -1)):
        shoulder = trunk @ _turned(-way * figure.build * 0.84, -TRUNK + 0.26, way * own[f"{side}.upper"])
        posed.append((f"{side}.fore", shoulder @ _turned(0, UPPER, way * own[f"{side}.fore"])))
        posed.append(("upper", shoulder))
    return posed


def _expression(figure: Figure, time: float) -> str:
    if (time + 0.3 * figure.build) % 1.7 < 0.14:
        return "blinking"
    return "speaking" if np.sin(2 * np.pi * 1.9 * time) + 0.6 * np.sin(7 * time) > 0.35 else "quiet"


def _lay(canvas: Plane, part: Part, place: Place) -> None:
    """Lay a part over the canvas, in place; what sticks out is cut off."""
    scale = 1 / part.density
    into = place @ np.array([[scale, 0, -part.joint[0] * scale], [0, scale, -part.joint[1] * scale], [0, 0, 1]])
    height, width = part.tile.shape[:2]
    corners = (into @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]]))[:2]
    left, top = np.maximum(np.floor(corners.min(1)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(1)).astype(int) + 1, (WIDTH, HEIGHT))
    if left >= right or top >= bottom:
        return
    into[:2, 2] -= (left, top)
    laid = cv2.warpAffine(part.tile, into[:2], (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    area = canvas[top:bottom, left:right]
    canvas[top:bottom, left:right] = cv2.multiply(area, cv2.merge([1 - laid[..., 3]] * 4)) + laid
