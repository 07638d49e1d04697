"""Still or film: told by the first bytes of a file, and by its ending only where those say nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from vidcolor.atomic import is_special
from vidcolor.stills.formats import STILL_TARGETS, STILLS
from vidcolor.video.address import HTTP, scheme
from vidcolor.video.target import is_address

HEAD = 64 * 1024  # bytes in which a PNG says that it is animated
FILM = "film"
FRAME_STREAMS = (".mjpeg", ".mjpg")  # one JPEG after the other, without anything around them
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# A pattern that the first bytes match -> Pillow's name of the format, or FILM.
PATTERNS = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"GIF8[79]a", "GIF"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG2000"),
    (rb"P[1-6][\s#]|P[fF]\s", "PPM"),
    (rb"8BPS\0", "PSD"),
    (rb"qoif", "QOI"),
    (rb"\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|OggS|\0\0\x01[\xba\xb3]|\x30\x26\xb2\x75\x8e\x66\xcf\x11", FILM),
    (rb"\x06\x0e\x2b\x34|YUV4MPEG2|\x47.{187}\x47|.{4}\x47.{191}\x47", FILM),
)


def format_of(head: bytes) -> str:
    """Pillow's name of the still that begins with `head`, "HEIF", FILM, or "" where the bytes say nothing."""
    for pattern, name in PATTERNS:
        if re.match(pattern, head, re.DOTALL):
            return name
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        return iso_format(head)
    return FILM if head[4:8] in (b"moov", b"mdat", b"wide") else ""


def iso_format(head: bytes) -> str:
    """The same for the family of MP4, whose first box lists what the file can be read as."""
    length = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length, 4))]
    if b"avif" in brands or b"avis" in brands:
        return "AVIF"
    return "HEIF" if brands[0] in HEIF_BRANDS else FILM


def is_still(source: str | Path, target: str | Path | None = None) -> bool:
    """Whether `source` is a picture and no film, by its content.

    Something animated is a film unless `target` has a still's ending. A pipe or a file on a web server, whose content
    cannot be looked at twice, is what `target` is, or what its own name says.
    """
    address = is_address(str(source))
    path = Path(urlsplit(str(source)).path if address else source)
    if address and scheme(str(source)) not in HTTP:
        return False
    wants_still = target is not None and Path(target).suffix.lower() in STILL_TARGETS
    by_name = path.suffix.lower() in STILLS
    if address or str(source) == "-" or is_special(path):
        return wants_still if target is not None else by_name
    format = content_of(path)
    if not format:
        return by_name
    if format == FILM or path.suffix.lower() in FRAME_STREAMS:
        return False
    return wants_still or not is_animated(path, format)


def content_of(path: Path) -> str:
    """`format_of` a file; "" also for what is no file or cannot be read."""
    if not os.path.isfile(path):
        return ""
    try:
        with open(path, "rb") as file:
            return format_of(file.read(512))
    except OSError:
        return ""


def is_animated(path: Path, format: str) -> bool:
    """Whether a file of this format holds more than one frame that are shown one after the other."""
    if format == "PNG":
        with open(path, "rb") as file:
            return b"acTL" in file.read(HEAD).partition(b"IDAT")[0]
    if format == "AVIF":
        with open(path, "rb") as file:
            return file.read(12)[8:] == b"avis"
    return format == "GIF" and frames_of_gif(path) > 1


def frames_of_gif(path: Path) -> int:
    """1, or 2 where there are more; 0 for what cannot be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=("GIF",)) as image:
            return 2 if getattr(image, "is_animated", False) else 1
    except Exception:  # Pillow's readers raise whatever a damaged file makes them stumble over
        return 0
