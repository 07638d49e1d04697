"""A frame on its way, with the number that it keeps from decoder to encoder."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from vidcolor.color.proxy import LumaProxy


@dataclass(frozen=True)
class Prepared:
    """A decoded frame and its luma proxy."""

    number: int  # counted from 0, in the order of the film
    frame: Any  # av.VideoFrame, or an array
    proxy: LumaProxy

    @property
    def time(self) -> Fraction | None:
        return time_of(self.frame)


@dataclass(frozen=True)
class Colored:
    """A frame with its colour, to be merged under its luma."""

    number: int
    frame: Any
    proxy: LumaProxy
    ab: np.ndarray  # (h', w', 2) float32, on the a*b* grid
    kind: str = ""  # how a shot begins with this frame, empty where none does; see shots.detector.Decided
    anew: bool = True  # keep nothing of the frame before

    @property
    def time(self) -> Fraction | None:
        return time_of(self.frame)


def time_of(frame: Any) -> Fraction | None:
    """Seconds, where `frame` has a time stamp."""
    return frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
