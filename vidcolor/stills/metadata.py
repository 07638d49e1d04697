"""What a still tells beside its pixels, and what of it a format can hold."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field, replace

from vidcolor.provenance import BETWEEN, with_credit
from vidcolor.stills.exif import (
    ASCII,
    EXIF,
    NOTES,
    RESOLUTION,
    WIDTH_TAGS,
    Entry,
    cleaned,
    new_block,
    orientation_of,
    resolution_entries,
    resolution_of,
    tree,
)
from vidcolor.stills.formats import HOLDS

IPTC_RESOURCE = 0x0404
SOFTWARE, SOFTWARE_KEY = 305, "Software"  # the tag of TIFF and EXIF, the keyword of PNG
MOST_COMMENT = 65533  # bytes, in a JPEG
# What XMP says of the file that it lay in and is not true of the copy -> what is true there, of the same length.
UNTRUE = (
    (rb"(tiff:Orientation(?:=[\"']|>))[2-8]", rb"\g<1>1"),
    (rb"((?:GCamera|Camera):M(?:otionPhoto|icroVideo)(?:=[\"']|>))1", rb"\g<1>0"),
)


@dataclass(frozen=True)
class Metadata:
    """All that travels from source to target; empty where the source has none."""

    exif: bytes = b""  # a TIFF structure, without "Exif\0\0"
    xmp: bytes = b""  # a packet of XML
    iptc: bytes = b""  # IIM records
    dpi: tuple[float, float] | None = None  # pixels an inch, across and down
    comment: bytes = b""
    text: tuple[tuple[str, str], ...] = field(default=())  # keywords and texts of a PNG
    bad: int = 0  # EXIF entries that were damaged and left out

    @property
    def orientation(self) -> int:
        """How the source's pixels must be turned, 1 to 8."""
        return orientation_of(tree(self.exif))

    def kinds(self) -> list[str]:
        """What there is, in the words of `HOLDS`."""
        parts = {"EXIF": self.exif, "XMP": self.xmp, "IPTC": self.iptc, "resolution": self.dpi,
                 "comment": self.comment, "text": self.text}  # fmt: skip
        return [name for name, value in parts.items() if value]

    def beyond(self, format: str) -> list[str]:
        """What there is that `format` cannot hold."""
        lost = [kind for kind in self.kinds() if kind not in HOLDS[format]]
        notes = has_makers_notes(self.exif)
        if notes and format == "TIFF":
            lost.append("the camera's own notes")
        if notes and format == "WEBP" and self.dpi and resolution_of(tree(self.exif)) is None:
            lost.append("resolution")
        return lost

    def for_copy(self, *, turned: bool, resized: bool) -> Metadata:
        """The metadata of the upright, coloured copy."""
        dpi = self.dpi or resolution_of(tree(self.exif))
        uneven = dpi is not None and dpi[0] != dpi[1]
        if turned and dpi is not None:
            dpi = dpi[::-1]
        unwanted = [*(WIDTH_TAGS if turned or resized else ()), *(RESOLUTION if turned and uneven else ())]
        exif, bad = cleaned(self.exif, unwanted)
        xmp = self.xmp
        for pattern, true in UNTRUE:
            xmp = re.sub(pattern, true, xmp)
        return replace(self, exif=exif, dpi=dpi, xmp=xmp, bad=self.bad + bad)

    def with_resolution_in_exif(self) -> Metadata:
        """For formats that tell of the resolution nowhere else; a maker's notes must not be moved for it."""
        entries = tree(self.exif)
        if self.dpi is None or resolution_of(entries) is not None or has_makers_notes(self.exif):
            return self
        others = [e for e in entries if e.tag not in RESOLUTION]
        return replace(self, exif=new_block([*others, *resolution_entries(self.dpi)]))

    def credited(self, credit: str, format: str) -> Metadata:
        """With `credit` where this format keeps such: behind what the source says there, and not twice.

        JPEG's comment, PNG's text Software, the tag Software elsewhere. It stays away where it would drive out what the
        source has: a comment that is too long, makers' notes that must not be moved.
        """
        if format == "JPEG":
            comment = joined(self.comment, credit.encode())
            return replace(self, comment=comment) if len(comment) <= MOST_COMMENT else self
        if format == "PNG":
            said = dict(self.text)
            said[SOFTWARE_KEY] = with_credit(said.get(SOFTWARE_KEY, ""), credit)
            return replace(self, text=tuple(said.items()))
        if format == "BMP" or (format == "WEBP" and has_makers_notes(self.exif)):
            return self
        entries = tree(self.exif)
        said_there = next((e.data.rstrip(b"\0") for e in entries if e.tag == SOFTWARE), b"")
        value = joined(said_there, credit.encode("ascii", "replace")) + b"\0"
        others = [e for e in entries if e.tag != SOFTWARE]
        return replace(self, exif=new_block([*others, Entry(SOFTWARE, ASCII, len(value), value)]))


def joined(said: bytes, credit: bytes) -> bytes:
    """`provenance.with_credit` for bytes in any encoding."""
    if credit in said:
        return said
    return said + BETWEEN.encode() + credit if said else credit


def iptc_of(resources: bytes) -> bytes:
    """The IPTC records within Photoshop's image resources."""
    at = 0
    while resources[at : at + 4] == b"8BIM" and at + 12 <= len(resources):
        kind, name = struct.unpack(">HB", resources[at + 4 : at + 7])
        place = at + 6 + name + 1 + (name + 1) % 2
        (length,) = struct.unpack(">I", resources[place : place + 4].ljust(4, b"\0"))
        if kind == IPTC_RESOURCE:
            return resources[place + 4 : place + 4 + length]
        at = place + 4 + length + length % 2
    return b""


def resources_with(iptc: bytes) -> bytes:
    """Photoshop's image resources that hold IPTC records and nothing else."""
    return b"8BIM" + struct.pack(">HHI", IPTC_RESOURCE, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def has_makers_notes(exif: bytes) -> bool:
    """Whether a maker's own notes are in it, which may hold addresses and cannot be moved."""
    return any(child.tag == NOTES for entry in tree(exif) if entry.tag == EXIF for child in entry.children)
