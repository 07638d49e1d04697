"""Shrinks planes, fast."""

from __future__ import annotations

import cv2
import numpy as np

MAX_LINEAR = 1.5  # factor up to which linear interpolation shrinks as well as area averaging, and faster


def shrink(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane ``(h, w)`` at `size`, ``(width, height)``, by area averaging; in halves, which is by far the fastest."""
    while halves(plane.shape, size):
        plane = halve(plane)
    how = cv2.INTER_LINEAR_EXACT if is_near(plane.shape, size) else cv2.INTER_AREA
    return cv2.resize(plane, size, interpolation=how)


def halve(plane: np.ndarray) -> np.ndarray:
    return cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)


def halves(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a picture of `shape` ``(height, width)`` is at least twice `size`."""
    return shape[0] >= 2 * size[1] and shape[1] >= 2 * size[0]


def is_near(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a picture of `shape` ``(height, width)`` is so close to `size` that it needs no averaging."""
    return shape[0] < MAX_LINEAR * size[1] and shape[1] < MAX_LINEAR * size[0]
