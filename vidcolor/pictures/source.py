"""The bytes of a still, from a file, a pipe or a stream, and the errors on the way."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from vidcolor.errors import InputError

MAX_BYTES = 8 * 2**30  # of a file; a pipe may go on for ever
CHUNK = 1 << 20  # bytes read at a time
MAX_PIXELS = 10**9
BYTES_A_PIXEL = 14  # taken at most while a picture of 16 bits is coloured
FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "DIB", "PPM", "JPEG2000", "AVIF", "TGA", "PCX", "SGI",
           "PSD", "QOI")  # fmt: skip
REASONS = {
    errno.ENOENT: "no such file; check the name",
    errno.EACCES: "no permission to read it; change its permissions or copy it",
    errno.EPERM: "no permission to read it; change its permissions or copy it",
    errno.EISDIR: "is a folder; give a file in it",
    errno.ENAMETOOLONG: "no such file, for no name can be that long; check the name",
    errno.ELOOP: "is a link that leads back to itself; give the file itself",
}


def name_of(source: Path | BinaryIO) -> str:
    """What messages call it."""
    if isinstance(source, Path) and not is_standard_input(source):
        return str(source)
    name = getattr(source, "name", None)
    return "standard input" if name in (None, 0, "<stdin>") else str(name)


def is_standard_input(source: Path) -> bool:
    """Whether "-" is meant, and no file of that name."""
    return str(source) == "-" and not os.path.lexists(source)


def read_bytes(source: Path | BinaryIO) -> bytes:
    """Everything in `source`; a stream is read to its end and stays open.

    Raises:
        InputError: missing, a folder, empty, closed to us, too large, or on a failing disk.
    """
    name = name_of(source)
    try:
        if isinstance(source, Path):
            if is_standard_input(source):
                return read_bytes(standard_input())
            with open(source, "rb") as file:
                data = read_all(file)
        else:
            data = read_all(source)
    except OSError as error:
        said = f"cannot be read, {(error.strerror or str(error)).lower()}; check the disk"
        raise InputError(f"{name}: {REASONS.get(error.errno or 0, said)}") from error
    if not data:
        raise InputError(f"{name}: is empty; copy it again from its source")
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}: has more than {MAX_BYTES >> 30} GB, which no still has; is it a film?")
    return data


def read_all(stream: BinaryIO) -> bytes:
    """What is left of a stream, up to just beyond MAX_BYTES: no more memory is asked for than there are bytes."""
    held = io.BytesIO()
    while held.tell() <= MAX_BYTES and (data := stream.read(CHUNK)):
        held.write(data)
    return held.getvalue()


def standard_input() -> BinaryIO:
    """The stream that a shell pipes in.

    Raises:
        InputError: it is closed.
    """
    if sys.stdin is None:
        raise InputError("standard input: is closed; pipe a picture in, or name a file")
    return sys.stdin.buffer


def open_picture(data: bytes, formats: tuple[str, ...] | None = None) -> Image.Image:
    """A picture whose pixels are not decoded yet; call it within `quiet`."""
    return Image.open(io.BytesIO(data), formats=formats or FORMATS)


def check_size(name: str, width: int, height: int) -> None:
    """Refuse a picture that cannot be coloured in this computer's memory, before it is decoded.

    Raises:
        InputError: it has too many pixels.
    """
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise InputError(f"{name}: has {pixels / 1e6:.0f} megapixels, more than {MAX_PIXELS / 1e6:.0f}; scale it down")
    needed = pixels * BYTES_A_PIXEL
    if needed > memory():
        raise InputError(
            f"{name}: has {pixels / 1e6:.0f} megapixels and needs {needed / 1e9:.0f} GB of memory, more than there is; "
            "scale it down"
        )


def memory() -> int:
    """Bytes of this computer's memory, or very many where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**62
