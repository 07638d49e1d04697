"""Pictures as NumPy arrays on the one way for a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from vidcolor.color.proxy import LumaProxy, ProxySize
from vidcolor.frames.item import Colored
from vidcolor.stills.image import color_picture, picture_preview


@dataclass
class ArrayFrame:
    """A picture ``(h, w)`` or ``(h, w, 3)``; `ArrayFrames.prepare` fills in its grey, uint16 ``(h, w)``."""

    picture: np.ndarray
    signal: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.uint16))
    pts: int | None = None
    time_base: None = None


class ArrayFrames:
    """`FrameMemory` for `ArrayFrame`; gives RGB arrays ``(h, w, 3)`` of the pictures' own type.

    Attributes:
        size: of the luma proxies; known from the first picture on.
    """

    size = ProxySize(1, 1)

    def __init__(self, short: int) -> None:
        self.short = short

    def prepare(self, frame: ArrayFrame) -> LumaProxy:
        """Raises ValueError where the array has a shape or type that is not known."""
        frame.signal, proxy = picture_preview(frame.picture, self.short)
        self.size = ProxySize(proxy.lightness.shape[1], proxy.lightness.shape[0])
        return proxy

    def merge(self, item: Colored) -> Iterator[np.ndarray]:
        yield color_picture(item.frame.signal, item.proxy, item.ab, item.frame.picture.dtype)

    def finish(self) -> Iterator[np.ndarray]:
        yield from ()
