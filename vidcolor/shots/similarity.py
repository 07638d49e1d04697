"""How dissimilar two frames are, regardless of light, motion and dirt: the measure behind shot detection."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color.resize import shrink

COLUMNS, ROWS = 48, 32  # of a thumbnail; so small that grain and scratches average out
REACH = 3  # thumbnail pixels searched in each direction for a block: 24 pixels at a width of 384
BLANK = 3.0  # standard deviation of L* below which a frame is blank
SIMILAR = 0.2  # 1 - correlation below which no search is needed


def make_thumbnail(lightness: np.ndarray) -> np.ndarray:
    """L* ``(h, w)`` of a proxy of any shape, averaged to float32 ``(ROWS, COLUMNS)``."""
    return shrink(lightness, (COLUMNS, ROWS)).astype(np.float32, copy=False)


def is_blank(thumbnail: np.ndarray) -> bool:
    """Whether there is no structure to compare: black, white, fog, or a flash that leaves only white."""
    return _contrast(thumbnail) < BLANK


def dissimilarity(one: np.ndarray, other: np.ndarray) -> float:
    """0 for the same picture, about 0.7 for pictures of different things.

    It is 1 minus the normalised correlation of the four quarters of `one` with `other`, weighted by contrast. Each
    quarter is placed where it fits best within `REACH`, so pans, gate weave and parallax count little. Each has its own
    gain and offset, so flicker and flashes count little too. The search is skipped where it cannot matter.
    """
    plain = 1.0 - _correlation(one, other)
    return plain if plain < SIMILAR else min(plain, _searched(one, other))


def _contrast(plane: np.ndarray) -> float:
    """Standard deviation; by OpenCV, because NumPy takes longer on planes this small."""
    return float(cv2.meanStdDev(plane)[1][0, 0])


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(cv2.matchTemplate(one, other, cv2.TM_CCOEFF_NORMED)[0, 0])


def _searched(one: np.ndarray, other: np.ndarray) -> float:
    height, width = (ROWS - 2 * REACH) // 2, (COLUMNS - 2 * REACH) // 2
    total = weights = 0.0
    for top in (REACH, REACH + height):
        for left in (REACH, REACH + width):
            block = one[top : top + height, left : left + width]
            around = other[top - REACH : top + height + REACH, left - REACH : left + width + REACH]
            # Where one of them is flat (white in a flash) the correlation says nothing, so it weighs nothing.
            weight = min(_contrast(block), _contrast(around))
            total += weight * (1.0 - float(cv2.matchTemplate(around, block, cv2.TM_CCOEFF_NORMED).max()))
            weights += weight
    return total / max(weights, 1e-6)
