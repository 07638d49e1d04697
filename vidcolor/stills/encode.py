"""Coloured pixels as the bytes of a file, with their metadata."""

from __future__ import annotations

import io
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from vidcolor.pictures.profiles import srgb
from vidcolor.stills import jpeg, png
from vidcolor.stills.metadata import Metadata

JPEG_QUALITY = 95
MOST_DPI = 65535  # that a JPEG's header can name


def write_picture(file: BinaryIO, pixels: np.ndarray, format: str, metadata: Metadata) -> list[str]:
    """Write RGB or RGBA ``(h, w, 3 or 4)``, uint8 or, for PNG, uint16; gives what of the metadata was too large.

    Raises:
        OSError: the encoder or the disk would not take it.
    """
    data, lost = ENCODERS[format](pixels, metadata)
    file.write(data)
    return lost


def encode_jpeg(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
    dpi = tuple(min(MOST_DPI, round(x)) for x in metadata.dpi) if metadata.dpi else None
    plain = by_pillow(pixels, "JPEG", quality=JPEG_QUALITY, subsampling=0, **({"dpi": dpi} if dpi else {}))
    return jpeg.write(plain, metadata, srgb())


def encode_png(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
    plain = by_opencv(pixels, ".png") if pixels.dtype == np.uint16 else by_pillow(pixels, "PNG")
    return png.write(plain, metadata, srgb()), []


def encode_webp(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
    told = metadata.with_resolution_in_exif()
    return by_pillow(pixels, "WEBP", icc_profile=srgb(), exif=told.exif, xmp=told.xmp), []


def encode_bmp(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
    return by_pillow(pixels, "BMP", **({"dpi": metadata.dpi} if metadata.dpi else {})), []


ENCODERS = {"JPEG": encode_jpeg, "PNG": encode_png, "WEBP": encode_webp, "BMP": encode_bmp}


def by_pillow(pixels: np.ndarray, format: str, **settings: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format, **settings)
    return out.getvalue()


def by_opencv(pixels: np.ndarray, ending: str) -> bytes:
    """For samples of 16 bits, which Pillow cannot write in colour."""
    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, data = cv2.imencode(ending, np.ascontiguousarray(pixels[..., order]))
    if not done:
        raise OSError(0, f"the picture does not go into {ending}")
    return data.tobytes()
