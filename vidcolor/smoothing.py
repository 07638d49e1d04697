"""Steady colour: a*b* carried along motion and blended where the luma agrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

KNOWN = 0.5  # trust from which on a carried colour is changed in steps only
LIGHTNESS_TOLERANCE = 4.7  # L* by which a carried pixel may differ before its past is doubted (12 of 255)


class Smoother(Protocol):
    """Causal filter over the frames of one shot: for each frame `carry`, then `update`."""

    def reset(self) -> None:
        """Forget the past: a new shot begins."""

    def carry(self, lightness: np.ndarray) -> float:
        """Carry the colour of the past to a frame with small L* ``(h, w)``.

        Gives the share of the picture, 0..1, whose colour that leaves in doubt: 1 where there is no past.
        """

    def update(self, ab: np.ndarray | None) -> np.ndarray:
        """The steadied a*b* ``(h', w', 2)`` of that frame.

        `ab` is its prediction, of the same shape; without one the carried colour stands, so `carry` must have found a
        past.
        """


class NoSmoother:
    """Every frame as predicted."""

    def reset(self) -> None:
        pass

    def carry(self, lightness: np.ndarray) -> float:
        return 1.0

    def update(self, ab: np.ndarray | None) -> np.ndarray:
        assert ab is not None
        return ab


@dataclass(frozen=True)
class Past:
    """The newest frame of a shot."""

    grey: np.ndarray  # (h, w) uint8: what flow is sought on
    small: np.ndarray  # (h', w') float32, L* on the grid of a*b*
    ab: np.ndarray  # (h', w', 2) float32
    trust: np.ndarray  # (h', w') float32, 0..1: how far its colour has been carried without doubt
    due: np.ndarray | None = None  # (h', w', 2) float32: change of a*b* that is still to come
    left: int = 0  # frames that it is shared among


class FlowSmoother:
    """Motion-compensated recursive filter, ``s_t = x_t + k (warp(s_{t-1}) - x_t)``.

    k is `amount` where the warped luma matches and falls as ``exp(-(dL / LIGHTNESS_TOLERANCE)^2)``, so occlusions
    and fast changes take the new prediction. Flow: Dense Inverse Search (Kroeger et al. 2016) on the small luma.

    Frames without a prediction take the warped colour. A prediction after n frames moves colour by what n predictions
    would have moved it, ``1 - amount^n`` of the way; where the luma matched all along, in n equal steps, for a step
    every n frames would be seen as a pulse.
    """

    def __init__(self, amount: float) -> None:
        self.amount = amount
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.reset()

    def reset(self) -> None:
        self.past: Past | None = None
        self.lightness: np.ndarray | None = None  # of a frame that has nothing behind it
        self.steps = 0  # frames since the last prediction

    def carry(self, lightness: np.ndarray) -> float:
        if self.past is None:
            self.lightness = lightness
            return 1.0
        past, grey = self.past, to_grey(lightness)
        height, width = past.small.shape
        small = cv2.resize(lightness, (width, height), interpolation=cv2.INTER_AREA)
        flow = self.flow.calc(grey, past.grey, None)  # type: ignore[call-overload]  # where each pixel was a frame ago
        x, y = cv2.split(grid(width, height) + shrink(flow, width, height))

        def move(plane: np.ndarray) -> np.ndarray:
            return cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

        carried = move(cv2.merge((past.ab, past.small, past.trust)))
        match = np.exp(-(((carried[..., 2] - small) / LIGHTNESS_TOLERANCE) ** 2))
        ab, due = np.ascontiguousarray(carried[..., :2]), None
        if past.due is not None and past.left:
            share = move(past.due) * np.float32(1.0 / past.left)
            ab, due = ab + share, share * np.float32(past.left - 1)
        self.past = Past(grey, small, ab, carried[..., 3] * match, due, max(0, past.left - 1))
        self.steps += 1
        return float((self.past.trust < KNOWN).mean())

    def update(self, ab: np.ndarray | None) -> np.ndarray:
        past, n = self.past, self.steps
        if past is None:
            assert ab is not None
            assert self.lightness is not None
            small = cv2.resize(self.lightness, ab.shape[1::-1], interpolation=cv2.INTER_AREA)
            self.past = Past(to_grey(self.lightness), small, ab, np.ones(ab.shape[:2], np.float32))
            return ab
        if ab is None:
            return past.ab
        trust = past.trust[..., None]
        move = 1.0 - np.float32(self.amount**n) * trust  # of the way to the prediction
        now = np.clip(1.0 - trust / KNOWN, 0.0, move)  # at once, where the colour is not known at all
        due = np.float32(0) if past.due is None else past.due
        off = ab - (past.ab + due)
        due = due + (move - now) * off
        ab = past.ab + now * off + due * np.float32(1.0 / n)
        due, sure = due * np.float32(1.0 - 1.0 / n), np.ones_like(past.trust)
        self.past, self.steps = Past(past.grey, past.small, ab, sure, due, n - 1), 0
        return ab


def to_grey(lightness: np.ndarray) -> np.ndarray:
    """L* as uint8 0..255."""
    return cv2.convertScaleAbs(lightness, alpha=2.55)


def shrink(flow: np.ndarray, width: int, height: int) -> np.ndarray:
    """Flow in pixels of its own picture to flow of a `width` x `height` picture in its pixels."""
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * scale


def grid(width: int, height: int) -> np.ndarray:
    """x and y of every pixel, float32 ``(height, width, 2)``."""
    return np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)


SMOOTHERS: dict[str, Callable[[float], Smoother]] = {
    "none": lambda amount: NoSmoother(),
    "flow": FlowSmoother,
}


def make_smoother(amount: float) -> Smoother:
    """The smoother for an `amount` of 0 (off) to 1."""
    return SMOOTHERS["flow" if amount > 0 else "none"](amount)
