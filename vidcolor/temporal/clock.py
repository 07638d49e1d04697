"""How long each stage works."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Adds up how long each stage works; a stage belongs to one thread, and what it calls is counted apart."""

    def __init__(self) -> None:
        self.busy: dict[str, float] = {}
        self.within = 0.0  # seconds of the stages that the running one has called

    def time(self, stage: str, work: Callable, *args):
        outer, self.within, began = self.within, 0.0, time.perf_counter()
        try:
            return work(*args)
        finally:
            passed = time.perf_counter() - began
            self.busy[stage] = self.busy.get(stage, 0.0) + passed - self.within
            self.within = outer + passed
