"""The smoothers by name: predictions of single frames in, a*b* that is stable along motion out."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Protocol

import numpy as np

from vidcolor.options import ColorOptions
from vidcolor.temporal.causal import EmaSmoother, FlowSmoother, NoSmoother, Predict, Smoothed
from vidcolor.temporal.lookahead import LookaheadSmoother


class Smoother(Protocol):
    """Filters the frames of one shot after the other, and decides which of them the network sees.

    It keeps nothing from one shot to the next, so a shot comes out the same whatever surrounds it.
    """

    def push(self, number: int, lightness: np.ndarray) -> list[Smoothed]:
        """Take L* ``(h, w)`` of the next luma proxy; returns the frames now ready, in order."""

    def finish(self) -> list[Smoothed]:
        """End the shot: returns all frames still held. The next frame starts from scratch."""


SMOOTHERS: dict[str, Callable[[Predict, ColorOptions], Smoother]] = {
    "none": lambda predict, options: NoSmoother(predict, options.batch),
    "ema": lambda predict, options: EmaSmoother(predict, options.smoothing),
    "flow": lambda predict, options: FlowSmoother(predict, options.smoothing, options.every),
    "lookahead": lambda predict, options: LookaheadSmoother(predict, options.smoothing, options.every),
}


def make_smoother(
    name: str, predict: Predict, options: ColorOptions, *, live: bool, anchors: Container[int] = ()
) -> Smoother:
    """The smoother `name`; with `live` no frame waits for others to be predicted with.

    The network sees the frames of the numbers `anchors` in any case, where frames can wait.
    """
    if name == "lookahead":
        return LookaheadSmoother(predict, options.smoothing, options.every, anchors=anchors)
    predict = bare(predict)  # only lookahead has a use for how far a colour is known
    return NoSmoother(predict, 1) if live and name == "none" else SMOOTHERS[name](predict, options)


def bare(predict: Predict) -> Predict:
    """`predict` without its third plane."""
    return lambda numbers, lightness: np.ascontiguousarray(predict(numbers, lightness)[..., :2])


def smoother_name(options: ColorOptions, *, live: bool = False) -> str:
    """The smoother that the options ask for: by default `lookahead`, or `flow` where no frame may wait."""
    if options.smoother == "auto" and options.smoothing == 0.0 and options.every in (None, 1):
        return "none"
    name = "lookahead" if options.smoother == "auto" else options.smoother
    return "flow" if live and name == "lookahead" else name
