"""Cut detection on the small luma, frame by frame."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 32  # pixels of the thumbnail that is compared
FLOOR = 11.0  # L* by which the thumbnail must change at a cut
RATIO = 3.0  # times the usual change of the last frames
MEMORY = 0.8  # of the running mean of changes


class CutDetector:
    """A cut is a change of the picture that is large, and large beside the changes of the frames before.

    The thumbnail's mean is taken out first, so a flicker of brightness counts little.
    """

    def __init__(self) -> None:
        self.past: np.ndarray | None = None
        self.usual = 0.0

    def update(self, lightness: np.ndarray) -> bool:
        """Whether the frame with small L* ``(h, w)`` begins a new shot; the first frame always does."""
        thumbnail = cv2.resize(lightness, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        thumbnail = thumbnail - thumbnail.mean()
        past, self.past = self.past, thumbnail
        if past is None:
            return True
        change = float(np.abs(thumbnail - past).mean())
        if change > max(FLOOR, RATIO * self.usual):
            return True
        self.usual = MEMORY * self.usual + (1.0 - MEMORY) * change
        return False
