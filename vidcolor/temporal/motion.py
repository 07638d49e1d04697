"""Motion between neighbouring frames, found and told on the grid of a*b*."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from vidcolor.color.resize import shrink

FLOW_SCALE = 2 / 3  # of the grid that flow is sought on; DIS costs less than half at that size
STRIDE = 4  # of DIS's patches: a side that is no multiple of it ends in pixels that no patch covers
LEAST = 16  # pixels that a side has at least, for DIS
TOLERANCE = 8.0  # L* by which a carried pixel may differ before its colour is doubted


class Motion:
    """Dense Inverse Search (Kroeger et al. 2016, arXiv 1603.03590), ultrafast preset.

    That preset leaves out the two finest scales of the pyramid. It is given a picture that small instead, and all of
    it: the same flow, without the cost of the scales that it does not look at.

    One frame is ``grey``, what flow is sought on (uint8), and ``small``, L* on the grid of a*b* ``(h', w')``.
    """

    def __init__(self) -> None:
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.flow.setFinestScale(0)

    @staticmethod
    def grey(small: np.ndarray) -> np.ndarray:
        """L* on the grid of a*b* ``(h', w')`` as the uint8 picture that flow is sought on."""
        size = tuple(max(LEAST, STRIDE * round(side * FLOW_SCALE / STRIDE)) for side in small.shape[::-1])
        return cv2.resize(cv2.convertScaleAbs(small, alpha=2.55), size, interpolation=cv2.INTER_AREA)

    def between(self, new: np.ndarray, old: np.ndarray, width: int, height: int) -> np.ndarray:
        """Where each cell of the `new` frame's grid was in the `old`: a map for `move`, float32 ``(h', w', 2)``."""
        flow = self.flow.calc(new, old, None)  # type: ignore[call-overload]
        cv2.patchNaNs(flow, 0.0)  # which it gives for very thin pictures
        where = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        for i, stretch in enumerate((width / flow.shape[1], height / flow.shape[0])):
            where[..., i] *= np.float32(stretch)
        where += grid(width, height)
        return where


def to_grid(lightness: np.ndarray, width: int, height: int) -> np.ndarray:
    """L* on the grid of a*b*, by area averaging."""
    return shrink(lightness, (width, height))


def match(carried: np.ndarray, small: np.ndarray) -> np.ndarray:
    """How well carried L* agrees with that of the frame it was carried to: 1 where it does, falling to 0."""
    return np.exp(-(((carried - small) / np.float32(TOLERANCE)) ** 2))


def move(planes: np.ndarray, where: np.ndarray) -> np.ndarray:
    """`planes` ``(h', w')`` or ``(h', w', n)`` carried along a map; the border repeats outside."""
    if planes.ndim == 3 and planes.shape[2] == 2:
        return move(pad(planes), where)[..., :2]
    return cv2.remap(planes, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def pad(planes: np.ndarray) -> np.ndarray:
    """Two planes as three, for `move`: OpenCV 5 rounds positions to 1/32 with two channels, but not with three."""
    return cv2.merge((*cv2.split(planes), planes[..., 0]))


@lru_cache(maxsize=4)
def grid(width: int, height: int) -> np.ndarray:
    """x and y of every cell, float32 ``(height, width, 2)``, for reading only."""
    cells = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
    cells.setflags(write=False)
    return cells
