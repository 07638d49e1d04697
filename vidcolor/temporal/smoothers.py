"""Steady colour: predictions of single frames in, a*b* that stands still along motion out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from vidcolor.options import ColorizeOptions
from vidcolor.temporal.causal import EmaSmoother, FlowSmoother, NoSmoother
from vidcolor.temporal.lookahead import LookaheadSmoother

Predict = Callable[[list[np.ndarray]], np.ndarray]  # L* pictures (h, w) of one size to a*b* (n, h', w', 2)


class Smoother(Protocol):
    """Filter over the frames of one shot after the other; it alone decides which frames the network sees.

    Nothing is carried from one shot to the next, so a shot comes out the same whatever surrounds it.
    """

    lag: int  # frames that it may hold back; 0 is causal

    def push(self, lightness: np.ndarray) -> list[np.ndarray]:
        """Take the next frame's small L* ``(h, w)``; gives a*b* ``(h', w', 2)`` of the frames now ready, in order."""

    def finish(self) -> list[np.ndarray]:
        """The shot is over: a*b* of all frames still held; what comes next begins anew."""


SMOOTHERS: dict[str, Callable[[Predict, ColorizeOptions], Smoother]] = {
    "none": lambda predict, options: NoSmoother(predict, options.batch),
    "ema": lambda predict, options: EmaSmoother(predict, options.smoothing),
    "flow": lambda predict, options: FlowSmoother(predict, options.smoothing, options.every),
    "lookahead": lambda predict, options: LookaheadSmoother(predict, options.smoothing, options.every),
}


def smoother_name(options: ColorizeOptions, *, live: bool = False) -> str:
    """The smoother that the options ask for: by default `lookahead`, or `flow` where no frame may wait."""
    if options.smoother == "auto" and options.smoothing == 0.0 and options.every in (None, 1):
        return "none"
    name = "lookahead" if options.smoother == "auto" else options.smoother
    return "flow" if live and name == "lookahead" else name
