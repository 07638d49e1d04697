"""HEIC and HEIF, tiled ones too, where a package for them is installed (libheif, by pi-heif or pillow-heif)."""

from __future__ import annotations

import importlib
import io
from types import ModuleType

import numpy as np

from vidcolor.errors import InputError
from vidcolor.pictures.samples import Samples, decoding
from vidcolor.pictures.source import check_size
from vidcolor.stills.deep import split
from vidcolor.stills.metadata import Metadata
from vidcolor.stills.pixels import alpha_of, grey_of

PACKAGES = ("pillow_heif", "pi_heif")
FILM = b"mpvd"  # the box of a film within a photograph


def library(name: str) -> ModuleType:
    """The package that reads HEIC.

    Raises:
        InputError: none is installed.
    """
    for package in PACKAGES:
        try:
            return importlib.import_module(package)
        except ImportError:
            continue
    raise InputError(f"{name}: is HEIC, which needs one more package; pip install pi-heif, or convert it to JPEG")


def read(name: str, data: bytes) -> tuple[Samples, Metadata, bytes, list[str]]:
    """Samples, metadata, colour profile, and what else the file holds.

    Raises:
        InputError: damaged, too large, or without a package that reads it.
    """
    heif = library(name)
    with decoding(name):
        found = heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        check_size(name, *found.size)
        if found.mode.endswith(";16"):
            pixels = np.asarray(found[found.primary_index])
            signal, alpha = split(blue_first(pixels), 65535)
            samples = Samples(signal, alpha, 16, 1, "RGB")
        else:
            image = found[found.primary_index].to_pillow()
            samples = Samples(grey_of(image, b""), alpha_of(image), 8, 1, image.mode)
    info = found.info
    metadata = Metadata(exif=(info.get("exif") or b"").removeprefix(b"Exif\0\0"), xmp=info.get("xmp") or b"")
    count = len(found) - 1
    left_out = [f"{count} more picture{'s' if count > 1 else ''}"] if count else []
    if FILM in data:
        left_out.append("the film in the photograph")
    return samples, metadata, info.get("icc_profile") or b"", left_out


def blue_first(pixels: np.ndarray) -> np.ndarray:
    """RGB or RGBA as OpenCV has it, which `split` takes; grey stays."""
    if pixels.ndim == 2 or pixels.shape[2] < 3:
        return pixels
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
