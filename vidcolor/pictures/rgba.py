"""A picture file as upright sRGB with alpha, at no more than a given size."""

from __future__ import annotations

import io
from contextlib import suppress

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from vidcolor.color.resize import shrink
from vidcolor.pictures.profiles import cmyk_to_srgb
from vidcolor.pictures.quiet import quiet
from vidcolor.pictures.samples import decoding
from vidcolor.pictures.source import check_size, open_picture

CLEAR, SOLID = 5, 250  # alpha of 255 between which a pixel is half transparent
ENOUGH = 64  # half transparent pixels that tell whether colours are premultiplied
STRAY = 0.002  # share of them that may be brighter than their alpha all the same
LIT = 0.5  # brightness that some of them reach, in shares of their alpha


def read_rgba(name: str, data: bytes, long: int) -> tuple[np.ndarray, np.ndarray]:
    """The first picture in a file's bytes: R'G'B' ``(h, w, 3)`` and alpha ``(h, w)``, float32 in 0..1, straight.

    It is turned as its EXIF says, brought to sRGB by its profile, and shrunk by area averaging until its long side is
    `long` at most; a pixel then has the mean colour of what its alpha shows. Samples of more than 8 bits are read as 8.

    Raises:
        InputError: damaged, too large, or no picture.
    """
    with quiet(), decoding(name):
        image = open_picture(data)
        check_size(name, *image.size)
        image.draft("RGB", (long, long))  # a JPEG is decoded at an eighth, a quarter or half where that is enough
        image.load()
        with suppress(Exception):  # damaged EXIF is no reason to lose the picture
            image = ImageOps.exif_transpose(image)
        samples, alpha = split(image)
    if alpha is None:
        samples, alpha = reduce(samples, long), np.ones(1, np.float32)
    else:
        samples, alpha = reduce_shown(samples, alpha, long)
    rgb = to_srgb(samples, image.info.get("icc_profile") or b"", image.mode)
    return rgb, np.broadcast_to(alpha, rgb.shape[:2])


def split(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """RGB samples ``(h, w, 3)`` uint8, in the file's own colours, and alpha ``(h, w)`` uint8 where there is any."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, 2), None
    if image.mode == "CMYK":
        image = cmyk_to_srgb(image, image.info.get("icc_profile") or b"")
    elif image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None
    pixels = np.asarray(image.convert("RGBA"))
    return pixels[..., :3], pixels[..., 3]


def reduce(samples: np.ndarray, long: int) -> np.ndarray:
    """Planes ``(h, w)`` or ``(h, w, n)`` shrunk until their long side is `long` at most."""
    height, width = samples.shape[:2]
    scale = long / max(height, width)
    if scale >= 1.0:
        return samples
    return shrink(np.ascontiguousarray(samples), (max(1, round(width * scale)), max(1, round(height * scale))))


def reduce_shown(samples: np.ndarray, alpha: np.ndarray, long: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for samples with alpha, both uint8; alpha comes back in 0..1, and what it hides has no part in means."""
    weight = alpha.astype(np.float32)
    shown = samples.astype(np.float32)
    if not is_premultiplied(samples, alpha):
        shown *= weight[..., None] / np.float32(255.0)
    shown, weight = reduce(shown, long), reduce(weight, long)
    straight = shown * (np.float32(255.0) / np.maximum(weight, 1e-3))[..., None]
    straight[weight < 0.5] = 0.0
    return np.rint(straight.clip(0.0, 255.0)).astype(np.uint8), weight / np.float32(255.0)


def is_premultiplied(samples: np.ndarray, alpha: np.ndarray) -> bool:
    """Whether colours were multiplied by their alpha, which some programs do though the format says otherwise.

    Then no sample exceeds its alpha, and some come near it. A straight picture has brighter ones, unless it is dark.
    """
    half = (alpha > CLEAR) & (alpha < SOLID)
    if np.count_nonzero(half) < ENOUGH:
        return False
    brightest, limit = samples[half].max(-1).astype(np.float32), alpha[half].astype(np.float32)
    exceeding = np.mean(brightest > limit + 1.0)
    return bool(exceeding <= STRAY and np.quantile(brightest / limit, 0.95) > LIT)


def to_srgb(samples: np.ndarray, profile: bytes, mode: str) -> np.ndarray:
    """RGB ``(h, w, 3)`` uint8 by the file's profile as float32 in 0..1; a profile that is damaged changes nothing."""
    if profile and mode not in ("CMYK", "LAB"):
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            if source.profile.xcolor_space.strip() == "RGB":
                exact = ImageCms.Flags.NOOPTIMIZE  # the optimised transform is off by 10 of 255 in the shadows
                picture = Image.fromarray(np.ascontiguousarray(samples))
                made = ImageCms.profileToProfile(picture, source, target, outputMode="RGB", flags=exact)
                samples = np.asarray(made or picture)
    rgb: np.ndarray = samples.astype(np.float32) / np.float32(255.0)
    return rgb


def to_lab(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R'G'B' ``(h, w, 3)`` float32 in 0..1 of sRGB to L* ``(h, w)`` and a*b* ``(h, w, 2)``, float32."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    return np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1:])
