"""From predictions to steady colour: cuts, which frames the network sees, and the smoother in between."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from vidcolor.options import ColorizeOptions
from vidcolor.preview import Small
from vidcolor.shots import CutDetector
from vidcolor.smoothing import FlowSmoother, Smoother, make_smoother

LONGEST = 4  # frames from one prediction to the next, where the pace is chosen by motion
DOUBT = 0.04  # share of the picture without a sure colour that calls for a prediction before


class Clock:
    """Adds up how long each stage works; a stage belongs to one thread."""

    def __init__(self) -> None:
        self.busy: dict[str, float] = {}

    def time(self, stage: str, work: Callable, *args):
        began = time.perf_counter()
        try:
            return work(*args)
        finally:
            self.busy[stage] = self.busy.get(stage, 0.0) + time.perf_counter() - began


class Pace:
    """Which frames the network sees; between them colour is carried along motion.

    A network on a GPU costs next to nothing, so there it sees every frame unless the user wants otherwise; so it does
    where nothing is to be smoothed.
    """

    def __init__(self, device: str, options: ColorizeOptions) -> None:
        self.amount = options.smoothing
        sees_all = device != "cpu" or options.smoothing == 0.0
        self.every = options.every or (1 if sees_all else None)
        self.since = 0

    def smoother(self) -> Smoother:
        return make_smoother(self.amount) if self.every == 1 else FlowSmoother(self.amount)

    def wants(self, doubt: float) -> bool:
        """Whether the network shall see a frame of which the share `doubt` has no sure colour yet."""
        self.since += 1
        due = self.since >= (self.every or LONGEST) or doubt >= 1.0 or (self.every is None and doubt > DOUBT)
        if due:
            self.since = 0
        return due


class Steady:
    """Consecutive frames in, steady a*b* out; a cut forgets the past."""

    def __init__(self, smoother: Smoother, pace: Pace) -> None:
        self.cuts, self.smoother, self.pace = CutDetector(), smoother, pace

    def __call__(
        self, small: Small, predict: Callable[[], np.ndarray], clock: Clock | None = None
    ) -> tuple[bool, np.ndarray]:
        """Whether the frame begins a shot, and its a*b* ``(h', w', 2)``; `predict` is called where it is needed."""
        clock = clock or Clock()
        is_cut = clock.time("smoothing", self.cuts.update, small.lightness)
        if is_cut:
            self.smoother.reset()
        doubt = clock.time("smoothing", self.smoother.carry, small.lightness)
        predicted = predict() if self.pace.wants(doubt) else None
        return is_cut, clock.time("smoothing", self.smoother.update, predicted)
