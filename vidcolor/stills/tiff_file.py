"""TIFF out: pages of 8 or 16 bits with all their metadata (TIFF 6.0, little-endian, deflated strips)."""

from __future__ import annotations

import zlib
from typing import BinaryIO

import numpy as np

from vidcolor.stills import tiff_tags as tags
from vidcolor.stills.exif import (
    BYTE,
    LONG,
    NOTES,
    RESOLUTION,
    SHORT,
    UNDEFINED,
    Entry,
    lay_out,
    numbers,
    resolution_entries,
    tree,
    without,
)  # fmt: skip
from vidcolor.stills.metadata import Metadata

STRIP_BYTES = 2**20
LEVEL = 3  # of zlib: 6 takes three times as long for 2 % less
DEFLATE, DIFFERENCES, UNASSOCIATED_ALPHA = 8, 2, 2
LARGEST = 2**32 - 1  # bytes that its addresses reach


class TiffWriter:
    """Writes pages to `file`, one after the other.

    Raises:
        OSError: the disk is full, or the file would be larger than a TIFF can be.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.link = 4  # where the place of the next directory is to be written
        file.write(b"II*\0\0\0\0\0")

    def add(self, pixels: np.ndarray, metadata: Metadata, profile: bytes) -> None:
        """A page: RGB or RGBA ``(h, w, 3 or 4)``, uint8 or uint16."""
        height, width, channels = pixels.shape
        rows = max(1, STRIP_BYTES // (width * channels * pixels.itemsize))
        places, lengths = [], []
        for top in range(0, height, rows):
            packed = pack(pixels[top : top + rows])
            places.append(self.file.tell())
            lengths.append(len(packed))
            self.file.write(packed)
        entries = [
            numbers(254, LONG, 0), numbers(tags.WIDTH, LONG, width), numbers(tags.HEIGHT, LONG, height),
            numbers(tags.BITS, SHORT, *[8 * pixels.itemsize] * channels), numbers(259, SHORT, DEFLATE),
            numbers(tags.PHOTOMETRIC, SHORT, tags.RGB), numbers(273, LONG, *places),
            numbers(tags.SAMPLES, SHORT, channels), numbers(278, LONG, rows), numbers(279, LONG, *lengths),
            numbers(tags.PLANES, SHORT, 1), numbers(317, SHORT, DIFFERENCES),
        ]  # fmt: skip
        if channels == 4:
            entries.append(numbers(338, SHORT, UNASSOCIATED_ALPHA))
        self.write_directory(entries + metadata_entries(metadata, profile))

    def write_directory(self, entries: list[Entry]) -> None:
        at = self.file.tell()
        self.file.write(bytes(at % 2))
        at += at % 2
        directory = lay_out(entries, at) if at < LARGEST else b""
        if at + len(directory) > LARGEST:
            raise OSError(0, "a TIFF holds 4 GB at most, use .png")
        self.file.write(directory)
        end = self.file.tell()
        self.file.seek(self.link)
        self.file.write(at.to_bytes(4, "little"))
        self.file.seek(end)
        self.link = at + 2 + 12 * len(entries)


def pack(rows: np.ndarray) -> bytes:
    """Rows as differences from the pixel on the left, deflated."""
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.astype(differences.dtype.newbyteorder("<"), copy=False).tobytes(), LEVEL)


def metadata_entries(metadata: Metadata, profile: bytes) -> list[Entry]:
    """Metadata and colour profile as entries of a page, without a maker's notes, whose addresses would lead astray."""
    entries = without(tree(metadata.exif), {*tags.STRUCTURE, *RESOLUTION, NOTES})
    entries += resolution_entries(metadata.dpi) if metadata.dpi else []
    for tag, kind, data in (
        (tags.XMP, BYTE, metadata.xmp),
        (tags.IPTC, BYTE, metadata.iptc),
        (tags.PROFILE, UNDEFINED, profile),
    ):
        if data:
            entries.append(Entry(tag, kind, len(data), data))
    return entries
