"""The tags of a TIFF, and a page as its directory describes it (TIFF 6.0)."""

from __future__ import annotations

from dataclasses import dataclass

from vidcolor.stills.exif import Entry

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
SAMPLES, PLANES, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, EXTRA, FORMAT = 277, 284, 317, 322, 323, 338, 339
OFFSETS, LENGTHS = (273, 324), (279, 325)  # of strips and tiles
XMP, IPTC, PHOTOSHOP, PROFILE, DNG = 700, 33723, 34377, 34675, 50706
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, MASK, LAB = 0, 1, 2, 4, 8  # photometric values
SENSOR = (32803, 34892)  # those of what a camera's sensor gives
INTEGER, FLOAT_FORMAT = 1, 3
OPENCV_BITS = (10, 12, 14, 16)
# Tags that describe how the pixels lie in the file, and those that `Metadata` has in fields of its own.
STRUCTURE = frozenset(
    (*range(254, 267), 273, 274, *range(277, 285), *range(288, 294), 296, 300, 301, *range(317, 335), *range(336, 348),
     *range(512, 533), 559, XMP, *range(32995, 32999), 33421, 33422, IPTC, PHOTOSHOP, PROFILE, 37724,
     *range(50706, 51200))
)  # fmt: skip


@dataclass(frozen=True)
class TiffPage:
    """A page as its directory describes it."""

    at: int  # where the directory stands
    entries: tuple[Entry, ...]

    def value(self, tag: int, default: int = 0) -> int:
        """The first number of a tag."""
        found = next((e.numbers for e in self.entries if e.tag == tag), ())
        return found[0] if found else default

    def values(self, tags: tuple[int, ...]) -> tuple[int, ...]:
        """All numbers of the first of `tags` that is there."""
        return next((e.numbers for e in self.entries if e.tag in tags), ())

    def data(self, tag: int) -> bytes:
        return next((e.data for e in self.entries if e.tag == tag), b"")

    @property
    def size(self) -> tuple[int, int]:
        return self.value(WIDTH), self.value(HEIGHT)

    @property
    def bits(self) -> int:
        return self.value(BITS, 1)

    @property
    def photometric(self) -> int:
        return self.value(PHOTOMETRIC, BLACK_IS_ZERO)

    @property
    def is_reduced(self) -> bool:
        """A smaller copy or a mask, as the page itself says."""
        return bool(self.value(254) & 5) or self.value(255) == 2 or self.photometric == MASK

    @property
    def deep(self) -> bool:
        """Whether OpenCV is to read it: Pillow knows no such samples, or cuts them to 8 bits."""
        plain = self.photometric <= RGB and self.value(PLANES, 1) == 1
        whole = self.value(FORMAT, INTEGER) == INTEGER and self.bits in OPENCV_BITS
        return plain and (whole or self.bits > 16 or (self.bits == 16 and self.value(FORMAT, 1) != FLOAT_FORMAT))
