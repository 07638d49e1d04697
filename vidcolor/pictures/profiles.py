"""Colour profiles: what they make of greys and of CMYK, and the profile of what is written."""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SINCE = (2000, 1, 1, 0, 0, 0)  # the date in the profile
GREY_MODES = ("1", "L", "LA", "La")


@lru_cache(maxsize=1)
def srgb() -> bytes:
    """The profile that every coloured still gets, as far as its format can hold one: its samples are sRGB."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = struct.pack(">6H", *SINCE)  # else it would hold the time, and no file would be made twice alike
    return bytes(made)


def neutral_curve(profile: bytes, mode: str) -> np.ndarray:
    """What a colour profile makes of neutral greys: a table of 65,536 sRGB signals, uint16.

    Only greys matter, since all colour comes from the network; so this holds for 16-bit pictures too.
    """
    ramp = np.arange(256, dtype=np.uint8)[None]
    mode = "L" if mode in GREY_MODES or mode.startswith("I") else "RGB"
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        if source.profile.xcolor_space.strip() == "GRAY":
            mode = "L"
        picture = Image.fromarray(ramp).convert(mode)
        exact = ImageCms.Flags.NOOPTIMIZE  # the optimised transform is off by 10 of 255 in the shadows
        made = ImageCms.profileToProfile(picture, source, target, outputMode="RGB", flags=exact)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        made = None  # a damaged profile is no reason to lose the picture
    if made is None:
        return np.arange(65536, dtype=np.uint16)
    levels = np.asarray(made, np.float64)[0] @ [0.2126, 0.7152, 0.0722] * 257.0
    table = np.interp(np.arange(65536), np.arange(256) * 257.0, levels)
    curve: np.ndarray = np.rint(table).clip(0, 65535).astype(np.uint16)
    return curve


def cmyk_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """A CMYK picture as RGB, by its profile where it has one."""
    if not profile:
        return image.convert("RGB")
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image.convert("RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB")
