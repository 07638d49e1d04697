"""The pages of a TIFF: which of them are pictures, and their samples."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.stills.deep import samples, split
from vidcolor.stills.exif import (
    ORIENTATION,
    WHOLE,
    Block,
    Entry,
    new_block,
    orientation_of,
    resolution_of,
    upright_value,
)
from vidcolor.stills.metadata import Metadata, iptc_of
from vidcolor.stills.pixels import alpha_of, grey_of, open_picture, stretch
from vidcolor.stills.samples import Samples

WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLES, PLANES, FORMAT = 256, 257, 258, 262, 277, 284, 339
OFFSETS, LENGTHS = (273, 324), (279, 325)  # of strips and tiles
XMP, IPTC, PHOTOSHOP, PROFILE, DNG = 700, 33723, 34377, 34675, 50706
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, MASK = 0, 1, 2, 4
SENSOR = (32803, 34892)  # photometric values of what a camera's sensor gives
INTEGER, FLOAT_FORMAT = 1, 3
OPENCV_BITS = (10, 12, 14, 16)
# Tags that describe how the pixels lie in the file, and those that `Metadata` has in fields of its own.
STRUCTURE = frozenset(
    (*range(254, 267), 273, 274, *range(277, 285), *range(288, 294), 296, 300, 301, *range(317, 335), *range(336, 348),
     *range(512, 533), 559, XMP, *range(32995, 32999), 33421, 33422, IPTC, PHOTOSHOP, PROFILE, 37724,
     *range(50706, 51200))
)  # fmt: skip
COPY = 0.9  # correlation from which a small page of the same shape is a thumbnail of a large one
COMPARED = 32  # pixels a side in that comparison


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


def pages_of(block: Block) -> list[TiffPage]:
    """Every page of the file that is a picture of its own by its own word; all where none says so."""
    found = [TiffPage(at, tuple(block.entries(at))) for at in block.chain()]
    found = [page for page in found if all(page.size)]
    return [page for page in found if not page.is_reduced] or found


def is_raw(block: Block) -> bool:
    """Whether it is a camera's raw data under a TIFF's roof."""
    for at in block.chain():
        page = TiffPage(at, tuple(block.entries(at)))
        below = [TiffPage(0, tuple(block.entries(n))) for n in page.values((330,))]
        if page.data(DNG) or any(p.photometric in SENSOR for p in (page, *below)):
            return True
    return block.data[8:10] == b"CR"


def alone(block: Block, page: TiffPage) -> bytes:
    """The file with `page` as its first one, and said to be upright: readers turn pages each in its own way."""
    data = bytearray(block.data)
    at, code, wide = (8, "Q", 8) if block.big else (4, "I", 4)
    struct.pack_into(f"{block.order}{code}", data, at, page.at)
    for entry in page.entries:
        if entry.tag == ORIENTATION and entry.kind in WHOLE:
            data[entry.at + 4 + wide : entry.at + 8 + wide] = upright_value(entry.kind, block.order)
    return bytes(data)


def read_pixels(block: Block, page: TiffPage) -> Samples:
    """The samples of a page.

    Raises:
        EOFError: they go on beyond the end of the file.
        ValueError, OSError: no reader knows such samples.
    """
    ends = [a + b for a, b in zip(page.values(OFFSETS), page.values(LENGTHS), strict=False)]
    if max(ends, default=0) > len(block.data):
        raise EOFError
    data, turn = alone(block, page), orientation_of(page.entries)
    pixels = samples(data) if page.deep else None
    if pixels is None:
        with open_picture(data, ("TIFF",)) as image:
            image.load()
            return Samples(grey_of(image, page.data(PROFILE)), alpha_of(image), 8, turn, image.mode)
    if pixels.dtype == np.uint16:
        shift = 16 - page.bits  # OpenCV puts 10, 12 and 14 bits into the upper ones
        signal, alpha = split(pixels >> shift if shift else pixels, 2**page.bits - 1)
    else:
        colours = pixels[..., 2::-1] if pixels.ndim == 3 and pixels.shape[2] >= 3 else pixels.reshape(pixels.shape[:2])
        signal, alpha = stretch(colours), None
    if page.photometric == WHITE_IS_ZERO:
        np.invert(signal, out=signal)
    return Samples(signal, alpha, 16, turn, "RGB" if page.photometric == RGB else "L")


def metadata_of(page: TiffPage) -> Metadata:
    """What a page tells; the tags that describe its pixels stay behind."""
    iptc = page.data(IPTC) or iptc_of(page.data(PHOTOSHOP))
    kept = [e for e in page.entries if e.tag not in STRUCTURE and e.tag not in (282, 283)]
    return Metadata(exif=new_block(kept), xmp=page.data(XMP), iptc=iptc.rstrip(b"\0"), dpi=resolution_of(page.entries))


def thumbnails(pages: list[TiffPage]) -> list[tuple[int, int]]:
    """Pairs (small, large) of pages of one shape, of which the first may be a thumbnail of the second."""
    pairs = []
    for i, small in enumerate(pages):
        for j, large in enumerate(pages):
            width, height = small.size
            if width * 2 <= large.size[0] and abs(large.size[1] / large.size[0] * width - height) <= 1:
                pairs.append((i, j))
                break
    return pairs


def is_copy(small: np.ndarray, large: np.ndarray) -> bool:
    """Whether two signals show the same."""
    a, b = (
        cv2.resize(x, (COMPARED, COMPARED), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
        for x in (small, large)
    )
    if not (a.std() and b.std()):
        return bool(a.std() == b.std())
    return float(np.corrcoef(a, b)[0, 1]) > COPY
