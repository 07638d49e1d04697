"""Pillow's pictures as grey signals and alpha, 8 bits a sample."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vidcolor.pictures.profiles import GREY_MODES, cmyk_to_srgb
from vidcolor.stills.arrays import to_grey

STRIP = 512  # rows converted at a time, so that memory stays small beside the picture


def grey_of(image: Image.Image, profile: bytes) -> np.ndarray:
    """The signal ``(h, w)`` uint16 of a decoded picture, as it stands in the file."""
    if image.mode == "CMYK":
        image = cmyk_to_srgb(image, profile)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode == "LAB":
        signal: np.ndarray = lightness_signal(256)[np.asarray(image.getchannel("L"))]
        return signal
    if image.mode == "I" and image.format == "PPM":
        return np.asarray(image).astype(np.uint16)  # Pillow has brought it to 0..65535
    if image.mode in ("F", "I"):
        return stretch(np.asarray(image))
    wanted = "L" if image.mode in GREY_MODES else "RGB"
    signal = np.empty((image.height, image.width), np.uint16)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        part = image.crop((0, top, image.width, bottom)).convert(wanted)
        signal[top:bottom] = to_grey(np.asarray(part, np.float32) * np.float32(257.0))
    return signal


def lightness_signal(steps: int) -> np.ndarray:
    """The sRGB signals of L* from 0 to 100 in so many steps, uint16; IEC 61966-2-1 and CIE 1976."""
    lightness = np.linspace(0.0, 100.0, steps)
    light = np.where(lightness > 8.0, ((lightness + 16.0) / 116.0) ** 3, lightness * 27.0 / 24389.0)
    signal = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return np.rint(signal * 65535.0).astype(np.uint16)


def stretch(values: np.ndarray) -> np.ndarray:
    """Float or 32-bit samples, whose white is not told, to 0..65535 as uint16 grey.

    White is 1, 255, 65535 or the greatest value; what is no number becomes black.
    """
    values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    white = next((w for w in (1.0, 255.0, 65535.0) if top <= w), top)
    return to_grey(values.clip(0.0) * (65535.0 / white))


def alpha_of(image: Image.Image) -> np.ndarray | None:
    """Alpha ``(h, w)`` uint16, where the picture has any."""
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    if image.format == "WEBP" and alpha.min() == 255:
        return None  # its reader gives every frame of an animation an alpha
    return alpha.astype(np.uint16) * np.uint16(257)
