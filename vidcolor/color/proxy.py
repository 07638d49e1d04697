"""The small picture that the network, the smoother and the chroma guide all see."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.color.encoding import Encoding, luma_to_lightness
from vidcolor.color.resize import halve, halves, shrink

MULTIPLE = 32  # sides of what the network is given
LONGEST = 8  # times the short side that the long one may have
SPARE = 0.04  # share of its size that a picture gives up for less padding


@dataclass(frozen=True)
class ProxySize:
    """Sizes that belong to one film: the small picture keeps the film's aspect, the padding is for the network only."""

    width: int
    height: int

    @classmethod
    def fit(cls, width: int, height: int, short: int, aspect: float = 1.0) -> ProxySize:
        """A picture of `width` x `height` pixels, each `aspect` wide, with its short side at `short` pixels.

        A picture smaller than that is enlarged: the network finds more in it that way. Where the long side is only
        just over a multiple of 32 the picture becomes a little smaller, instead of a strip of padding wider.
        """
        shown = width * aspect
        scale = short / min(shown, height)
        scale = min(scale, LONGEST * short / max(shown, height))
        long = max(shown, height) * scale
        if long > MULTIPLE and (long % MULTIPLE) / long < SPARE:
            scale *= (long - long % MULTIPLE) / long
        return cls(max(1, round(shown * scale)), max(1, round(height * scale)))

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return -(-self.height // MULTIPLE) * MULTIPLE, -(-self.width // MULTIPLE) * MULTIPLE

    def grid(self, stride: int) -> tuple[int, int]:
        """Height and width of the a*b* grid that covers the picture."""
        return -(-self.height // stride), -(-self.width // stride)


@dataclass(frozen=True)
class LumaProxy:
    """A frame as the network's side of the house sees it."""

    luma: np.ndarray  # (h, w) code values
    lightness: np.ndarray  # (h, w) float32 L*
    half: np.ndarray | None = None  # code values of the frame at half its size, where they were on the way


def make_proxy(luma: np.ndarray, size: ProxySize, encoding: Encoding) -> LumaProxy:
    """The small picture of full-size `luma` code values, by area averaging in halves, and what is left at once."""
    wanted = size.width, size.height
    half = halve(luma) if halves(luma.shape, wanted) else None
    if luma.shape[0] >= size.height:
        small = shrink(luma if half is None else half, wanted)
    else:
        small = cv2.resize(luma, wanted, interpolation=cv2.INTER_CUBIC)
        np.minimum(small, 2**encoding.depth - 1, out=small)  # cubic interpolation overshoots
    return LumaProxy(small, luma_to_lightness(small, encoding), half)


def network_input(lightness: list[np.ndarray], size: ProxySize) -> np.ndarray:
    """L* pictures as a padded batch ``(N, 1, H, W)``; the padding mirrors the picture."""
    height, width = size.padded
    bottom, right = height - size.height, width - size.width
    how = cv2.BORDER_REFLECT_101 if bottom < size.height and right < size.width else cv2.BORDER_REPLICATE
    return np.stack([cv2.copyMakeBorder(x, 0, bottom, 0, right, how) for x in lightness])[:, None]


def crop_grid(ab: np.ndarray, size: ProxySize, stride: int) -> np.ndarray:
    """a*b* ``(N, 2, H / s, W / s)`` without the padding, as ``(N, h', w', 2)``.

    Where the picture ends within a grid cell that cell stays: it is at most stride - 1 pixels too wide.
    """
    rows, columns = size.grid(stride)
    return np.ascontiguousarray(ab[:, :, :rows, :columns].transpose(0, 2, 3, 1))
