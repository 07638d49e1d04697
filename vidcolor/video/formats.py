"""Pixel formats: how a frame's luma is reached, and which format a codec gets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from av import VideoFormat, VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from vidcolor.errors import OptionError

LIMITED_RANGE, FULL_RANGE = 1, 2  # AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG
STEPS = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "440": (1, 2), "411": (4, 1), "410": (4, 4)}  # across, down
SUBSAMPLING = {steps: name for name, steps in STEPS.items()}


@dataclass(frozen=True)
class Layout:
    """What matters of a pixel format."""

    name: str
    depth: int  # bits of a luma sample
    chroma: str | None  # a value of SUBSAMPLING; None: grey
    alpha: bool
    planar: bool  # planes of one component each, samples in native byte order
    rgb: bool  # has no luma plane


@lru_cache(maxsize=64)
def layout(name: str) -> Layout:
    """The layout of FFmpeg's pixel format `name`.

    Raises:
        ValueError: there is no such format.
    """
    fmt = VideoFormat(name, 16, 16)
    parts = fmt.components
    colours = [c for c in parts if not c.is_alpha]
    chroma = None
    if len(colours) == 3 and not fmt.is_rgb:
        chroma = SUBSAMPLING[(16 // colours[1].width, 16 // colours[1].height)]
    planar = len({c.plane for c in parts}) == len(parts) and not fmt.is_big_endian and not fmt.is_bit_stream
    rgb = fmt.is_rgb or fmt.has_palette or fmt.is_bayer or name.startswith("xyz") or fmt.is_bit_stream
    return Layout(name, colours[0].bits, chroma, len(colours) < len(parts), planar, rgb)


def format_name(chroma: str | None, depth: int, *, alpha: bool = False) -> str:
    """FFmpeg's name of a planar format."""
    stem = "gray" if chroma is None else f"yuv{'a' if alpha else ''}{chroma}p"
    if depth == 8:
        return stem
    return f"{stem}{depth}le"


def native_format(name: str) -> str:
    """The planar format that a frame of format `name` is brought to before it is coloured.

    Luma samples survive the step unchanged, except from RGB and palettes, which have none.
    """
    lay = layout(name)
    if lay.rgb:
        return format_name("444", 8 if lay.depth <= 8 else 10)
    if lay.planar:
        return name
    return format_name(lay.chroma, lay.depth, alpha=lay.alpha and lay.chroma is not None)


def choose_format(available: list[str], source: str, requested: str | None, encoder: str) -> str:
    """The format out of an encoder's `available` ones that keeps most of the native `source` format.

    Luma depth comes first (a deeper one before a shallower one), then chroma subsampling, then alpha.

    Raises:
        OptionError: `requested` is not among them.
    """
    usable = [n for n in available if not n.startswith("yuvj") and layout(n).planar and not layout(n).rgb]
    usable = [n for n in usable if layout(n).chroma in ("420", "422", "444", "440")]
    if requested is not None:
        if requested not in usable:
            raise OptionError(f"pix-fmt {requested!r} is not one {encoder} takes; choose from {', '.join(usable)}")
        return requested
    src = layout(source)

    def loss(name: str) -> tuple[int, bool, int, bool]:
        lay = layout(name)
        shallower = max(0, src.depth - lay.depth)
        return shallower, lay.chroma != (src.chroma or "420"), abs(lay.depth - src.depth), lay.alpha != src.alpha

    return min(usable, key=lambda n: (loss(n)[0], loss(n)[2], loss(n)[1], loss(n)[3]))


def plane(frame: VideoFrame, index: int) -> np.ndarray:
    """A writable view of a planar frame's plane, ``(height, width)`` uint8 or uint16."""
    part = frame.planes[index]
    dtype = np.dtype(np.uint8 if layout(frame.format.name).depth == 8 else np.uint16)
    rows = np.frombuffer(memoryview(part), dtype).reshape(part.height, part.line_size // dtype.itemsize)
    return rows[:, : part.width]


def to_native(frame: VideoFrame) -> VideoFrame:
    """`frame` in its native planar format; the same object where it is in it already."""
    name = frame.format.name
    native = native_format(name)
    if native == name:
        return frame
    if name in ("ya8", "ya16le"):  # swscale would also rescale the range
        out = VideoFrame(frame.width, frame.height, native)
        dtype = np.dtype(np.uint8 if name == "ya8" else np.uint16)
        rows = np.frombuffer(memoryview(frame.planes[0]), dtype).reshape(frame.height, -1)
        plane(out, 0)[:] = rows[:, : 2 * frame.width : 2]
        copy_properties(frame, out)
        return out
    if layout(name).rgb:  # "pc" RGB must not become full-range Y'CbCr unseen
        return frame.reformat(format=native, dst_color_range=ColorRange.MPEG, dst_colorspace=Colorspace.ITU601)
    # one thread: those of swscale write a few samples past the end of their rows, into rows that others have finished
    return frame.reformat(format=native, threads=1)


def copy_properties(source: VideoFrame, target: VideoFrame) -> None:
    """Timing and colour tags from one frame to another."""
    if source.time_base is not None:
        target.time_base = source.time_base
    target.pts, target.duration = source.pts, source.duration
    target.color_range, target.colorspace = source.color_range, source.colorspace
    target.color_primaries, target.color_trc = source.color_primaries, source.color_trc
