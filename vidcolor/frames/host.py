"""Frames in the CPU's memory: the luma proxy of each, and the coloured ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import av
import cv2

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
        yield merge(item, self.settings, self.chroma, compare=self.compare)

    def finish(self) -> Iterator[av.VideoFrame]:
        yield from ()


def merge(item: Colored, settings: VideoSettings, chroma: ChromaWriter, *, compare: bool) -> av.VideoFrame:
    """The output frame: the source's luma, and chroma made from the a*b* grid. The item's frame may be written to."""
    encoding = settings.encoding
    source = source_encoding(item.frame, settings)
    frame = output_frame(item.frame, settings)
    cb, cr = plane(frame, 1), plane(frame, 2)
    coefficients = chroma_coefficients(item.proxy.luma, item.proxy.lightness, item.ab, source, encoding, len(cb))
    luma = plane(frame, 0)
    width = luma.shape[1] // 2 if compare else luma.shape[1]
    grey = cb.shape[1] // 2 if compare else 0  # columns left without colour
    size = (cb.shape[1] - grey, cb.shape[0])
    guide = luma[:, luma.shape[1] - width :]
    half = item.proxy.half if source == encoding else None
    if half is not None and half.shape[::-1] == size:
        guide = half
    elif guide.shape[::-1] != size:
        guide = cv2.resize(guide, size, interpolation=cv2.INTER_AREA)
    chroma.write(coefficients, guide, (cb[:, grey:], cr[:, grey:]), anew=item.anew)
    if grey:
        cb[:, :grey] = cr[:, :grey] = int(encoding.chroma_centre)
    return frame
