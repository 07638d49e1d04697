"""The brightness flicker of old film taken out of what the network and the smoother see; the screen keeps it."""

from __future__ import annotations

import cv2
import numpy as np

MEMORY = 0.95  # of the running mean of brightness
MOST = 1.25  # times that a picture is brightened or darkened: a fade is followed, not held back
BLACK = 3.0  # L* below which a picture tells nothing of the usual brightness


class Deflicker:
    """Every frame at the usual brightness of its shot: L* times a gain, ``usual / mean``.

    A network's colours depend on brightness: without this, film that flickers by 15 % flickers in colour several times
    as much as film held steady.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new shot begins."""
        self.usual: float | None = None

    def __call__(self, lightness: np.ndarray) -> np.ndarray:
        """L* ``(h, w)`` of the next frame of a shot, steadied; clipped to 0..100."""
        mean = cv2.mean(lightness)[0]
        if mean < BLACK:
            return lightness
        usual = mean if self.usual is None else MEMORY * self.usual + (1.0 - MEMORY) * mean
        self.usual = min(max(usual, mean / MOST), mean * MOST)
        steady = lightness * np.float32(self.usual / mean)
        cv2.threshold(steady, 100.0, 0.0, cv2.THRESH_TRUNC, dst=steady)
        return steady
