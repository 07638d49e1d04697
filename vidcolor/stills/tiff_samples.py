"""TIFF samples that Pillow and OpenCV cannot read or read wrong: planes, more channels, half floats, Lab."""

from __future__ import annotations

import zlib

import numpy as np

from vidcolor.stills.exif import Block
from vidcolor.stills.tiff_tags import (
    BITS,
    COMPRESSION,
    EXTRA,
    FLOAT_FORMAT,
    FORMAT,
    INTEGER,
    LAB,
    LENGTHS,
    OFFSETS,
    PLANES,
    PREDICTOR,
    RGB,
    SAMPLES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TiffPage,
)  # fmt: skip

TYPES = {(16, INTEGER): "u2", (32, INTEGER): "u4", (16, 2): "i2", (16, FLOAT_FORMAT): "f2", (32, FLOAT_FORMAT): "f4",
         (64, FLOAT_FORMAT): "f8"}  # fmt: skip
PLAIN, DEFLATED = 1, (8, 32946)
HORIZONTAL = 2  # predictor: a sample is told as its difference from the one on the left
ALPHA = (1, 2)  # kinds of extra samples


def is_wanted(page: TiffPage) -> bool:
    """Whether others read this page wrong, or not at all, and `unpack` may read it."""
    samples, photometric = page.value(SAMPLES, 1), page.photometric
    odd = (
        (page.value(PLANES, 1) == 2 and samples > 1)
        or samples not in (1, 3, 4)
        or (photometric <= 1 and samples > 1)
        or (page.bits == 16 and page.value(FORMAT, INTEGER) == FLOAT_FORMAT)
        or photometric == LAB
    )
    return odd and page.bits > 8 and (photometric <= RGB or photometric == LAB)


def unpack(block: Block, page: TiffPage) -> np.ndarray:
    """The samples ``(h, w, channels)`` as they stand in the file.

    Raises:
        ValueError: compressed or coded in a way that is not known here.
        EOFError: they are cut off.
    """
    code = TYPES.get((page.bits, page.value(FORMAT, INTEGER)))
    packing, predictor = page.value(COMPRESSION, PLAIN), page.value(PREDICTOR, 1)
    if code is None or (packing != PLAIN and packing not in DEFLATED) or predictor not in (1, HORIZONTAL):
        raise ValueError(f"samples of {page.bits} bits, compression {packing}, predictor {predictor}")
    if len(set(page.values((BITS,)))) > 1:
        raise ValueError("channels of different depths")
    kind = np.dtype(f"{block.order}{code}")
    width, height = page.size
    channels = page.value(SAMPLES, 1)
    across, down = page.value(TILE_WIDTH, width), page.value(TILE_HEIGHT, min(page.value(278, height) or 1, height))
    separate = page.value(PLANES, 1) == 2
    planes, depth = (channels, 1) if separate else (1, channels)
    parts = list(zip(page.values(OFFSETS), page.values(LENGTHS), strict=False))
    if across < 1 or down < 1 or len(parts) < planes * -(-height // down) * -(-width // across):
        raise EOFError
    places = ((plane, y, x) for plane in range(planes) for y in range(0, height, down) for x in range(0, width, across))
    out = np.empty((height, width, channels), kind.newbyteorder("="))
    for (plane, y, x), (at, length) in zip(places, parts, strict=False):
        rows = down if page.value(TILE_HEIGHT) else min(down, height - y)
        part = samples_of(block.data[at : at + length], packing, kind, (rows, across, depth))
        if predictor == HORIZONTAL:
            part = np.add.accumulate(part, axis=1, dtype=part.dtype)
        target = out[y : y + rows, x : x + across, plane : plane + depth]
        target[...] = part[: target.shape[0], : target.shape[1]]
    return out


def samples_of(data: bytes, packing: int, kind: np.dtype, shape: tuple[int, int, int]) -> np.ndarray:
    """A strip or tile, unpacked."""
    wanted = int(np.prod(shape)) * kind.itemsize
    if packing != PLAIN:
        data = zlib.decompressobj().decompress(data, wanted)
    if len(data) < wanted:
        raise EOFError
    return np.frombuffer(data[:wanted], kind).astype(kind.newbyteorder("=")).reshape(shape)


def colours(pixels: np.ndarray, page: TiffPage) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey ``(h, w)`` or RGB ``(h, w, 3)`` of unpacked samples, and what stands for transparency."""
    count = 3 if page.photometric == RGB else 1
    kinds = page.values((EXTRA,))
    extra = pixels.shape[2] > count and (not kinds or kinds[0] in ALPHA) and pixels.dtype == np.uint16
    alpha = np.ascontiguousarray(pixels[..., count]) if extra and page.photometric != LAB else None
    return np.ascontiguousarray(pixels[..., :3] if count == 3 else pixels[..., 0]), alpha
