"""Arrays given by a program: checked, and as the signal that stills are worked on."""

from __future__ import annotations

import numpy as np

from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import LumaProxy, ProxySize, make_proxy

ENCODING = Encoding(full_range=True, depth=16)  # stills are worked on as BT.709 full range in 16 bits
OVERSHOOT = 0.5  # by which floats may leave 0..1, as they do after a sharp resize; they are clipped


def picture_preview(picture: np.ndarray, short: int) -> tuple[np.ndarray, LumaProxy]:
    """An array of `Colorizer.image` as uint16 signal ``(h, w)`` and its small picture.

    Raises:
        ValueError: the array has another shape or type, or floats that are not in 0..1.
    """
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3) or not picture.size:
        raise ValueError(f"a picture of shape {picture.shape}; give (h, w) or (h, w, 3)")
    if picture.dtype == np.uint8:
        values = picture.astype(np.float32) * 257.0
    elif picture.dtype == np.uint16:
        values = picture.astype(np.float32)
    elif picture.dtype.kind == "f":
        values = unit_floats(picture) * np.float32(65535.0)
    else:
        raise ValueError(f"a picture of type {picture.dtype}; give uint8, uint16 or float in 0..1")
    signal = to_grey(values)
    return signal, make_proxy(signal, ProxySize.fit(signal.shape[1], signal.shape[0], short), ENCODING)


def unit_floats(picture: np.ndarray) -> np.ndarray:
    """Floats clipped to 0..1, float32; refused where they were meant on another scale."""
    values = picture.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not (low >= -OVERSHOOT and high <= 1.0 + OVERSHOOT):  # false for NaN too
        raise ValueError(f"a picture of floats from {low:g} to {high:g}; give 0..1, such as picture / 255")
    return values.clip(0.0, 1.0)


def to_grey(values: np.ndarray) -> np.ndarray:
    """BT.709 luma of R'G'B' ``(h, w, 3)``, or the grey itself, in 0..65535 as uint16."""
    if values.ndim == 3:
        values = values @ np.array([0.2126, 0.7152, 0.0722], values.dtype)
    grey: np.ndarray = np.rint(values).astype(np.uint16)
    return grey


def narrow(values: np.ndarray) -> np.ndarray:
    """uint16 to uint8, rounded."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
