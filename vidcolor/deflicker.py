"""The brightness flicker of old film taken out of what the network and the smoother see; the screen keeps it."""

from __future__ import annotations

import cv2
import numpy as np

MEMORY = 0.95  # of the running mean of brightness
MOST = 1.4  # times that a picture is brightened or darkened


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
        mean = max(cv2.mean(lightness)[0], 1.0)
        self.usual = mean if self.usual is None else MEMORY * self.usual + (1.0 - MEMORY) * mean
        gain = min(max(self.usual / mean, 1.0 / MOST), MOST)
        steady = lightness * np.float32(gain)
        return np.minimum(steady, np.float32(100.0), out=steady)
