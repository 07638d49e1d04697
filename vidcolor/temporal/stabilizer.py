"""From small pictures to steady colour: shots, and the smoother within each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from vidcolor.color.proxy import LumaProxy
from vidcolor.options import ColorizeOptions
from vidcolor.shots.detector import Decided, LiveShots, ShotDetector, Shots
from vidcolor.temporal.clock import Clock
from vidcolor.temporal.deflicker import Deflicker
from vidcolor.temporal.smoothers import SMOOTHERS, Predict, smoother_name


@dataclass(frozen=True)
class Steadied:
    """The colour of a frame."""

    ab: np.ndarray  # (h', w', 2)
    kind: str  # empty, or how the shot begins that begins here; see shots.Decided
    anew: bool  # nothing of the frame before may be kept: a shot begins, or every frame stands alone


class Steady:
    """Consecutive frames in, steady a*b* out, some frames later; nothing is kept across shots.

    `predict` runs the network. `live` says that no frame may be held back. `shots` are given where they are known.

    Attributes:
        shots_begun: so far.
    """

    def __init__(
        self,
        predict: Predict,
        options: ColorizeOptions,
        *,
        live: bool = False,
        shots: Shots | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.shots = shots or (LiveShots() if live else ShotDetector())
        self.waiting: deque[np.ndarray] = deque()  # L* of frames of which it is not decided whether a shot begins
        self.shots_begun, self.kind = 0, ""
        name = smoother_name(options, live=live)
        self.deflicker = Deflicker() if name != "none" else None  # without smoothing frames stand alone
        self.smoother = SMOOTHERS[name](lambda x: self.clock.time("network", predict, x), options)

    def push(self, small: LumaProxy) -> list[Steadied]:
        """The frames that are ready, in order."""
        self.waiting.append(small.lightness)
        return self.take(self.clock.time("smoothing", self.shots.push, small.lightness))

    def finish(self) -> list[Steadied]:
        """The frames still held, at the film's end."""
        return self.take(self.clock.time("smoothing", self.shots.finish)) + self.end_shot()

    def take(self, decided: list[Decided]) -> list[Steadied]:
        done: list[Steadied] = []
        for _, kind in decided:
            if kind:
                done += self.end_shot()
                self.shots_begun, self.kind = self.shots_begun + 1, kind
            lightness = self.waiting.popleft()
            if self.deflicker:
                lightness = self.clock.time("smoothing", self.deflicker, lightness)
            done += self.mark(self.clock.time("smoothing", self.smoother.push, lightness))
        return done

    def end_shot(self) -> list[Steadied]:
        if self.deflicker:
            self.deflicker.reset()
        return self.mark(self.clock.time("smoothing", self.smoother.finish))

    def mark(self, ready: list[np.ndarray]) -> list[Steadied]:
        done = []
        for ab in ready:
            done.append(Steadied(ab, self.kind, bool(self.kind) or self.deflicker is None))
            self.kind = ""
        return done
