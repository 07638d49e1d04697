"""Stills in: every page as an upright grey signal in sRGB, with its metadata."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from vidcolor.errors import InputError
from vidcolor.pictures.profiles import neutral_curve
from vidcolor.pictures.quiet import faults, quiet
from vidcolor.pictures.samples import Samples, decoding, upright
from vidcolor.pictures.source import check_size, name_of, open_picture, read_bytes
from vidcolor.stills import deep, heif, jpeg, png, tiff_pages
from vidcolor.stills.content import FILM, format_of
from vidcolor.stills.exif import Block
from vidcolor.stills.metadata import Metadata
from vidcolor.stills.pixels import alpha_of, grey_of
from vidcolor.stills.tiff_tags import PROFILE, TiffPage

WITHOUT_PROFILE = ("CMYK", "LAB")  # its profile is used on the way to grey, or is none for grey


@dataclass(frozen=True)
class Page:
    """A picture as read: upright, its grey in the sRGB signal."""

    signal: np.ndarray  # (h, w) uint16, full range
    alpha: np.ndarray | None  # (h, w) uint16
    depth: int  # 8 or 16, of the samples that were used
    turned: bool  # width and height were swapped
    metadata: Metadata  # as it stands in the source
    reduced: int = 0  # bits a sample of the source, where they were cut to 8
    faults: int = 0  # places that were found damaged and passed over


@dataclass(frozen=True)
class Still:
    """A file of one or more pictures; each is decoded when it is asked for.

    Attributes:
        name: what messages call the source.
        format: Pillow's name of its format.
        left_out: what else the file holds and is not read, in words.
    """

    name: str
    format: str
    readers: tuple[Callable[[], Page], ...]
    left_out: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.readers)

    def page(self, number: int = 0) -> Page:
        """The page of this number, counted from 0.

        Raises:
            InputError: it is damaged, too large or of an unknown kind.
        """
        with quiet(), decoding(self.name):
            return self.readers[number]()


def read_still(source: Path | BinaryIO) -> Still:
    """Look into a file, or a stream that is read to its end.

    Raises:
        InputError: missing, unreadable, empty, damaged, or not a picture.
    """
    name, data = name_of(source), read_bytes(source)
    format = format_of(data[:512])
    if format == FILM:
        raise InputError(f"{name}: is a film; end the target's name as a film's, such as .mp4")
    with quiet(), decoding(name):
        return READERS.get(format, read_other)(name, data)


def finish(samples: Samples, metadata: Metadata, profile: bytes, reduced: int = 0) -> Page:
    """Samples turned upright, their profile turned into sRGB."""
    signal, alpha, turn = samples.signal, samples.alpha, samples.turn
    if profile and samples.mode not in WITHOUT_PROFILE:
        signal = neutral_curve(profile, samples.mode)[signal]
    if turn > 1:
        signal = upright(signal, turn)
        alpha = None if alpha is None else upright(alpha, turn)
    return Page(signal, alpha, samples.depth, turn >= 5, metadata, reduced, samples.faults)


def loaded(name: str, data: bytes, format: str = "") -> Image.Image:
    """Pillow's picture, decoded."""
    image = open_picture(data, (format,) if format else None)
    check_size(name, *image.size)
    image.load()
    return image


def read_jpeg(name: str, data: bytes) -> Still:
    metadata, profile = jpeg.read(data)
    image = loaded(name, jpeg.bare(data), "JPEG")
    samples = Samples(grey_of(image, profile), None, 8, metadata.orientation, image.mode)
    page = finish(samples, metadata, profile)
    return Still(name, "JPEG", (lambda: page,), jpeg.left_out(data))


def read_png(name: str, data: bytes) -> Still:
    metadata, profile = png.read(data)
    header, plain = png.Header.of(data), png.bare(data)
    check_size(name, header.width, header.height)
    if header.least_bytes > len(data):
        raise EOFError
    image = loaded(name, plain, "PNG")
    with faults():  # what is damaged has failed above
        pixels = deep.samples(plain) if header.depth == 16 else None
    if pixels is None:
        samples = Samples(grey_of(image, profile), alpha_of(image), 8, metadata.orientation, image.mode)
    else:
        signal, alpha = deep.split(pixels, 65535)
        if alpha is None:
            alpha = png.transparent(data, pixels)
        samples = Samples(signal, alpha, 16, metadata.orientation, "L" if header.color in (0, 4) else "RGB")
    page = finish(samples, metadata, profile)
    return Still(name, "PNG", (lambda: page,), further(png.frames(data), "frame"))


def read_tiff(name: str, data: bytes) -> Still:
    block = Block(data)
    if tiff_pages.is_raw(block):
        raise InputError(f"{name}: is a camera's raw data; develop it into a TIFF of 16 bits first")
    pages = tiff_pages.pages_of(block)
    if not pages:
        raise EOFError
    for page in pages:
        check_size(name, *page.size)
    read = functools.partial(read_tiff_page, block)
    copies = {
        small
        for small, large in tiff_pages.thumbnails(pages)
        if tiff_pages.is_copy(read(pages[small]).signal, read(pages[large]).signal)
    }
    kept = [page for i, page in enumerate(pages) if i not in copies]
    return Still(name, "TIFF", tuple(functools.partial(read, page) for page in kept))


def read_tiff_page(block: Block, page: TiffPage) -> Page:
    samples = tiff_pages.read_pixels(block, page)
    reduced = page.bits if samples.depth == 8 and page.bits > 8 else 0
    return finish(samples, tiff_pages.metadata_of(page), page.data(PROFILE), reduced)


def read_heif(name: str, data: bytes) -> Still:
    samples, metadata, profile, left_out = heif.read(name, data)
    page = finish(samples, metadata, profile)
    return Still(name, "HEIF", (lambda: page,), left_out)


def read_other(name: str, data: bytes) -> Still:
    """What Pillow reads, by OpenCV where it has more than 8 bits."""
    image = loaded(name, data)
    info = image.info
    dpi = info.get("dpi") if image.format in ("BMP", "DIB", "JPEG2000") else None
    metadata = Metadata(
        exif=(info.get("exif") or b"").removeprefix(b"Exif\0\0"),
        xmp=info.get("xmp") or b"",
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and all(dpi) else None,
        comment=info.get("comment") or b"" if image.format == "GIF" else b"",
    )
    profile = info.get("icc_profile") or b""
    white = white_of(image.format or "", data)
    pixels = deep.samples(data) if white > 255 else None
    if pixels is None:
        samples = Samples(grey_of(image, profile), alpha_of(image), 8, metadata.orientation, image.mode)
    else:
        mode = "L" if pixels.ndim == 2 else "RGB"
        samples = Samples(*deep.split(pixels, white), 16, metadata.orientation, mode)
    reduced = white.bit_length() if pixels is None and white > 255 else 0
    page = finish(samples, metadata, profile, reduced)
    frames = 1 if image.format == "PSD" else getattr(image, "n_frames", 1)
    return Still(name, image.format or "", (lambda: page,), further(frames, "frame"))


def white_of(format: str, data: bytes) -> int:
    """The largest sample that a file of this format may hold."""
    if format == "PPM":
        return deep.white_of_pnm(data)
    bits = {"JPEG2000": deep.bits_of_jp2, "AVIF": deep.bits_of_avif}.get(format, lambda _: 8)(data)
    return (1 << min(bits, 16)) - 1


def further(count: int, word: str) -> list[str]:
    """What is left out where only the first of `count` is read."""
    return [f"{count - 1} more {word}{'s' if count > 2 else ''}"] if count > 1 else []


READERS: dict[str, Callable[[str, bytes], Still]] = {
    "JPEG": read_jpeg,
    "PNG": read_png,
    "TIFF": read_tiff,
    "HEIF": read_heif,
}
