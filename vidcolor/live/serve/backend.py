"""One network for live pictures and jobs: one call at a time, and live pictures first."""

from __future__ import annotations

import threading
import time

import numpy as np

from vidcolor.backends import Backend

PATIENCE = 0.25  # seconds after a live call during which jobs hold back
DUTY = 3.0  # times as long as it worked that a job then rests


class SharedBackend:
    """A backend that many threads may call; everything else is the wrapped one's."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.name, self.device, self.stride = backend.name, backend.device, backend.stride
        self.description, self.takes_conditions = backend.description, backend.takes_conditions
        self.lock = threading.Lock()

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        with self.lock:
            return self.backend.predict(lightness, conditions)

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        with self.lock:
            return self.backend.likely(lightness, conditions, count)

    def close(self) -> None:
        """The wrapped backend is closed by its owner."""


class Priority:
    """Lets jobs rest while a live picture is coloured, so that it keeps its rate."""

    def __init__(self) -> None:
        self.last_live = -1e9  # time.monotonic() of the last live frame
        self.rested = time.monotonic()

    def mark_live(self) -> None:
        self.last_live = time.monotonic()

    def rest(self, stop: threading.Event) -> None:
        """Called by a job between frames."""
        now = time.monotonic()
        if now - self.last_live < PATIENCE:
            stop.wait(min(1.0, DUTY * (now - self.rested)))
        self.rested = time.monotonic()
