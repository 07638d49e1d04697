"""Measures how long each stage works."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class Clock:
    """Adds up the time of each stage. A stage belongs to one thread; stages that it calls are counted on their own."""

    def __init__(self) -> None:
        self.busy: dict[str, float] = {}
        self.nested = 0.0  # seconds spent in stages called by the running one

    def time(self, stage: str, work: Callable[[*Given], Result], *args: *Given) -> Result:
        """The result of `work(*args)`; its time is counted for `stage`."""
        outer, self.nested, began = self.nested, 0.0, time.perf_counter()
        try:
            return work(*args)
        finally:
            passed = time.perf_counter() - began
            self.busy[stage] = self.busy.get(stage, 0.0) + passed - self.nested
            self.nested = outer + passed
