"""Planes made smaller, fast."""

from __future__ import annotations

import cv2
import numpy as np

SLIGHT = 1.5  # times up to which linear interpolation shrinks a picture as well as area averaging, and faster


def shrink(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane ``(h, w)`` at `size`, which is ``(width, height)``: area averaging in halves is much the fastest way."""
    while halves(plane.shape, size):
        plane = halve(plane)
    how = cv2.INTER_LINEAR_EXACT if is_near(plane.shape, size) else cv2.INTER_AREA
    return cv2.resize(plane, size, interpolation=how)


def halve(plane: np.ndarray) -> np.ndarray:
    return cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)


def halves(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a picture of ``(height, width)`` is at least twice as large."""
    return shape[0] >= 2 * size[1] and shape[1] >= 2 * size[0]


def is_near(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a picture of ``(height, width)`` is so little larger that it needs no averaging."""
    return shape[0] < SLIGHT * size[1] and shape[1] < SLIGHT * size[0]
