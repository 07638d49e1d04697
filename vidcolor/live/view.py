"""What the window shows: source and result split by a bar, side by side, or the result alone, as RGB."""

from __future__ import annotations

from dataclasses import dataclass

import av
import cv2
import numpy as np

from vidcolor.video.formats import FULL_RANGE, layout, plane

BAR = (255, 255, 255)  # colour of the dividing bar


@dataclass(frozen=True)
class Area:
    """Where the picture lies in the window, in pixels."""

    left: int
    top: int
    width: int
    height: int


def fit(window: tuple[int, int], aspect: float) -> Area:
    """The largest area of the given aspect (width over height) in a window ``(width, height)``, centred; even width."""
    width = min(window[0], round(window[1] * aspect))
    height = min(window[1], round(width / aspect))
    width = max(2, width - width % 2)
    return Area((window[0] - width) // 2, (window[1] - height) // 2, width, max(1, height))


def aspect_of(frame: av.VideoFrame, mode: str, rotation: int = 0, pixel: float = 1.0) -> float:
    """Width over height of what `compose` makes of a frame whose pixels have the aspect `pixel`."""
    aspect = pixel * frame.width / frame.height
    if rotation % 180:
        aspect = 1 / aspect
    return aspect * 2 if mode == "side" else aspect


def compose(frame: av.VideoFrame, size: tuple[int, int], mode: str, bar: float = 0.5, rotation: int = 0) -> np.ndarray:
    """The picture to show, RGB ``(height, width, 3)`` uint8 for `size` = ``(width, height)``.

    Args:
        frame: a coloured frame; its luma alone is the source.
        size: in pixels; an even width.
        mode: one of options.MODES.
        bar: where the bar of "split" stands, 0 (left, all in colour) to 1 (all grey).
        rotation: degrees counterclockwise by which the picture is turned for display, a multiple of 90.
    """
    width, height = size
    own = (width // 2, height) if mode == "side" else size
    upright = own[::-1] if rotation % 180 else own
    turns = rotation // 90 % 4
    colour = np.rot90(to_rgb(frame, upright), turns)
    if mode == "color":
        return np.ascontiguousarray(colour)
    grey = np.rot90(to_grey(frame, upright), turns)
    if mode == "side":
        return np.concatenate((grey, colour), axis=1)
    edge = round(min(max(bar, 0.0), 1.0) * width)
    out = np.concatenate((grey[:, :edge], colour[:, edge:]), axis=1)
    if 0 < edge < width:
        out[:, max(0, edge - 1) : edge + 1] = BAR
    return out


def to_rgb(frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
    """A Y'CbCr frame as R'G'B' ``(h, w, 3)`` uint8 at `size` ``(width, height)``, by its own matrix and range."""
    return frame.reformat(*size, format="rgb24", interpolation="BILINEAR").to_ndarray()


def to_grey(frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
    """The frame's luma alone as R'G'B', likewise."""
    luma, depth = plane(frame, 0), layout(frame.format.name).depth
    how = cv2.INTER_AREA if size[0] < frame.width else cv2.INTER_LINEAR
    codes = cv2.resize(luma, size, interpolation=how).astype(np.float32) / 2.0 ** (depth - 8)
    if frame.color_range != FULL_RANGE:
        codes = (codes - 16.0) * (255.0 / 219.0)
    rgb: np.ndarray = cv2.cvtColor(cv2.convertScaleAbs(np.maximum(codes, 0.0)), cv2.COLOR_GRAY2RGB)
    return rgb
