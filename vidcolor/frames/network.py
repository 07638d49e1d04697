"""The network as the smoothers call it: luma proxies in, a*b* of their grid out."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vidcolor.backends import Backend
from vidcolor.color.proxy import ProxySize, crop_grid, network_input
from vidcolor.conditions.known import Known

Condition = Callable[[int, np.ndarray], Known | None]  # number and L* (h, w) of a frame to what is known of its colour


class Network:
    """Pads luma proxies of one size for `backend`, and crops what it gives.

    With `condition` it is told what is known of each frame, and completes it. The a*b* grid is the finer one of what is
    known then: a network's own colours are smooth, those of a picture are not. `strength` is the factor of its own
    a*b*; what is known keeps its colour.

    Attributes:
        predicted: frames that the network has seen.
    """

    def __init__(
        self, backend: Backend, size: ProxySize, condition: Condition | None = None, *, strength: float = 1.0
    ) -> None:
        self.backend, self.size, self.condition, self.strength = backend, size, condition, np.float32(strength)
        self.predicted = 0

    def __call__(self, numbers: list[int], lightness: list[np.ndarray]) -> np.ndarray:
        """Numbers and L* pictures ``(h, w)`` of frames to a*b* ``(n, h', w', 2)``; see Predict."""
        self.predicted += len(lightness)
        batch = network_input(lightness, self.size)
        if self.condition is None:
            return crop_grid(self.backend.predict(batch), self.size, self.backend.stride)
        known = [self.condition(n, x) for n, x in zip(numbers, lightness, strict=True)]
        planes = self.conditions(known) if self.backend.takes_conditions and any(known) else None
        ab = crop_grid(self.backend.predict(batch, planes), self.size, self.backend.stride)
        return np.stack([self.finer(x, k) for x, k in zip(ab, known, strict=True)])

    def conditions(self, known: list[Known | None]) -> np.ndarray:
        """The backend's second input ``(N, 3, H / s, W / s)``: nothing is known of the padding."""
        stride = self.backend.stride
        height, width = (side // stride for side in self.size.padded)
        rows, columns = self.size.grid(stride)
        planes = np.zeros((len(known), 3, height, width), np.float32)
        for into, one in zip(planes, known, strict=True):
            if one is not None:
                small = one.shrunk((columns, rows))
                into[:2, :rows, :columns] = small.ab.transpose(2, 0, 1)
                into[2, :rows, :columns] = small.confidence
        return np.ascontiguousarray(np.rot90(planes, self.size.turn, (2, 3)))

    def finer(self, ab: np.ndarray, known: Known | None) -> np.ndarray:
        """a*b* on the grid of what is known, which is laid over it, and the confidence of that."""
        size = -(-self.size.width // 2), -(-self.size.height // 2)
        fine = cv2.resize(ab * self.strength, size, interpolation=cv2.INTER_LINEAR)
        if known is None:
            return np.dstack((fine, np.zeros(size[::-1], np.float32)))
        return np.dstack((known.over(fine), known.confidence))
