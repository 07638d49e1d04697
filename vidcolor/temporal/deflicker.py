"""Removes the brightness flicker of old film from what the network and the smoother see; the output keeps it."""

from __future__ import annotations

import cv2
import numpy as np

MEMORY = 0.95  # of the running mean of brightness
MAX_GAIN = 1.25  # largest factor of brightness, up or down: so a fade is followed
BLACK = 3.0  # mean L* below which a picture does not count towards the running mean


class Deflicker:
    """Brings every frame to the running mean brightness of its shot: L* times a gain, ``running_mean / mean``.

    A network's colours depend on brightness. Without this, film whose brightness flickers by 15 % gets several times
    as much colour flicker.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new shot begins."""
        self.running_mean: float | None = None

    def __call__(self, lightness: np.ndarray) -> np.ndarray:
        """L* ``(h, w)`` of the next frame of a shot, deflickered; clipped to 0..100."""
        mean = cv2.mean(lightness)[0]
        if mean < BLACK:
            return lightness
        running_mean = mean if self.running_mean is None else MEMORY * self.running_mean + (1.0 - MEMORY) * mean
        self.running_mean = min(max(running_mean, mean / MAX_GAIN), mean * MAX_GAIN)
        even = lightness * np.float32(self.running_mean / mean)
        cv2.threshold(even, 100.0, 0.0, cv2.THRESH_TRUNC, dst=even)
        return even
