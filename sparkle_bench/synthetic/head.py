"""The head of a figure: face, hair and hat, with eyes that blink and a mouth that speaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparkle_bench.synthetic.cloth import Cloth, dyed
from sparkle_bench.synthetic.parts import Easel, Part
from sparkle_bench.synthetic.stage import Plane
from sparkle_bench.synthetic.texture import between, rgb

WOOL = Cloth(pattern="knit", colours=("b04a3c", "e8d8c0"))
FRAME = (-0.95, -1.45, 0.95, 0.4)
EXPRESSIONS = ("quiet", "speaking", "blinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What a head looks like.

    Attributes:
        skin: Colour of the skin.
        hair: Colour of the hair.
        style: `short`, `long`, `curly`, `tail`, `bun` or `bald`.
        hat: `beanie`, `brim`, `cap` or nothing.
        felt: What the hat is made of.
        turned: How far the face looks to the right (negative: to the left), in head heights.
        beard: Whether there is one.
        glasses: Whether they are worn.
    """

    skin: str
    hair: str
    style: str = "short"
    hat: str = ""
    felt: Cloth = WOOL
    turned: float = 0.0
    beard: bool = False
    glasses: bool = False


def head(looks: Looks, expression: str, easel: Easel) -> Part:
    """Paint a head on an empty easel of `FRAME`; the joint is at the root of the neck."""
    skin = rgb(looks.skin)
    if looks.style in ("curly", "bun"):
        _volume(looks, easel)
    for side in (-1, 1):
        easel.fill(easel.ellipse(side * 0.395 + 0.3 * looks.turned, -0.5, 0.07, 0.1), skin * 0.94, round_by=0.06)
    skull = np.maximum(easel.ellipse(0, -0.58, 0.405, 0.42), easel.polygon(_JAW))
    easel.fill(skull, skin, round_by=0.34)
    _face(looks, expression, easel)
    if looks.beard:
        _beard(looks, easel, skull)
    if looks.style != "bald":
        _fringe(looks, easel)
    if looks.hat:
        _hat(looks, easel)
    return easel.part()


_JAW = (
    (-0.4, -0.75),
    (0.4, -0.75),
    (0.41, -0.3),
    (0.27, -0.02),
    (0.1, 0.05),
    (-0.1, 0.05),
    (-0.27, -0.02),
    (-0.41, -0.3),
)


def _face(looks: Looks, expression: str, easel: Easel) -> None:
    skin, off = rgb(looks.skin), looks.turned
    for side in (-1, 1):
        x = off + 0.165 * side
        easel.tint(0.35 * _soft(easel, x + 0.06 * side, -0.27, 0.12), skin * (1.02, 0.72, 0.7))
        easel.tint(0.3 * _soft(easel, x, -0.5, 0.13), skin * 0.75)
        if expression == "blinking":
            easel.fill(easel.stroke([(x - 0.075, -0.47), (x, -0.45), (x + 0.075, -0.47)], 0.025), skin * 0.35)
        else:
            _eye(easel, x, off)
        brow = [(x - 0.1, -0.635 - 0.012 * side), (x, -0.67), (x + 0.1, -0.635 + 0.012 * side)]
        easel.fill(easel.stroke(brow, 0.035), rgb(looks.hair) * 0.65)
    nose = off * 1.5
    easel.tint(
        0.45 * easel.polygon([(nose - 0.01, -0.52), (nose + 0.075, -0.31), (nose - 0.06, -0.3)], smooth=2), skin * 0.72
    )
    easel.tint(0.5 * _soft(easel, nose - 0.005, -0.36, 0.05), np.minimum(skin * 1.25, 255))
    _mouth(looks, expression, easel)
    if looks.glasses:
        for side in (-1, 1):
            rim = easel.ellipse(off + 0.17 * side, -0.49, 0.135, 0.115) - easel.ellipse(
                off + 0.17 * side, -0.49, 0.112, 0.092
            )
            easel.fill(np.clip(rim, 0, 1), rgb("2b2422"))
        easel.fill(easel.stroke([(off - 0.05, -0.5), (off + 0.05, -0.5)], 0.022), rgb("2b2422"))


def _eye(easel: Easel, x: float, off: float) -> None:
    white = easel.ellipse(x, -0.485, 0.078, 0.058)
    easel.fill(white, rgb("f6f1ea"))
    iris = x + 0.35 * off
    easel.fill(easel.ellipse(iris, -0.485, 0.046, 0.05) * white, rgb("5a3d28"))
    easel.fill(easel.ellipse(iris, -0.485, 0.024, 0.026) * white, rgb("120c0a"))
    easel.fill(easel.ellipse(iris + 0.016, -0.503, 0.013, 0.013) * white, rgb("ffffff"))
    easel.fill(easel.stroke([(x - 0.08, -0.5), (x, -0.545), (x + 0.08, -0.5)], 0.022), rgb("2a1a14"))


def _mouth(looks: Looks, expression: str, easel: Easel) -> None:
    lips, x = rgb(looks.skin) * (0.82, 0.5, 0.48), looks.turned * 1.2
    if expression == "speaking":
        easel.fill(easel.ellipse(x, -0.165, 0.1, 0.075), lips)
        easel.fill(easel.ellipse(x, -0.165, 0.078, 0.052), rgb("4a1518"))
        easel.fill(easel.ellipse(x, -0.195, 0.06, 0.02), rgb("f4efe8"))
    else:
        smile = [(x - 0.115, -0.2), (x - 0.05, -0.165), (x + 0.05, -0.165), (x + 0.115, -0.2)]
        easel.fill(easel.stroke(smile, 0.036), lips)


def _soft(easel: Easel, x: float, y: float, size: float) -> Plane:
    return np.asarray(np.exp(-(((easel.x - x) / size) ** 2) - ((easel.y - y) / size) ** 2), np.float32)


def _beard(looks: Looks, easel: Easel, skull: Plane) -> None:
    off = looks.turned
    lower = between(-0.33, -0.24, easel.y + 0.25 * np.abs(easel.x - off) ** 2 - 0.5 * np.abs(easel.x - off) * 0.2)
    mouth = easel.ellipse(off * 1.2, -0.18, 0.13, 0.085)
    easel.fill(skull * lower * (1 - mouth), rgb(looks.hair) * easel.strands(3)[..., None], round_by=0.1)


def _fringe(looks: Looks, easel: Easel) -> None:
    """The hair that frames the face."""
    colour = rgb(looks.hair) * (easel.strands(5) * (1 + 0.35 * _soft(easel, -0.1, -0.88, 0.16)))[..., None]
    lift = 0.05 if looks.style == "short" else 0.02
    top = easel.ellipse(0, -0.6, 0.445, 0.47 + lift)
    face = easel.ellipse(looks.turned * 1.1, -0.4, 0.36, 0.4 if looks.style == "short" else 0.36)
    parted = easel.polygon([(-0.45, -0.72), (0.1, -1.0), (0.45, -0.72), (0.5, -1.15), (-0.5, -1.15)], smooth=1)
    above = between(0.02, -0.1, easel.y + (0.42 if looks.style == "short" else 0.3))
    hair = np.clip(top * above * np.clip(1 - face + parted, 0, 1), 0, 1)
    easel.fill(hair, colour, round_by=0.16)


def _volume(looks: Looks, easel: Easel) -> None:
    """The hair that stands out behind the head: a cloud of curls, or a bun."""
    colour = rgb(looks.hair) * 0.85 * easel.strands(7)[..., None]
    if looks.style == "bun":
        easel.fill(easel.ellipse(0.02, -1.12, 0.2, 0.18), colour, round_by=0.15)
        return
    angles = np.linspace(-0.15 * np.pi, 1.15 * np.pi, 13)
    curls = [easel.ellipse(0.46 * np.cos(a), -0.62 - 0.44 * np.sin(a), 0.17, 0.16) for a in angles]
    for curl in curls:
        easel.fill(curl, colour, round_by=0.12)


def _hat(looks: Looks, easel: Easel) -> None:
    felt = dyed(looks.felt, easel.x, easel.y)
    if looks.hat == "beanie":
        easel.fill(easel.ellipse(0, -0.78, 0.46, 0.42) * between(-0.64, -0.68, easel.y), felt, round_by=0.3)
        rim = easel.polygon([(-0.49, -0.79), (0.49, -0.79), (0.49, -0.63), (-0.49, -0.63)], smooth=2)
        easel.fill(rim, rgb(looks.felt.colours[-1]) * easel.strands(9)[..., None], round_by=0.08)
        wool = rgb(looks.felt.colours[-1]) * easel.folds(4, strength=0.8)[..., None]
        easel.fill(easel.ellipse(0, -1.24, 0.13, 0.13), wool, round_by=0.1)
        return
    shape = ((-0.43, -0.72), (-0.4, -1.12), (-0.1, -1.2), (0.1, -1.2), (0.4, -1.12), (0.43, -0.72))
    crown = easel.polygon(shape, smooth=2)
    easel.fill(crown, felt, round_by=0.25)
    if looks.hat == "brim":
        easel.fill(crown * between(-0.9, -0.88, easel.y), rgb(looks.felt.colours[-1]) * 0.8, round_by=0.1)
        easel.fill(easel.ellipse(0, -0.74, 0.78, 0.13), felt * 0.95, round_by=0.08)
    else:
        way = 1 if looks.turned >= 0 else -1
        peak = ((-0.36, -0.78), (0.4, -0.82), (0.78, -0.66), (0.74, -0.61), (0.3, -0.68), (-0.3, -0.7))
        easel.fill(easel.polygon([(way * x, y) for x, y in peak], smooth=2), rgb(looks.felt.colours[-1]), round_by=0.06)


def neck(looks: Looks, easel: Easel) -> Part:
    """Paint the neck, which hangs down from the root of the head and vanishes in the collar."""
    easel.fill(easel.limb(0.3, (0.34, 0.4)), rgb(looks.skin) * 0.84, round_by=0.16)
    return easel.part()


def back_hair(looks: Looks, easel: Easel) -> Part:
    """Paint the long hair or the tail that hangs behind, on an easel whose joint is the crown of the head."""
    colour = rgb(looks.hair) * 0.82 * easel.strands(11)[..., None]
    left_side = ((-0.3, -0.2), (-0.52, 0.2), (-0.56, 0.8), (-0.46, 1.25), (-0.2, 1.38))
    right_side = ((0.1, 1.4), (0.42, 1.3), (0.55, 0.9), (0.52, 0.2), (0.3, -0.2))
    tail = ((0.1, -0.1), (0.4, -0.15), (0.72, 0.25), (0.75, 0.8), (0.6, 1.25), (0.52, 0.8), (0.42, 0.35))
    shape = easel.polygon(left_side + right_side if looks.style == "long" else tail)
    easel.fill(shape, colour, round_by=0.2)
    return easel.part()
