"""From luma proxies to stable colour: shots, deflicker, and the smoother within each shot."""

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
class StableColor:
    """The colour of a frame, stable in time."""

    ab: np.ndarray  # (h', w', 2)
    kind: str  # how a shot begins with this frame, empty where none does; see shots.detector.Decided
    anew: bool  # keep nothing of the frame before: a shot begins, or there is no smoothing


class Stabilizer:
    """Takes consecutive frames and returns stable a*b*, some frames later; keeps nothing across shots.

    `predict` runs the network. With `live` no frame is held back. Pass `shots` where they are known beforehand.

    Attributes:
        shots_begun: number of shots so far.
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
        self.waiting: deque[np.ndarray] = deque()  # L* of frames that the shot detector has not decided on
        self.shots_begun, self.kind = 0, ""
        name = smoother_name(options, live=live)
        self.deflicker = Deflicker() if name != "none" else None  # without smoothing each frame stands alone
        self.smoother = SMOOTHERS[name](lambda x: self.clock.time("network", predict, x), options)

    def push(self, proxy: LumaProxy) -> list[StableColor]:
        """The frames that are ready, in order."""
        self.waiting.append(proxy.lightness)
        return self.take(self.clock.time("smoothing", self.shots.push, proxy.lightness))

    def finish(self) -> list[StableColor]:
        """The frames still held, at the film's end."""
        return self.take(self.clock.time("smoothing", self.shots.finish)) + self.end_shot()

    def take(self, decided: list[Decided]) -> list[StableColor]:
        done: list[StableColor] = []
        for _, kind in decided:
            if kind:
                done += self.end_shot()
                self.shots_begun, self.kind = self.shots_begun + 1, kind
            lightness = self.waiting.popleft()
            if self.deflicker:
                lightness = self.clock.time("smoothing", self.deflicker, lightness)
            done += self.mark(self.clock.time("smoothing", self.smoother.push, lightness))
        return done

    def end_shot(self) -> list[StableColor]:
        if self.deflicker:
            self.deflicker.reset()
        return self.mark(self.clock.time("smoothing", self.smoother.finish))

    def mark(self, ready: list[np.ndarray]) -> list[StableColor]:
        done = []
        for ab in ready:
            done.append(StableColor(ab, self.kind, bool(self.kind) or self.deflicker is None))
            self.kind = ""
        return done
