"""Stills: files and arrays through the same colour maths as films."""

from __future__ import annotations

import io
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from vidcolor.backends import Backend
from vidcolor.color.encoding import Encoding, chroma_to_rgb, fit_gamut
from vidcolor.color.proxy import LumaProxy, ProxySize, crop_grid, make_proxy, network_input
from vidcolor.errors import InputError, OutputError
from vidcolor.frames.summary import Summary
from vidcolor.merge.chroma import chroma_coefficients, chroma_planes, enlarge
from vidcolor.options import ColorizeOptions
from vidcolor.stills.formats import STILL_TARGETS, STILLS
from vidcolor.video.target import check_target

WRITES = dict(zip(STILL_TARGETS, ("JPEG", "JPEG", "PNG", "TIFF", "TIFF", "WEBP", "BMP"), strict=True))
DEEP = (".png", ".tif", ".tiff")  # hold 16 bits a sample
ALPHA = (".png", ".tif", ".tiff", ".webp")
ENCODING = Encoding(full_range=True, depth=16)  # stills are worked on as BT.709 full range in 16 bits
DESCRIPTIVE = (
    ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software,
    ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.Copyright,
)  # fmt: skip
MAX_EXIF = 65533  # bytes that a JPEG segment holds
STRIP = 512  # rows merged at a time, so that memory stays small beside the picture


@dataclass(frozen=True)
class Still:
    """A picture as read: upright, its grey in the sRGB signal."""

    signal: np.ndarray  # (h, w) uint16, full range
    alpha: np.ndarray | None  # (h, w) uint16
    depth: int  # 8 or 16, of the source
    exif: bytes  # without orientation


def is_still(path: str | Path) -> bool:
    return Path(path).suffix.lower() in STILLS


def colorize_still(source: Path, target: Path, backend: Backend, options: ColorizeOptions) -> Summary:
    """Colour one still file.

    Raises:
        InputError: the source cannot be read.
        OutputError: the target cannot be written.
    """
    began = time.perf_counter()
    suffix = target.suffix.lower()
    if suffix not in WRITES:
        raise OutputError(f"{target}: cannot write {suffix or 'a name without ending'}; use {', '.join(WRITES)}")
    still = read_still(source)
    check_target(target, overwrite=options.overwrite, source=str(source))
    size = ProxySize.fit(still.signal.shape[1], still.signal.shape[0], options.size)
    small = make_proxy(still.signal, size, ENCODING)
    predicted = backend.predict(network_input([small.lightness], size))
    ab = crop_grid(predicted, size, backend.stride)[0] * np.float32(options.strength)
    rgb = color_picture(still.signal, small, ab, np.dtype(np.uint16 if still.depth == 16 else np.uint8))
    if options.compare:
        grey = np.repeat(still.signal[..., None], 3, 2)
        rgb = np.hstack((grey if still.depth == 16 else narrow(grey), rgb))
    summary = Summary(str(source), str(target), frames=1, shots=1, backend=backend.name)
    if still.alpha is not None and suffix not in ALPHA:
        summary.warnings.append(f"transparency dropped: {suffix} cannot hold it")
    if still.depth == 16 and suffix not in DEEP:
        summary.warnings.append(f"16 bits reduced to 8: {suffix} cannot hold them")
    write_still(target, rgb, None if options.compare else still.alpha, still.exif)
    summary.seconds = time.perf_counter() - began
    return summary


def picture_preview(picture: np.ndarray, short: int) -> tuple[np.ndarray, LumaProxy]:
    """An array of `Colorizer.image` as uint16 signal ``(h, w)`` and its small picture."""
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3) or not picture.size:
        raise ValueError(f"a picture of shape {picture.shape}; give (h, w) or (h, w, 3)")
    if picture.dtype == np.uint8:
        values = picture.astype(np.float32) * 257.0
    elif picture.dtype == np.uint16:
        values = picture.astype(np.float32)
    elif picture.dtype.kind == "f":
        values = np.clip(picture.astype(np.float32), 0.0, 1.0) * 65535.0
    else:
        raise ValueError(f"a picture of type {picture.dtype}; give uint8, uint16 or float in 0..1")
    signal = to_grey(values)
    return signal, make_proxy(signal, ProxySize.fit(signal.shape[1], signal.shape[0], short), ENCODING)


def to_grey(values: np.ndarray) -> np.ndarray:
    """BT.709 luma of R'G'B' ``(h, w, 3)``, or the grey itself, in 0..65535 as uint16."""
    if values.ndim == 3:
        values = values @ np.array([0.2126, 0.7152, 0.0722], values.dtype)
    return np.rint(values).astype(np.uint16)


def color_picture(signal: np.ndarray, small: LumaProxy, ab: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Grey `signal` (uint16) and an a*b* grid to RGB ``(h, w, 3)`` of `dtype`, colours reduced until they fit."""
    coefficients = chroma_coefficients(small.luma, small.lightness, ab, ENCODING, ENCODING)
    height, width = signal.shape
    enlarged = np.empty((len(coefficients), height, width), np.float32)
    for plane, into in zip(coefficients, enlarged, strict=True):
        enlarge(plane, into)
    out = np.empty((height, width, 3), dtype)
    for top in range(0, height, STRIP):
        rows = slice(top, min(top + STRIP, height))
        cb, cr = chroma_planes(enlarged[:, rows], signal[rows], ENCODING)
        luma = signal[rows].astype(np.float32) / 65535.0
        cb, cr = ((c.astype(np.float32) - 32768.0) / 65535.0 for c in (cb, cr))
        share = fit_gamut(luma, cb, cr, ENCODING.matrix)
        rgb = chroma_to_rgb(luma, cb * share, cr * share, ENCODING.matrix).clip(0.0, 1.0)
        if dtype.kind == "f":
            out[rows] = rgb
        else:
            out[rows] = np.rint(rgb * np.iinfo(dtype).max)
    return out


def narrow(values: np.ndarray) -> np.ndarray:
    """uint16 to uint8, rounded."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def read_still(path: Path) -> Still:
    """Read a picture upright, its profile turned into sRGB.

    Raises:
        InputError: missing, empty, or not a picture.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; check the name")
    data = path.read_bytes()
    if not data:
        raise InputError(f"{path}: is empty; copy it again from its source")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        text = "cut off or damaged" if "truncated" in str(error) else "not a picture this program can read"
        raise InputError(f"{path}: {text}; check that it opens elsewhere") from error
    profile, exif = image.info.get("icc_profile"), image.getexif()
    deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if may_be_deep(image, path) else None
    if deep is not None and deep.dtype == np.uint16:
        values, alpha, depth = split_deep(deep)
    else:
        values, alpha, depth = split_shallow(image, profile), alpha_of(image), 8
    signal = to_grey(values)
    if profile and image.mode != "CMYK":
        signal = neutral_curve(profile, image.mode)[signal]
    turn = orientation(exif)
    kept = described(exif).tobytes()
    return Still(upright(signal, turn), None if alpha is None else upright(alpha, turn), depth, kept)


def may_be_deep(image: Image.Image, path: Path) -> bool:
    return image.mode.startswith("I") or (image.format in ("PNG", "TIFF", "PPM", "JPEG2000") and image.mode != "P")


def split_deep(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, int]:
    """OpenCV's uint16 (grey, BGR or BGRA) to values for `to_grey`, alpha, depth."""
    if pixels.ndim == 2:
        return pixels, None, 16
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return pixels[..., 2::-1].astype(np.float32), alpha, 16


def split_shallow(image: Image.Image, profile: bytes | None) -> np.ndarray:
    """Pillow's picture as grey or RGB values in 0..65535."""
    if image.mode == "CMYK":
        image = cmyk_to_srgb(image, profile)
    if image.mode in ("F", "I"):
        return stretch(np.asarray(image, np.float64))
    grey = image.mode in ("1", "L", "LA", "La")
    return np.asarray(image.convert("L" if grey else "RGB"), np.float32) * 257.0


def stretch(values: np.ndarray) -> np.ndarray:
    """Float or 32-bit samples, whose white is not told, to 0..65535: white is 1, 255, 65535 or the greatest value."""
    top = float(values.max(initial=0.0))
    white = next((w for w in (1.0, 255.0, 65535.0) if top <= w), top)
    return (values.clip(0.0) * (65535.0 / white)).astype(np.float32)


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile is None:
        return image.convert("RGB")
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image.convert("RGB")
    except (ImageCms.PyCMSError, OSError):
        return image.convert("RGB")


def alpha_of(image: Image.Image) -> np.ndarray | None:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return None
    return np.asarray(image.convert("RGBA"), np.uint16)[..., 3] * np.uint16(257)


def neutral_curve(profile: bytes, mode: str) -> np.ndarray:
    """What a colour profile makes of neutral greys: a table of 65,536 sRGB signals, uint16.

    Only greys matter, since all colour comes from the network; so this holds for 16-bit pictures too.
    """
    ramp = np.arange(256, dtype=np.uint8)[None]
    mode = "L" if mode in ("1", "L", "LA", "La") or mode.startswith("I") else "RGB"
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        if source.profile.xcolor_space.strip() == "GRAY":
            mode = "L"
        picture = Image.fromarray(ramp).convert(mode)
        exact = ImageCms.Flags.NOOPTIMIZE  # the optimised transform is off by 10 of 255 in the shadows
        made = ImageCms.profileToProfile(picture, source, target, outputMode="RGB", flags=exact)
    except (ImageCms.PyCMSError, OSError):
        made = None  # a damaged profile is no reason to lose the picture
    if made is None:
        return np.arange(65536, dtype=np.uint16)
    levels = np.asarray(made, np.float64)[0] @ [0.2126, 0.7152, 0.0722] * 257.0
    table = np.interp(np.arange(65536), np.arange(256) * 257.0, levels)
    return np.rint(table).clip(0, 65535).astype(np.uint16)


def orientation(exif: Image.Exif) -> int:
    """EXIF orientation, 1 to 8."""
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def described(exif: Image.Exif) -> Image.Exif:
    """The tags that tell of the picture, without those of the file it lay in (for TIFF they are all one)."""
    kept = Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if found := exif.get_ifd(part):
            kept.get_ifd(part).update(found)
    return kept


def upright(plane: np.ndarray, turn: int) -> np.ndarray:
    """A plane turned as its EXIF orientation says."""
    if turn in (5, 6, 7, 8):
        plane = plane.T
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}.get(turn, ())
    return np.ascontiguousarray(np.flip(plane, flips))


def write_still(target: Path, rgb: np.ndarray, alpha: np.ndarray | None, exif: bytes) -> None:
    """Write RGB uint8 or uint16 under a temporary name and rename it; the sRGB profile goes along where it can."""
    suffix = target.suffix.lower()
    if rgb.dtype == np.uint16 and suffix not in DEEP:
        rgb = narrow(rgb)
    if alpha is not None and suffix in ALPHA:
        alpha = alpha if rgb.dtype == np.uint16 else narrow(alpha)
        rgb = np.concatenate((rgb, alpha[..., None]), -1)
    partial = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        partial.write_bytes(encode_deep(rgb, suffix) if rgb.dtype == np.uint16 else encode_shallow(rgb, suffix, exif))
        os.replace(partial, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written, {error.strerror}; check the disk") from error
    finally:
        partial.unlink(missing_ok=True)


def encode_deep(rgb: np.ndarray, suffix: str) -> bytes:
    order = [2, 1, 0, 3] if rgb.shape[2] == 4 else [2, 1, 0]
    done, data = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., order]))
    if not done:
        raise OSError(0, f"cannot encode {suffix}")
    return data.tobytes()


def encode_shallow(rgb: np.ndarray, suffix: str, exif: bytes) -> bytes:
    out = io.BytesIO()
    extra: dict = {"quality": 95, "subsampling": 0} if WRITES[suffix] == "JPEG" else {}
    if WRITES[suffix] != "BMP":
        extra |= {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
        if len(exif) <= MAX_EXIF:
            extra["exif"] = exif
    Image.fromarray(rgb).save(out, WRITES[suffix], **extra)
    return out.getvalue()
