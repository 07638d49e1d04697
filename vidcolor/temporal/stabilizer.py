"""Stable colour within shots: brightness flicker taken out of what the smoother sees, and the smoother."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from vidcolor.options import ColorOptions
from vidcolor.temporal.causal import Predict, Smoothed
from vidcolor.temporal.clock import Clock
from vidcolor.temporal.deflicker import Deflicker
from vidcolor.temporal.smoothers import make_smoother, smoother_name


@dataclass(frozen=True)
class StableColor:
    """The colour of a frame, stable in time."""

    number: int  # of the frame
    ab: np.ndarray  # (h', w', 2)
    kind: str  # how a shot begins with this frame, empty where none does; see shots.detector.Decided
    anew: bool  # keep nothing of the frame before: a shot begins, or there is no smoothing


class Stabilizer:
    """Takes consecutive frames and returns stable a*b*, some frames later; keeps nothing across shots.

    `predict` runs the network; it sees the frames of the numbers `anchors` in any case, where frames can wait. With
    `live` no frame is held back.
    """

    def __init__(
        self, predict: Predict, options: ColorOptions, *,
        live: bool = False, anchors: Container[int] = (), clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.clock = clock or Clock()
        self.kinds: dict[int, str] = {}  # how shots begin, of frames that the smoother holds
        name = smoother_name(options, live=live)
        self.deflicker = Deflicker() if name != "none" else None  # without smoothing each frame stands alone
        self.smoother = make_smoother(
            name, lambda n, x: self.clock.time("network", predict, n, x), options, live=live, anchors=anchors
        )

    def push(self, number: int, lightness: np.ndarray, kind: str) -> list[StableColor]:
        """Take frame `number` with L* ``(h, w)`` of its luma proxy; returns the frames that are ready, in order.

        `kind` says how a shot begins with it; empty where none does.
        """
        done = self.finish() if kind else []
        if kind:
            self.kinds[number] = kind
        if self.deflicker:
            lightness = self.clock.time("smoothing", self.deflicker, lightness)
        return done + self.mark(self.clock.time("smoothing", self.smoother.push, number, lightness))

    def finish(self) -> list[StableColor]:
        """End the shot: the frames still held."""
        if self.deflicker:
            self.deflicker.reset()
        return self.mark(self.clock.time("smoothing", self.smoother.finish))

    def mark(self, ready: list[Smoothed]) -> list[StableColor]:
        done = []
        for number, ab in ready:
            kind = self.kinds.pop(number, "")
            done.append(StableColor(number, ab, kind, bool(kind) or self.deflicker is None))
        return done
