"""The pages of a TIFF: which of them are pictures, and their samples."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from vidcolor.pictures.quiet import faults
from vidcolor.pictures.samples import Samples
from vidcolor.pictures.source import open_picture
from vidcolor.stills.arrays import to_grey
from vidcolor.stills.deep import samples, split
from vidcolor.stills.exif import (
    ORIENTATION,
    WHOLE,
    Block,
    new_block,
    orientation_of,
    resolution_of,
    upright_value,
)
from vidcolor.stills.metadata import Metadata, iptc_of
from vidcolor.stills.pixels import alpha_of, grey_of, lightness_signal, stretch
from vidcolor.stills.tiff_samples import colours, is_wanted, unpack
from vidcolor.stills.tiff_tags import (
    DNG,
    IPTC,
    LAB,
    LENGTHS,
    OFFSETS,
    PHOTOSHOP,
    PROFILE,
    RGB,
    SENSOR,
    STRUCTURE,
    WHITE_IS_ZERO,
    XMP,
    TiffPage,
)  # fmt: skip

COPY = 0.9  # correlation from which a small page of the same shape is a thumbnail of a large one
COMPARED = 32  # pixels a side in that comparison


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
    turn = orientation_of(page.entries)
    mode = "RGB" if page.photometric == RGB else "LAB" if page.photometric == LAB else "L"
    if is_wanted(page):
        signal, alpha = signal_of(*colours(unpack(block, page), page))
        signal = lightness_signal(65536)[signal] if page.photometric == LAB else signal
        return Samples(turned_white(signal, page), alpha, 16, turn, mode)
    data = alone(block, page)
    pixels = samples(data) if page.deep else None
    if pixels is None:
        with open_picture(data, ("TIFF",)) as image:
            with faults() as found:
                image.load()
            return Samples(grey_of(image, page.data(PROFILE)), alpha_of(image), 8, turn, image.mode, len(found))
    if pixels.dtype == np.uint16:
        shift = 16 - page.bits  # OpenCV puts 10, 12 and 14 bits into the upper ones
        signal, alpha = split(pixels >> shift if shift else pixels, 2**page.bits - 1)
    else:
        signal, alpha = signal_of(pixels[..., 2::-1] if pixels.ndim == 3 else pixels, None)
    return Samples(turned_white(signal, page), alpha, 16, turn, mode)


def signal_of(pixels: np.ndarray, alpha: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey or RGB samples of any type as signal, and alpha as it is."""
    return (to_grey(pixels.astype(np.float32)) if pixels.dtype == np.uint16 else stretch(pixels)), alpha


def turned_white(signal: np.ndarray, page: TiffPage) -> np.ndarray:
    """The signal, inverted where its zero means white."""
    return np.invert(signal, out=signal) if page.photometric == WHITE_IS_ZERO else signal


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
