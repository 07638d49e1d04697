"""Smoothers that hold no frame back: for cameras and streams, and for comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vidcolor.temporal import motion
from vidcolor.temporal.motion import Motion, warp_planes

MAX_INTERVAL = 4  # frames from one prediction to the next, where motion sets the pace
CONFIDENT = 0.5  # confidence from which a warped colour changes in steps only
MAX_OCCLUDED = 0.04  # share of the picture below CONFIDENT that brings the next prediction forward

# Numbers and L* (h, w) of frames to a*b* (n, h', w', 2); a third plane says how far they are known, 0..1.
Predict = Callable[[list[int], list[np.ndarray]], np.ndarray]
Smoothed = tuple[int, np.ndarray]  # number of a frame, and its a*b* (h', w', 2)


class NoSmoother:
    """Every frame as predicted, in batches."""

    def __init__(self, predict: Predict, batch: int) -> None:
        self.predict, self.batch = predict, batch
        self.held: dict[int, np.ndarray] = {}

    def push(self, number: int, lightness: np.ndarray) -> list[Smoothed]:
        self.held[number] = lightness
        return self.finish() if len(self.held) == self.batch else []

    def finish(self) -> list[Smoothed]:
        held, self.held = self.held, {}
        return list(zip(held, self.predict(list(held), list(held.values())), strict=True)) if held else []


class EmaSmoother:
    """Exponential moving average where the picture stands still, ``s_t = x_t + k (s_{t-1} - x_t)``.

    k is `amount`, and less where the luma has changed. It follows no motion: it is the yardstick for the others.
    """

    def __init__(self, predict: Predict, amount: float) -> None:
        self.predict, self.amount = predict, np.float32(amount)
        self.past: tuple[np.ndarray, np.ndarray] | None = None

    def push(self, number: int, lightness: np.ndarray) -> list[Smoothed]:
        ab = self.predict([number], [lightness])[0]
        grid_lightness = motion.to_grid(lightness, ab.shape[1], ab.shape[0])
        if self.past is not None:
            past_lightness, past_ab = self.past
            ab = ab + (self.amount * motion.match(past_lightness, grid_lightness))[..., None] * (past_ab - ab)
        self.past = grid_lightness, ab
        return [(number, ab)]

    def finish(self) -> list[Smoothed]:
        self.past = None
        return []


@dataclass(frozen=True)
class Past:
    """The newest frame of a shot."""

    grey: np.ndarray  # the picture that optical flow is computed on
    grid_lightness: np.ndarray  # (h', w') float32, L* on the a*b* grid
    ab: np.ndarray  # (h', w', 2) float32
    confidence: np.ndarray  # (h', w') float32, 0..1: how well the luma has matched since the last prediction
    residual: np.ndarray  # (h', w', 2) float32: change of a*b* that is still to be applied
    frames_left: int  # frames over which the residual is spread


class FlowSmoother:
    """Motion-compensated recursive filter, ``s_t = x_t + k (warp(s_{t-1}) - x_t)``.

    k is `amount` where the warped luma matches and falls with the difference, so occlusions and fast changes take the
    new prediction.

    Frames without a prediction (`every`; None: as many as motion allows) take the warped colour. A prediction after n
    frames moves the colour as far as n predictions would, by ``1 - amount^n`` of the difference. Where the luma has
    matched all along, it does so in n equal steps: one step every n frames would be seen as a pulse.
    """

    def __init__(self, predict: Predict, amount: float, every: int | None = None) -> None:
        self.predict, self.amount, self.every = predict, amount, every
        self.motion = Motion()
        self.finish()

    def finish(self) -> list[Smoothed]:
        self.past: Past | None = None
        self.steps = 0  # frames since the last prediction
        return []

    def push(self, number: int, lightness: np.ndarray) -> list[Smoothed]:
        if self.past is None:
            self.past = self.begin(number, lightness)
            return [(number, self.past.ab)]
        self.past = self.warp(self.past, lightness)
        self.steps += 1
        if self.needs_prediction(float((self.past.confidence < CONFIDENT).mean())):
            self.past = self.update(self.past, self.predict([number], [lightness])[0])
            self.steps = 0
        return [(number, self.past.ab)]

    def needs_prediction(self, occluded: float) -> bool:
        """Whether the network must see this frame; `occluded` is the share of it without a confident colour."""
        return self.steps >= (self.every or MAX_INTERVAL) or (self.every is None and occluded > MAX_OCCLUDED)

    def begin(self, number: int, lightness: np.ndarray) -> Past:
        ab = self.predict([number], [lightness])[0]
        cells = motion.to_grid(lightness, ab.shape[1], ab.shape[0])
        return Past(self.motion.grey(cells), cells, ab, np.ones_like(cells), np.zeros_like(ab), 0)

    def warp(self, past: Past, lightness: np.ndarray) -> Past:
        """The past's colour warped to a new frame, with one step of the residual applied."""
        height, width = past.grid_lightness.shape
        cells = motion.to_grid(lightness, width, height)
        grey = self.motion.grey(cells)
        warp = self.motion.find_warp(grey, past.grey, width, height)
        confidence = warp_planes(past.confidence, warp) * motion.match(warp_planes(past.grid_lightness, warp), cells)
        ab, residual = warp_planes(past.ab, warp), past.residual
        if past.frames_left:
            step = warp_planes(residual, warp) * np.float32(1.0 / past.frames_left)
            ab, residual = ab + step, step * np.float32(past.frames_left - 1)
        return Past(grey, cells, ab, confidence, residual, max(0, past.frames_left - 1))

    def update(self, past: Past, ab: np.ndarray) -> Past:
        """Mix in a prediction for the newest frame, `steps` frames after the last prediction."""
        n, confidence = self.steps, past.confidence[..., None]
        change = 1.0 - np.float32(self.amount**n) * confidence  # share of the difference to the prediction
        at_once = np.clip(1.0 - confidence / CONFIDENT, 0.0, change)  # not in steps, where the colour is uncertain
        residual = past.residual if past.frames_left else np.zeros_like(ab)
        difference = ab - (past.ab + residual)
        residual = residual + (change - at_once) * difference
        ab = past.ab + at_once * difference + residual * np.float32(1.0 / n)
        rest = residual * np.float32(1.0 - 1.0 / n)
        return Past(past.grey, past.grid_lightness, ab, np.ones_like(past.confidence), rest, n - 1)
