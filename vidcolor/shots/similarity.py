"""How unlike two frames are, whatever the light, the motion and the dirt: what shot detection rests on."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color.resize import shrink

COLUMNS, ROWS = 48, 32  # of the thumbnail: small enough that grain and scratches average out
REACH = 3  # thumbnail pixels that a block is searched for, each way: 24 pixels of 384
BLANK = 3.0  # standard deviation in L* below which a frame shows nothing
ALIKE = 0.2  # 1 - correlation below which no search is needed


def make_thumbnail(lightness: np.ndarray) -> np.ndarray:
    """The small L* ``(h, w)`` averaged to float32 ``(ROWS, COLUMNS)``, whatever its shape."""
    return shrink(lightness, (COLUMNS, ROWS)).astype(np.float32, copy=False)


def is_blank(thumbnail: np.ndarray) -> bool:
    """Whether there is no structure to compare: black, white, fog, a flash that bleaches everything."""
    return _contrast(thumbnail) < BLANK


def unlike(one: np.ndarray, other: np.ndarray) -> float:
    """How little two thumbnails have in common: 0 for the same picture, about 0.7 for pictures of different things.

    It is 1 - normalised correlation of the four quarters of `one`, each where it fits best in `other` within `REACH`
    (so pans, gate weave and parallax count little) and each under its own gain and offset (so flicker and flashes do),
    weighted by contrast. Frames that are much the same as they lie take a short way.
    """
    plain = 1.0 - _correlation(one, other)
    return plain if plain < ALIKE else min(plain, _searched(one, other))


def _contrast(plane: np.ndarray) -> float:
    """Standard deviation, by OpenCV, which has little overhead for planes as small as these."""
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
