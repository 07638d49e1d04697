"""From small pictures to steady colour: shots, and the smoother within each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vidcolor.deflicker import Deflicker
from vidcolor.options import ColorizeOptions
from vidcolor.preview import Small
from vidcolor.shots import CutDetector
from vidcolor.smoothing import SMOOTHERS, Predict, smoother_name


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


@dataclass(frozen=True)
class Steadied:
    """The colour of a frame."""

    ab: np.ndarray  # (h', w', 2)
    anew: bool  # nothing of the frame before may be kept: a shot begins, or every frame stands alone


class Steady:
    """Consecutive frames in, steady a*b* out, some frames later; a cut forgets the past.

    `predict` runs the network. `live` says that no frame may be held back.

    Attributes:
        shots: begun so far.
    """

    def __init__(
        self, predict: Predict, options: ColorizeOptions, *, live: bool = False, clock: Clock | None = None
    ) -> None:
        self.clock = clock or Clock()
        self.cuts, self.shots, self.begins = CutDetector(), 0, True
        name = smoother_name(options, live=live)
        self.deflicker = Deflicker() if name != "none" else None  # without smoothing frames stand alone
        self.smoother = SMOOTHERS[name](lambda x: self.clock.time("network", predict, x), options)

    def push(self, small: Small) -> list[Steadied]:
        """The frames that are ready, in order."""
        done: list[Steadied] = []
        if self.clock.time("smoothing", self.cuts.update, small.lightness):
            done += self.finish()
            self.shots += 1
            self.begins = True
        lightness = small.lightness
        if self.deflicker:
            lightness = self.clock.time("smoothing", self.deflicker, lightness)
        return done + self.mark(self.clock.time("smoothing", self.smoother.push, lightness))

    def finish(self) -> list[Steadied]:
        """The frames still held; a new shot begins."""
        if self.deflicker:
            self.deflicker.reset()
        return self.mark(self.clock.time("smoothing", self.smoother.finish))

    def mark(self, ready: list[np.ndarray]) -> list[Steadied]:
        done = [Steadied(ab, self.deflicker is None or (self.begins and i == 0)) for i, ab in enumerate(ready)]
        self.begins = self.begins and not done
        return done
