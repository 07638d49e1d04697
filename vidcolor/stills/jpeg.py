"""The segments of a JPEG: metadata out, metadata in (ITU-T T.81 annex B; EXIF 2.32 section 4.7; XMP part 3)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from vidcolor.stills.exif import Block
from vidcolor.stills.metadata import Metadata, iptc_of, resources_with

APP0, APP1, APP2, APP13, COM, SOS = 0xE0, 0xE1, 0xE2, 0xED, 0xFE, 0xDA
EXIF_NAME, XMP_NAME, ICC_NAME = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
PHOTOSHOP_NAME, MPF_NAME = b"Photoshop 3.0\0", b"MPF\0"
LARGEST = 65533  # bytes in a segment
PICTURES = 0xB001  # tag of the multi-picture format: how many there are
FILM = re.compile(rb"\0\0\0[\x08-\x80]ftyp(?:mp4|iso|qt  |3gp|avc|MSNV|hevc)")


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of every segment before the scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == SOS:
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(2, length)


def bare(data: bytes) -> bytes:
    """The file without its metadata, so that no damage there keeps the picture from being read."""
    kept, at = [data[:2]], 2
    for marker, content in segments(data):
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        end = at + 4 + len(content)
        if marker not in (APP1, APP2, APP13, COM):
            kept.append(data[at:end])
        at = end
    return b"".join((*kept, data[at:]))


def read(data: bytes) -> tuple[Metadata, bytes]:
    """The metadata and the colour profile."""
    exif = xmp = photoshop = comment = b""
    profile: list[bytes] = []
    dpi = None
    for marker, content in segments(data):
        if marker == APP0 and content[:5] == b"JFIF\0":
            dpi = density(content)
        elif marker == APP1 and content.startswith(EXIF_NAME):
            exif = exif or content[len(EXIF_NAME) :]
        elif marker == APP1 and content.startswith(XMP_NAME):
            xmp = xmp or content[len(XMP_NAME) :]
        elif marker == APP2 and content.startswith(ICC_NAME):
            profile.append(content[len(ICC_NAME) :])
        elif marker == APP13 and content.startswith(PHOTOSHOP_NAME):
            photoshop += content[len(PHOTOSHOP_NAME) :]
        elif marker == COM:
            comment = comment or content
    icc = b"".join(part[2:] for part in sorted(profile, key=lambda p: p[:1]))
    return Metadata(exif=exif, xmp=xmp, iptc=iptc_of(photoshop), dpi=dpi, comment=comment), icc


def density(jfif: bytes) -> tuple[float, float] | None:
    """Pixels an inch of a JFIF segment."""
    if len(jfif) < 12:
        return None
    unit, across, down = struct.unpack(">BHH", jfif[7:12])
    factor = {1: 1.0, 2: 2.54}.get(unit, 0.0)
    return (across * factor, down * factor) if factor and across and down else None


def left_out(data: bytes) -> list[str]:
    """What else the file holds: further pictures, a film."""
    found = []
    for marker, content in segments(data):
        if marker == APP2 and content.startswith(MPF_NAME):
            found += further_pictures(content[len(MPF_NAME) :])
    if FILM.search(data):
        found.append("the film in the photograph")
    return found


def further_pictures(block: bytes) -> list[str]:
    try:
        mpf = Block(block)
    except ValueError:
        return []
    count = next((e.numbers[0] for e in mpf.entries(mpf.first) if e.tag == PICTURES and e.numbers), 1) - 1
    return [f"{count} more picture{'s' if count > 1 else ''}"] if count > 0 else []


def write(data: bytes, metadata: Metadata, profile: bytes) -> tuple[bytes, list[str]]:
    """A JPEG with metadata put in, and what was too large for it."""
    wanted = {"EXIF": (APP1, EXIF_NAME, metadata.exif), "XMP": (APP1, XMP_NAME, metadata.xmp),
              "IPTC": (APP13, PHOTOSHOP_NAME, resources_with(metadata.iptc) if metadata.iptc else b""),
              "comment": (COM, b"", metadata.comment)}  # fmt: skip
    parts, lost = [], []
    for kind, (marker, name, content) in wanted.items():
        if content and len(name + content) <= LARGEST:
            parts.append(segment(marker, name + content))
        elif content:
            lost.append(kind)
    step = LARGEST - len(ICC_NAME) - 2
    pieces = [profile[i : i + step] for i in range(0, len(profile), step)]
    for number, piece in enumerate(pieces, 1):
        parts.append(segment(APP2, ICC_NAME + bytes((number, len(pieces))) + piece))
    start = 2
    if data[2:4] == bytes((0xFF, APP0)):  # JFIF stays in front
        start = 4 + int.from_bytes(data[4:6], "big")
    return data[:start] + b"".join(parts) + data[start:], lost


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
