"""What is known of the colour of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

TINY = 1e-6


@dataclass(frozen=True)
class Known:
    """a*b* and how far to trust it.

    Attributes:
        ab: ``(h, w, 2)`` float32.
        confidence: ``(h, w)`` float32, 0 (nothing is known) to 1 (it is so).
    """

    ab: np.ndarray
    confidence: np.ndarray

    def shrunk(self, size: tuple[int, int]) -> Known:
        """At another size ``(w, h)``; a*b* is averaged by confidence."""
        confidence = cv2.resize(self.confidence, size, interpolation=cv2.INTER_AREA)
        ab = cv2.resize(self.ab * self.confidence[..., None], size, interpolation=cv2.INTER_AREA)
        return Known(ab / (confidence + np.float32(TINY))[..., None], confidence)

    def over(self, ab: np.ndarray) -> np.ndarray:
        """`ab` ``(h, w, 2)``, of the same size, with what is known laid over it."""
        mixed: np.ndarray = ab + self.confidence[..., None] * (self.ab - ab)
        return mixed


def mixed(parts: list[tuple[Known, float]]) -> Known:
    """What several say together, each with a share 0..1 (of nearness in time); the shares add up to 1."""
    weights = np.stack([np.float32(share) * (known.confidence + np.float32(TINY)) for known, share in parts])
    confidences = np.stack([known.confidence for known, _ in parts])
    total = weights.sum(0)
    ab = (weights[..., None] * np.stack([known.ab for known, _ in parts])).sum(0) / total[..., None]
    return Known(ab, (weights * confidences).sum(0) / total)
