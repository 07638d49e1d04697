"""Samples of more than 8 bits, by OpenCV, which Pillow would cut to 8."""

from __future__ import annotations

import re

import cv2
import numpy as np

from vidcolor.stills.arrays import to_grey

STRIP = 512  # rows converted at a time
SIZ = b"\xff\x4f\xff\x51"  # how a JPEG 2000 codestream begins
PNM = re.compile(rb"P[2356](?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+(\d+)\s")


def samples(data: bytes) -> np.ndarray | None:
    """OpenCV's samples ``(h, w)`` or ``(h, w, channels)``, BGR first, as they stand in the file; None: it cannot.

    Call it within `quiet`, or it writes lines of its own.
    """
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def split(pixels: np.ndarray, white: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples whose largest is `white` as signal and alpha, uint16 ``(h, w)`` each."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        return scale(pixels, white), None
    channels = pixels.shape[2]
    alpha = scale(np.ascontiguousarray(pixels[..., -1]), white) if channels in (2, 4) else None
    if channels == 2:
        return scale(np.ascontiguousarray(pixels[..., 0]), white), alpha
    signal = np.empty(pixels.shape[:2], np.uint16)
    for top in range(0, len(pixels), STRIP):
        rows = slice(top, top + STRIP)
        signal[rows] = scale(to_grey(pixels[rows, :, 2::-1].astype(np.float32)), white)
    return signal, alpha


def scale(plane: np.ndarray, white: int) -> np.ndarray:
    """Samples in 0..white to 0..65535, uint16."""
    if white == 65535:
        return plane
    table = np.rint(np.arange(65536).clip(0, white) * (65535.0 / white)).astype(np.uint16)
    scaled: np.ndarray = table[plane]
    return scaled


def white_of_pnm(data: bytes) -> int:
    """The largest sample that a PGM or PPM names, or 255."""
    found = PNM.match(data[:4096])
    return min(65535, max(1, int(found[1]))) if found else 255


def bits_of_jp2(data: bytes) -> int:
    """Bits of a JPEG 2000 picture's first component; 8 where they are not found, or the samples have a sign."""
    at = data.find(SIZ)
    depth = data[at + 42] if 0 <= at < len(data) - 42 else 7
    return 8 if depth & 0x80 else (depth & 0x7F) + 1


def bits_of_avif(data: bytes) -> int:
    """Bits of an AVIF picture, by its AV1CodecConfigurationBox."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8
