"""From the a*b* grid to full chroma planes, guided by the luma so that colour stops at edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from vidcolor.color.encoding import Encoding, above_black, lab_to_chroma
from vidcolor.color.resize import shrink

Planes = tuple[np.ndarray, np.ndarray]  # Cb and Cr

FINER = 1.5  # cells of the guided filter's grid per cell of the a*b* grid, along each axis
MAX_STRETCH = 1.125  # factor by which a cell may change so that it is a whole number of rows high
RADIUS = 1  # half the guided filter's window, in its cells
HYSTERESIS = 0.75  # code values that a sample may be off before it follows; 0.5 would be plain rounding
EPSILON = 2e-4  # variance of the luma signal (0..1) below which the filter only averages
BAND = 90_000  # samples of a chroma plane per pass: as floats they fit in the cache of one core


def chroma_coefficients(
    luma: np.ndarray,
    lightness: np.ndarray,
    ab: np.ndarray,
    source: Encoding,
    target: Encoding,
    height: int | None = None,
) -> np.ndarray:
    """The fast guided filter of He & Sun 2015 (arXiv 1505.00996), up to its enlargement.

    Within a window, chroma is a linear function of luma. So colour takes its edges from the luma, and (Cb, Cr) of one
    a*b* follows the lightness as it must.

    Args:
        luma: code values of the luma proxy ``(h, w)``.
        lightness: L* of the same picture ``(h, w)``, float32.
        ab: a*b* grid ``(h', w', 2)``, float32, of the same picture at any size.
        source: encoding of `luma`.
        target: encoding of the full-size picture and of its chroma.
        height: of the chroma planes. Where the filter's grid can be adjusted for it, a cell is a whole number of its
            rows high, as `bands` needs.

    Returns:
        slopes of Cb and Cr, then their offsets, ``(4, h', w')`` float32 on the filter's own
            grid: a code value is ``slope * luma code + offset``.
    """
    finer = FINER
    if height:
        rows = round(len(ab) * FINER)
        finer *= divide_evenly(height, rows) / rows
    size = tuple(min(round(a * finer), b) for a, b in zip(ab.shape[1::-1], luma.shape[::-1], strict=True))
    signal, lightness = (shrink(x.astype(np.float32, copy=False), size) for x in (luma, lightness))
    signal = (signal - np.float32(source.luma_offset)) * np.float32(1.0 / source.luma_scale)
    ab = cv2.resize(ab, size, interpolation=cv2.INTER_LINEAR)
    mean = box(signal)
    variance = box(signal * signal) - mean * mean + np.float32(EPSILON)
    coefficients = np.empty((2, 2, *signal.shape), np.float32)
    pair = above_black(signal, *lab_to_chroma(lightness, ab, target.matrix), target.matrix)
    for chroma, into in zip(pair, coefficients.swapaxes(0, 1), strict=True):
        average = box(chroma)
        slope = (box(signal * chroma) - mean * average) / variance
        into[0], into[1] = box(slope), box(average - slope * mean)
    slopes, offsets = coefficients
    slopes *= np.float32(target.chroma_scale / target.luma_scale)
    offsets *= np.float32(target.chroma_scale)
    offsets -= slopes * np.float32(target.luma_offset)
    offsets += np.float32(target.chroma_centre)
    return coefficients.reshape(4, *signal.shape)


@lru_cache(maxsize=16)
def divide_evenly(height: int, rows: int) -> int:
    """The divisor of `height` nearest to `rows`, the larger one of two; `rows` itself where none is near."""
    lowest, highest = rows / MAX_STRETCH, rows * MAX_STRETCH
    near = [n for n in range(1, height + 1) if height % n == 0 and lowest <= n <= highest]
    return min(near, key=lambda n: (abs(n - rows), -n), default=rows)


@dataclass(frozen=True)
class Band:
    """Rows of a plane, and the cells of the filter's grid that they lie between."""

    rows: slice  # of the plane
    cells: slice  # rows of the grid
    skip: int  # rows of the enlarged cells above the band
    enlarged: int  # rows of the enlarged cells


@lru_cache(maxsize=16)
def bands(height: int, width: int, cells: int) -> list[Band]:
    """Split a plane into bands of about BAND samples; into one where a cell is not a whole number of rows high.

    A band reaches from the middle of one row of cells to the middle of another, so it depends on no cells beyond.
    """
    if height % cells or height * width <= BAND:
        return [Band(slice(0, height), slice(0, cells), 0, height)]
    cell, found = height // cells, []
    step = max(1, round(BAND / (cell * width)))
    for first in range(0, max(1, cells - 1), step):
        last = min(first + step, cells - 1)
        top = first * cell + cell // 2 if first else 0
        end = last * cell + cell // 2 if last < cells - 1 else height
        found.append(Band(slice(top, end), slice(first, last + 1), top - first * cell, (last + 1 - first) * cell))
    return found


class ChromaWriter:
    """Writes the chroma planes of consecutive frames; remembers the previous planes and reuses its buffers.

    At 8 bits a sample keeps its code from frame to frame while that is at most HYSTERESIS off. With plain rounding,
    stable colour under grain would flicker by one code.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.scratch = np.empty((3, 0, 0), np.float32)
        self.bound = np.empty((0, 0), np.uint8)
        self.codes = np.empty((2, 0, 0), np.uint8)  # codes of the frame before

    def write(self, coefficients: np.ndarray, luma: np.ndarray, out: Planes, *, anew: bool = True) -> None:
        """Write Cb and Cr code values to `out`, for `luma` code values ``(h, w)`` at the size of the chroma planes.

        `coefficients` come from `chroma_coefficients`. With `anew` the frame before has no influence.
        """
        height, width = luma.shape
        parts = bands(height, width, coefficients.shape[1])
        most = max(part.enlarged for part in parts)
        if self.scratch.shape[1:] != (most, width):
            self.scratch = np.empty((3, most, width), np.float32)
            self.bound = np.empty((most, width), np.uint8)
        if self.codes.shape[1:] != luma.shape:
            self.codes = np.empty((2, *luma.shape), np.uint8)
            anew = True
        legal = self.is_legal(coefficients)
        for part in parts:
            y = self.scratch[0, : part.rows.stop - part.rows.start]
            np.copyto(y, luma[part.rows])
            for i, target in enumerate(out):
                color = self.color(part, coefficients[i::2], y)
                if not legal:
                    np.clip(color, *self.encoding.chroma_limits, out=color)
                if self.encoding.depth > 8:
                    target[part.rows] = np.rint(color, out=color)
                else:
                    codes = self.codes[i, part.rows]
                    self.follow(color, codes, anew)
                    target[part.rows] = codes

    def color(self, part: Band, line: np.ndarray, y: np.ndarray) -> np.ndarray:
        """One chroma plane of a band, ``line[0] * y + line[1]``, float32; the next call overwrites it."""
        slope, color = (
            enlarge(plane[part.cells], into[: part.enlarged])[part.skip : part.skip + len(y)]
            for plane, into in zip(line, self.scratch[1:], strict=True)
        )
        cv2.accumulateProduct(slope, y, color)
        return color

    def follow(self, color: np.ndarray, codes: np.ndarray, anew: bool) -> None:
        """Round `color` to `codes`; unless `anew`, move the codes only as far as the hysteresis demands."""
        if anew:
            cv2.convertScaleAbs(color, codes)
            return
        bound = self.bound[: len(color)]
        np.maximum(codes, cv2.convertScaleAbs(color, bound, beta=0.5 - HYSTERESIS), out=codes)
        np.minimum(codes, cv2.convertScaleAbs(color, bound, beta=HYSTERESIS - 0.5), out=codes)

    def is_legal(self, coefficients: np.ndarray) -> bool:
        """Whether chroma stays within its limits for every luma; enlarging adds no values beyond those of the grid."""
        slopes, offsets = coefficients[:2], coefficients[2:]
        ends = offsets, offsets + slopes * np.float32(2**self.encoding.depth - 1)
        low, high = self.encoding.chroma_limits
        return all(low <= float(x.min()) and float(x.max()) <= high for x in ends)


def enlarge(plane: np.ndarray, into: np.ndarray) -> np.ndarray:
    """Bilinear enlargement into an existing buffer: allocating one costs more time than the enlargement."""
    return cv2.resize(plane, into.shape[::-1], dst=into, interpolation=cv2.INTER_LINEAR)


def chroma_planes(coefficients: np.ndarray, luma: np.ndarray, encoding: Encoding) -> Planes:
    """Cb and Cr code values of one picture, as `ChromaWriter` writes them."""
    kind = np.uint8 if encoding.depth == 8 else np.uint16
    planes = np.empty(luma.shape, kind), np.empty(luma.shape, kind)
    ChromaWriter(encoding).write(coefficients, luma, planes)
    return planes


def box(plane: np.ndarray) -> np.ndarray:
    """Mean over the filter's window."""
    return cv2.blur(plane, (2 * RADIUS + 1, 2 * RADIUS + 1), borderType=cv2.BORDER_REFLECT)
