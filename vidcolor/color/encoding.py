"""Pure colour maths: luma to L*, (L*, a, b) to chroma under a given luma; matrices, ranges, bit depths.

Signals are those of CIE LAB under D65 and of Y'CbCr as in ITU-T H.273. A grey sample of value Y' is displayed as
R' = G' = B' = Y', so its L* follows from the display's transfer function; sRGB's stands for all SDR ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

# Kr and Kb of ITU-T H.273 table 4 by its MatrixCoefficients number.
MATRICES = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.470 B/G (BT.601, 625 lines)
    6: (0.299, 0.114),  # SMPTE 170M (BT.601, 525 lines)
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020 non-constant luminance
}
BT709, BT470BG, SMPTE170M, BT2020 = 1, 5, 6, 9
UNSPECIFIED = 2


@dataclass(frozen=True)
class Encoding:
    """What the code values of a Y'CbCr picture mean."""

    matrix: int = BT709  # a key of MATRICES
    full_range: bool = False
    depth: int = 8  # bits per sample

    @property
    def luma_offset(self) -> float:
        return 0.0 if self.full_range else 16.0 * 2 ** (self.depth - 8)

    @property
    def luma_scale(self) -> float:
        """Code values between black and white."""
        return 2.0**self.depth - 1.0 if self.full_range else 219.0 * 2 ** (self.depth - 8)

    @property
    def chroma_centre(self) -> float:
        return 2.0 ** (self.depth - 1)

    @property
    def chroma_scale(self) -> float:
        """Code values in a chroma difference of 1."""
        return 2.0**self.depth - 1.0 if self.full_range else 224.0 * 2 ** (self.depth - 8)

    @property
    def chroma_limits(self) -> tuple[int, int]:
        """Lowest and highest code value that chroma may take."""
        unit = 2 ** (self.depth - 8)
        return (0, 2**self.depth - 1) if self.full_range else (16 * unit, 240 * unit)


def guess_matrix(width: int, height: int) -> int:
    """The matrix that players assume for an untagged picture."""
    if width >= 1280 or height > 576:
        return BT709
    return BT470BG if height == 576 else SMPTE170M


def luma_to_lightness(luma: np.ndarray, encoding: Encoding) -> np.ndarray:
    """Luma code values (integers of any shape) to L* in 0..100, float32."""
    table = lightness_table(encoding)
    return cv2.LUT(luma, table) if luma.dtype == np.uint8 and luma.ndim == 2 else table.take(luma, mode="clip")


@lru_cache(maxsize=16)
def lightness_table(encoding: Encoding) -> np.ndarray:
    """L* of every luma code value, float32 ``(2**depth,)``; IEC 61966-2-1 decoding, then CIE 1976 L*."""
    codes = np.arange(2**encoding.depth, dtype=np.float64)
    signal = np.clip((codes - encoding.luma_offset) / encoding.luma_scale, 0.0, 1.0)
    return signal_to_lightness(signal).astype(np.float32)


def signal_to_lightness(signal: np.ndarray) -> np.ndarray:
    """Grey display signal in 0..1 to L* in 0..100."""
    linear = np.where(signal > 0.04045, ((signal + 0.055) / 1.055) ** 2.4, signal / 12.92)
    return np.where(linear > 216 / 24389, 116.0 * np.cbrt(linear) - 16.0, linear * 24389 / 27)


def lab_to_chroma(lightness: np.ndarray, ab: np.ndarray, matrix: int) -> tuple[np.ndarray, np.ndarray]:
    """L* ``(h, w)`` and a*b* ``(h, w, 2)`` to chroma differences Cb, Cr in -0.5..0.5, float32 ``(h, w)`` each.

    Colours outside RGB are clipped to it first; the differences are those of the clipped colour.
    """
    kr, kb = MATRICES[matrix]
    lab = cv2.merge((lightness, ab[..., 0], ab[..., 1]))
    r, g, b = cv2.split(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    luma = kr * r + (1.0 - kr - kb) * g + kb * b
    return (b - luma) / (2.0 * (1.0 - kb)), (r - luma) / (2.0 * (1.0 - kr))


def prepare_lab() -> None:
    """Make OpenCV build its tables for L*a*b* now; otherwise the first frame waits for them."""
    cv2.cvtColor(np.zeros((1, 1, 3), np.float32), cv2.COLOR_LAB2RGB)


def chroma_to_rgb(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, matrix: int) -> np.ndarray:
    """Signals Y' in 0..1, Cb and Cr in -0.5..0.5 to R'G'B' ``(h, w, 3)``, not clipped."""
    kr, kb = MATRICES[matrix]
    r = luma + 2.0 * (1.0 - kr) * cr
    b = luma + 2.0 * (1.0 - kb) * cb
    g = (luma - kr * r - kb * b) / (1.0 - kr - kb)
    return np.stack((r, g, b), -1)


def above_black(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, matrix: int) -> tuple[np.ndarray, np.ndarray]:
    """(Cb, Cr), reduced where they would take a channel below 0 under the signal `luma`: black has no colour.

    By BT.709 the luma of a grey is at least that of any colour of RGB with its L*, so no such colour is changed; by the
    other matrices fewer than one in 10,000 are.
    """
    kr, kb = MATRICES[matrix]
    r, b = cr * np.float32(2.0 * (1.0 - kr)), cb * np.float32(2.0 * (1.0 - kb))
    lowest = np.minimum(np.minimum(r, b), (r * np.float32(kr) + b * np.float32(kb)) * np.float32(-1 / (1 - kr - kb)))
    if not (lowest + luma < 0.0).any():
        return cb, cr
    share = np.clip(luma / np.maximum(-lowest, np.float32(1e-6)), 0.0, 1.0)
    return cb * share, cr * share


def fit_gamut(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, matrix: int) -> np.ndarray:
    """The factor for (Cb, Cr), 0..1, that keeps R'G'B' within 0..1 under the given, unchanged luma."""
    difference = chroma_to_rgb(np.zeros_like(luma), cb, cr, matrix)
    luma = luma[..., None]
    room = np.where(difference > 0, 1.0 - luma, luma)
    share = np.minimum(1.0, room / np.maximum(np.abs(difference), 1e-6))
    least: np.ndarray = share.min(-1)
    return least
