"""Steady colour: a*b* carried along motion and blended where the luma agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

LIGHTNESS_TOLERANCE = 4.7  # L* by which a carried pixel may differ before its past is doubted (12 of 255)


class Smoother(Protocol):
    """Causal filter over the frames of one shot."""

    def reset(self) -> None:
        """Forget the past: a new shot begins."""

    def update(self, lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
        """The steadied a*b* ``(h', w', 2)`` of a frame with small L* ``(h, w)`` and predicted a*b* ``(h', w', 2)``."""


class NoSmoother:
    """Every frame as predicted."""

    def reset(self) -> None:
        pass

    def update(self, lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
        return ab


class FlowSmoother:
    """Motion-compensated recursive filter, ``s_t = x_t + k (warp(s_{t-1}) - x_t)``.

    k is `amount` where the warped luma matches and falls as ``exp(-(dL / LIGHTNESS_TOLERANCE)^2)``, so occlusions
    and fast changes take the new prediction. Flow: Dense Inverse Search (Kroeger et al. 2016) on the small luma.
    """

    def __init__(self, amount: float) -> None:
        self.amount = amount
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.past: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def reset(self) -> None:
        self.past = None

    def update(self, lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
        grey = cv2.convertScaleAbs(lightness, alpha=2.55)
        height, width = ab.shape[:2]
        small = cv2.resize(lightness, (width, height), interpolation=cv2.INTER_AREA)
        if self.past is not None:
            past_grey, past_small, past_ab = self.past
            flow = self.flow.calc(grey, past_grey, None)  # type: ignore[call-overload]  # where each pixel was a frame ago
            x, y = cv2.split(grid(width, height) + shrink(flow, width, height))
            carried = cv2.remap(past_ab, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            was = cv2.remap(past_small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            trust = self.amount * np.exp(-(((was - small) / LIGHTNESS_TOLERANCE) ** 2))
            ab = ab + trust[..., None] * (carried - ab)
        self.past = (grey, small, ab)
        return ab


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
