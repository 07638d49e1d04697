"""Smoothers that hold no frame back: for cameras and streams, and for comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vidcolor.temporal import motion
from vidcolor.temporal.motion import Motion, move

LONGEST = 4  # frames from one prediction to the next, where the pace is chosen by motion
KNOWN = 0.5  # trust from which on a carried colour is changed in steps only
DOUBT = 0.04  # share of the picture without a sure colour that calls for a prediction before


class NoSmoother:
    """Every frame as predicted, in batches."""

    def __init__(self, predict: Callable[[list[np.ndarray]], np.ndarray], batch: int) -> None:
        self.predict, self.batch, self.lag = predict, batch, batch - 1
        self.held: list[np.ndarray] = []

    def push(self, lightness: np.ndarray) -> list[np.ndarray]:
        self.held.append(lightness)
        return self.finish() if len(self.held) == self.batch else []

    def finish(self) -> list[np.ndarray]:
        held, self.held = self.held, []
        return list(self.predict(held)) if held else []


class EmaSmoother:
    """Exponential moving average where the picture stands still, ``s_t = x_t + k (s_{t-1} - x_t)``.

    k is `amount`, less where the luma has changed. Without motion: what the others are measured against.
    """

    lag = 0

    def __init__(self, predict: Callable[[list[np.ndarray]], np.ndarray], amount: float) -> None:
        self.predict, self.amount = predict, np.float32(amount)
        self.past: tuple[np.ndarray, np.ndarray] | None = None

    def push(self, lightness: np.ndarray) -> list[np.ndarray]:
        ab = self.predict([lightness])[0]
        small = motion.to_grid(lightness, ab.shape[1], ab.shape[0])
        if self.past is not None:
            was, steady = self.past
            ab = ab + (self.amount * motion.match(was, small))[..., None] * (steady - ab)
        self.past = small, ab
        return [ab]

    def finish(self) -> list[np.ndarray]:
        self.past = None
        return []


@dataclass(frozen=True)
class Past:
    """The newest frame of a shot."""

    grey: np.ndarray  # what flow is sought on
    small: np.ndarray  # (h', w') float32, L* on the grid of a*b*
    ab: np.ndarray  # (h', w', 2) float32
    trust: np.ndarray  # (h', w') float32, 0..1: how far its colour has been carried without doubt
    due: np.ndarray  # (h', w', 2) float32: change of a*b* that is still to come
    left: int  # frames that it is shared among


class FlowSmoother:
    """Motion-compensated recursive filter, ``s_t = x_t + k (warp(s_{t-1}) - x_t)``.

    k is `amount` where the warped luma matches and falls with the difference, so occlusions and fast changes take the
    new prediction.

    Frames without a prediction (`every`; None: as many as motion allows) take the warped colour. A prediction after n
    frames moves colour by what n predictions would have moved it, ``1 - amount^n`` of the way; where the luma matched
    all along, in n equal steps, for a step every n frames would be seen as a pulse.
    """

    lag = 0

    def __init__(
        self, predict: Callable[[list[np.ndarray]], np.ndarray], amount: float, every: int | None = None
    ) -> None:
        self.predict, self.amount, self.every = predict, amount, every
        self.motion = Motion()
        self.finish()

    def finish(self) -> list[np.ndarray]:
        self.past: Past | None = None
        self.steps = 0  # frames since the last prediction
        return []

    def push(self, lightness: np.ndarray) -> list[np.ndarray]:
        if self.past is None:
            self.past = self.begin(lightness)
            return [self.past.ab]
        self.past = self.carry(self.past, lightness)
        self.steps += 1
        if self.wants(float((self.past.trust < KNOWN).mean())):
            self.past = self.update(self.past, self.predict([lightness])[0])
            self.steps = 0
        return [self.past.ab]

    def wants(self, doubt: float) -> bool:
        """Whether the network shall see a frame of which the share `doubt` has no sure colour yet."""
        return self.steps >= (self.every or LONGEST) or (self.every is None and doubt > DOUBT)

    def begin(self, lightness: np.ndarray) -> Past:
        ab = self.predict([lightness])[0]
        small = motion.to_grid(lightness, ab.shape[1], ab.shape[0])
        return Past(self.motion.grey(small), small, ab, np.ones_like(small), np.zeros_like(ab), 0)

    def carry(self, past: Past, lightness: np.ndarray) -> Past:
        """The colour of the past on a new frame."""
        height, width = past.small.shape
        small = motion.to_grid(lightness, width, height)
        grey = self.motion.grey(small)
        where = self.motion.between(grey, past.grey, width, height)
        trust = move(past.trust, where) * motion.match(move(past.small, where), small)
        ab, due = move(past.ab, where), past.due
        if past.left:
            share = move(due, where) * np.float32(1.0 / past.left)
            ab, due = ab + share, share * np.float32(past.left - 1)
        return Past(grey, small, ab, trust, due, max(0, past.left - 1))

    def update(self, past: Past, ab: np.ndarray) -> Past:
        """A prediction for the newest frame, `steps` frames after the last one."""
        n, trust = self.steps, past.trust[..., None]
        change = 1.0 - np.float32(self.amount**n) * trust  # of the way to the prediction
        now = np.clip(1.0 - trust / KNOWN, 0.0, change)  # at once, where the colour is not known at all
        due = past.due if past.left else np.zeros_like(ab)
        off = ab - (past.ab + due)
        due = due + (change - now) * off
        ab = past.ab + now * off + due * np.float32(1.0 / n)
        return Past(past.grey, past.small, ab, np.ones_like(past.trust), due * np.float32(1.0 - 1.0 / n), n - 1)
