"""Frames in the CPU's memory: the luma proxy of each, and the coloured ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import av
import cv2
import numpy as np

from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import LumaProxy, ProxySize, make_proxy
from vidcolor.frames.item import Colored
from vidcolor.merge import chroma_writer
from vidcolor.merge.chroma import ChromaWriter, chroma_coefficients
from vidcolor.video.encoder import VideoSettings, output_frame, source_encoding
from vidcolor.video.formats import plane


class FrameMemory(Protocol):
    """Where frames lie, and how they are looked at and merged there."""

    size: ProxySize

    def prepare(self, frame: Any) -> LumaProxy:
        """The luma proxy of a decoded frame."""

    def merge(self, item: Colored) -> Iterator[Any]:
        """The output frames that are ready, in order; the item's own may come later."""

    def finish(self) -> Iterator[Any]:
        """The output frames held back."""


class HostFrames:
    """`FrameMemory` in the CPU's memory; see frames.card for the other."""

    def __init__(self, encoding: Encoding, size: ProxySize, settings: VideoSettings, compare: bool) -> None:
        self.encoding, self.size, self.settings, self.compare = encoding, size, settings, compare

    @cached_property
    def chroma(self) -> ChromaWriter:
        return chroma_writer(self.settings.encoding)

    def prepare(self, frame: av.VideoFrame) -> LumaProxy:
        return make_proxy(plane(frame, 0), self.size, self.encoding)

    def merge(self, item: Colored) -> Iterator[av.VideoFrame]:
        yield merge(item, self.settings, self.chroma, compare=self.compare, turn=self.size.turn)

    def finish(self) -> Iterator[av.VideoFrame]:
        yield from ()


def merge(
    item: Colored, settings: VideoSettings, chroma: ChromaWriter, *, compare: bool, turn: int = 0
) -> av.VideoFrame:
    """The output frame: the source's luma, and chroma made from the a*b* grid. The item's frame may be written to.

    With `compare` the grey source stands on its left, as it is shown after `turn` quarter turns counterclockwise.
    """
    encoding = settings.encoding
    source = source_encoding(item.frame, settings)
    frame = output_frame(item.frame, settings)
    cb, cr = plane(frame, 1), plane(frame, 2)
    luma = plane(frame, 0)
    if compare:
        for part in (cb, cr):
            grey_half(part, turn)[:] = int(encoding.chroma_centre)
        cb, cr, luma = (colored_half(part, turn) for part in (cb, cr, luma))
    coefficients = chroma_coefficients(item.proxy.luma, item.proxy.lightness, item.ab, source, encoding, len(cb))
    size = cb.shape[::-1]
    guide = luma
    half = item.proxy.half if source == encoding else None
    if half is not None and half.shape[::-1] == size:
        guide = half
    elif guide.shape[::-1] != size:
        guide = cv2.resize(guide, size, interpolation=cv2.INTER_AREA)
    chroma.write(coefficients, guide, (cb, cr), anew=item.anew)
    return frame


def colored_half(plane: np.ndarray, turn: int) -> np.ndarray:
    """What is shown on the right, where a film is shown after `turn` quarter turns counterclockwise."""
    down, across = plane.shape[0] // 2, plane.shape[1] // 2
    return (plane[:, across:], plane[down:], plane[:, :across], plane[:down])[turn]


def grey_half(plane: np.ndarray, turn: int) -> np.ndarray:
    """What is shown on the left."""
    return colored_half(plane, (turn + 2) % 4)
