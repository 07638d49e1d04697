"""The luma proxy: the small picture that the network, the smoother and the merge all work on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.color.encoding import Encoding, luma_to_lightness
from vidcolor.color.resize import halve, halves, shrink

MULTIPLE = 32  # the sides of the network's input are multiples of it
MAX_ASPECT = 8  # long side of a proxy, in short sides
MAX_TRIM = 0.04  # share of its size by which a proxy may shrink to need less padding


@dataclass(frozen=True)
class ProxySize:
    """Sizes that belong to one film. The proxy keeps the film's aspect; only the network's input is padded.

    The proxy lies as the film's samples do. The network alone sees it turned as it is shown.
    """

    width: int
    height: int
    turn: int = 0  # quarter turns counterclockwise by which the film is shown, 0 to 3

    @classmethod
    def fit(cls, width: int, height: int, short: int, aspect: float = 1.0, turn: int = 0) -> ProxySize:
        """A picture of `width` x `height` pixels, each `aspect` wide, with its short side at `short` pixels.

        A smaller picture is enlarged, since the network then colours it better. Where the long side is just over a
        multiple of 32, the proxy shrinks to that multiple: that costs less than another 32 columns of padding.
        """
        shown = width * aspect
        scale = short / min(shown, height)
        scale = min(scale, MAX_ASPECT * short / max(shown, height))
        long = max(shown, height) * scale
        if long > MULTIPLE and (long % MULTIPLE) / long < MAX_TRIM:
            scale *= (long - long % MULTIPLE) / long
        return cls(max(1, round(shown * scale)), max(1, round(height * scale)), turn)

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the network's input, before it is turned."""
        return -(-self.height // MULTIPLE) * MULTIPLE, -(-self.width // MULTIPLE) * MULTIPLE

    def grid(self, stride: int) -> tuple[int, int]:
        """Height and width of the a*b* grid that covers the picture."""
        return -(-self.height // stride), -(-self.width // stride)


@dataclass(frozen=True)
class LumaProxy:
    """A frame as the network, the smoother and the merge see it."""

    luma: np.ndarray  # (h, w) code values
    lightness: np.ndarray  # (h, w) float32 L*
    half: np.ndarray | None = None  # code values of the frame at half its size, if the proxy was made from it


def make_proxy(luma: np.ndarray, size: ProxySize, encoding: Encoding) -> LumaProxy:
    """The proxy of full-size `luma` code values: halved by area averaging while it can be, then resized once."""
    wanted = size.width, size.height
    half = halve(luma) if halves(luma.shape, wanted) else None
    if luma.shape[0] >= size.height:
        codes = shrink(luma if half is None else half, wanted)
    else:
        codes = cv2.resize(luma, wanted, interpolation=cv2.INTER_CUBIC)
        np.minimum(codes, 2**encoding.depth - 1, out=codes)  # cubic interpolation overshoots
    return LumaProxy(codes, luma_to_lightness(codes, encoding), half)


def network_input(lightness: list[np.ndarray], size: ProxySize) -> np.ndarray:
    """L* pictures as a padded batch ``(N, 1, H, W)``, turned as they are shown; the padding mirrors the picture."""
    height, width = size.padded
    bottom, right = height - size.height, width - size.width
    how = cv2.BORDER_REFLECT_101 if bottom < size.height and right < size.width else cv2.BORDER_REPLICATE
    batch = np.stack([cv2.copyMakeBorder(x, 0, bottom, 0, right, how) for x in lightness])[:, None]
    return np.ascontiguousarray(np.rot90(batch, size.turn, (2, 3)))


def crop_grid(ab: np.ndarray, size: ProxySize, stride: int) -> np.ndarray:
    """a*b* ``(N, 2, H / s, W / s)`` of the network, turned back and without the padding, as ``(N, h', w', 2)``.

    A cell that the picture covers in part is kept, so the grid is at most stride - 1 pixels too wide.
    """
    rows, columns = size.grid(stride)
    lying = np.rot90(ab, -size.turn, (2, 3))
    return np.ascontiguousarray(lying[:, :, :rows, :columns].transpose(0, 2, 3, 1))
