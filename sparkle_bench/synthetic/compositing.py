"""Cutting the subject out of a decoded source, and laying it over another scene."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sparkle_bench.synthetic.stage import Picture
from sparkle_bench.synthetic.texture import filled

REACH = 9
"""Side in pixels of the square from which the colour of an edge pixel is taken."""


def without_fringe(picture: Picture, mask: NDArray[np.uint8]) -> Picture:
    """Return the picture with the subject's own colours at its edge, where the camera saw some of the scene behind it.

    Args:
        picture: A frame of the source (H×W×3).
        mask: How much of each pixel the subject covers (H×W, 0 to 255).
    """
    area = filled(mask)
    part, solid = picture[area], mask[area]
    inside = cv2.erode(cv2.compare(solid, 250, cv2.CMP_GE), np.ones((3, 3), np.uint8))
    edge = np.flatnonzero(cv2.compare(solid, 0, cv2.CMP_GT) & ~inside)
    own = cv2.blur(cv2.bitwise_and(part, part, mask=inside), (REACH, REACH)).reshape(-1, 3)[edge].astype(np.float32)
    weight = cv2.blur(inside, (REACH, REACH)).reshape(-1)[edge][:, None].astype(np.float32)
    known = np.clip(own * 255 / np.maximum(weight, 1) + 0.5, 0, 255)
    colours = np.ascontiguousarray(part).reshape(-1, 3)
    colours[edge] = np.where(weight > 12, known, colours[edge])
    clean: Picture = picture.copy()
    clean[area] = colours.reshape(part.shape)
    return clean


def laid_over(scene: Picture, subject: Picture, mask: NDArray[np.uint8]) -> Picture:
    """Return the scene (H×W×3) with the subject before it where the mask (H×W, 0 to 255) lets it."""
    whole: Picture = scene.copy()
    area = filled(mask)
    solid = cv2.merge([mask[area]] * 3)
    before = cv2.multiply(subject[area], solid, scale=1 / 255)
    whole[area] = cv2.add(before, cv2.multiply(scene[area], cv2.bitwise_not(solid), scale=1 / 255))
    return whole


def blurred(picture: Picture) -> Picture:
    """Return a picture of which only broad patches of colour are left."""
    height, width = picture.shape[:2]
    small = cv2.GaussianBlur(cv2.resize(picture, (width // 8, height // 8), interpolation=cv2.INTER_AREA), (0, 0), 1.2)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def eaten(mask: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """Return a mask with holes, and with a contour that is nibbled at other places in every frame.

    Args:
        mask: A true mask (H×W, 0 to 255).
        index: The frame's number, which decides where.
    """
    area, eaten_away = filled(mask), np.zeros_like(mask)
    solid = mask[area]
    height, width = solid.shape
    rough = np.random.default_rng(index).random((height // 10 + 2, width // 10 + 2), np.float32)
    rough = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    depth = cv2.distanceTransform(cv2.compare(solid, 127, cv2.CMP_GT), cv2.DIST_L2, 3)
    nibbled = np.clip(depth - 7 * np.clip(rough - 0.35, 0, 1), 0, 1)
    spots = np.random.default_rng(7).random((9, 14), np.float32)
    holes = cv2.resize(spots, (width, height), interpolation=cv2.INTER_CUBIC)
    nibbled *= np.clip((0.8 + 0.05 * np.sin(1.3 * index) - holes) * 8, 0, 1)
    eaten_away[area] = np.minimum(solid, (nibbled * 255).astype(np.uint8))
    return eaten_away
