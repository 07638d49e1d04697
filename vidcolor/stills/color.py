"""Colour into a still: an a*b* grid over a full-size grey signal, strip by strip."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color.encoding import chroma_to_rgb, fit_gamut
from vidcolor.color.proxy import LumaProxy
from vidcolor.merge.chroma import chroma_coefficients, chroma_planes
from vidcolor.stills.arrays import ENCODING

STRIP = 2_000_000  # pixels merged at a time, so that memory stays small beside the picture


def color_picture(signal: np.ndarray, small: LumaProxy, ab: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Grey `signal` (uint16) and an a*b* grid to RGB ``(h, w, 3)`` of `dtype`, colours reduced until they fit."""
    coefficients = chroma_coefficients(small.luma, small.lightness, ab, ENCODING, ENCODING)
    height, width = signal.shape
    lines = [cv2.resize(plane, (width, len(plane)), interpolation=cv2.INTER_LINEAR) for plane in coefficients]
    out = np.empty((height, width, 3), dtype)
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        enlarged = np.stack([enlarge_rows(plane, height, rows) for plane in lines])
        cb, cr = chroma_planes(enlarged, signal[rows], ENCODING)
        luma = signal[rows].astype(np.float32) / 65535.0
        cb, cr = ((c.astype(np.float32) - 32768.0) / 65535.0 for c in (cb, cr))
        share = fit_gamut(luma, cb, cr, ENCODING.matrix)
        rgb = chroma_to_rgb(luma, cb * share, cr * share, ENCODING.matrix).clip(0.0, 1.0)
        if dtype.kind == "f":
            out[rows] = rgb
        else:
            out[rows] = np.rint(rgb * np.iinfo(dtype).max)
    return out


def enlarge_rows(plane: np.ndarray, height: int, rows: slice) -> np.ndarray:
    """These rows of `plane` ``(h', w)``, enlarged linearly to `height` rows with its first and last repeated."""
    place = (np.arange(rows.start, rows.stop, dtype=np.float64) + 0.5) * (len(plane) / height) - 0.5
    place = place.clip(0.0, len(plane) - 1.0)
    above = np.floor(place).astype(np.intp)
    below = np.minimum(above + 1, len(plane) - 1)
    share = (place - above).astype(np.float32)[:, None]
    enlarged: np.ndarray = plane[above] + (plane[below] - plane[above]) * share
    return enlarged
