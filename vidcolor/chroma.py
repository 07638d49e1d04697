"""From a small a*b* grid to full chroma planes, guided by the luma so that colour stops at edges."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color import Encoding, lab_to_chroma

Planes = tuple[np.ndarray, np.ndarray]  # Cb and Cr

FINER = 2  # cells of the guided filter's grid along one of the a*b* grid
RADIUS = 2  # half the guided filter's window, in its cells
HOLD = 0.75  # code values by which a sample may differ from its colour before it follows; 0.5 is plain rounding
EPSILON = 2e-4  # variance of the luma signal (0..1) below which the filter only averages


def chroma_coefficients(
    signal: np.ndarray, lightness: np.ndarray, ab: np.ndarray, encoding: Encoding
) -> tuple[np.ndarray, np.ndarray]:
    """The fast guided filter of He & Sun 2015 (arXiv 1505.00996), up to its enlargement.

    Within a window chroma is a linear function of luma. Edges come from the luma that way, and so does the way in
    which (Cb, Cr) of one a*b* depends on the lightness.

    Args:
        signal: small luma signal ``(h, w)``, 0..1, float32.
        lightness: L* of the same picture ``(h, w)``, float32.
        ab: a*b* grid ``(h', w', 2)``, float32, of the same picture at any size.
        encoding: of the full-size picture.

    Returns:
        slope and offset, ``(h', w', 2)`` float32 each on the filter's own grid: the code
            value of (Cb, Cr) is ``slope * luma code + offset``.
    """
    size = min(ab.shape[1] * FINER, signal.shape[1]), min(ab.shape[0] * FINER, signal.shape[0])
    signal, lightness = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (signal, lightness))
    ab = cv2.resize(ab, size, interpolation=cv2.INTER_LINEAR)
    mean = box(signal)
    variance = box(signal * signal) - mean * mean + np.float32(EPSILON)
    slopes, offsets = [], []
    for chroma in lab_to_chroma(lightness, ab, encoding.matrix):
        average = box(chroma)
        slope = (box(signal * chroma) - mean * average) / variance
        slopes.append(box(slope))
        offsets.append(box(average - slope * mean))
    slope = cv2.merge(slopes) * np.float32(encoding.chroma_scale / encoding.luma_scale)
    offset = cv2.merge(offsets) * np.float32(encoding.chroma_scale) - slope * np.float32(encoding.luma_offset)
    return slope, offset + np.float32(encoding.chroma_centre)


def chroma_planes(
    slope: np.ndarray,
    offset: np.ndarray,
    luma: np.ndarray,
    encoding: Encoding,
    past: Planes | None = None,
    out: Planes | None = None,
) -> Planes:
    """Cb and Cr code values for `luma` code values ``(h, w)``, which has the size of the chroma planes.

    With the planes of the frame before as `past`, samples of 8 bits keep their code where it is at most HOLD from what
    they should be: rounded anew in each frame, steady colour under grain flickers by a code. `out` is where to write.
    """
    size = luma.shape[::-1]
    y = luma.astype(np.float32)
    kind = cv2.CV_8U if encoding.depth == 8 else cv2.CV_16U
    planes = []
    for i in range(2):
        plane = cv2.resize(slope[..., i], size, interpolation=cv2.INTER_LINEAR)
        cv2.multiply(plane, y, dst=plane)
        base = cv2.resize(offset[..., i], size, interpolation=cv2.INTER_LINEAR)
        if past is None or encoding.depth > 8:
            code = cv2.add(plane, base, dtype=kind)
        else:
            lowest, highest = (cv2.addWeighted(plane, 1, base, 1, d, dtype=kind) for d in (0.5 - HOLD, HOLD - 0.5))
            code = cv2.min(cv2.max(past[i], lowest), highest)
        planes.append(np.clip(code, *encoding.chroma_limits, out=out[i] if out else code))
    return planes[0], planes[1]


def box(plane: np.ndarray) -> np.ndarray:
    """Mean over the filter's window."""
    return cv2.blur(plane, (2 * RADIUS + 1, 2 * RADIUS + 1), borderType=cv2.BORDER_REFLECT)
