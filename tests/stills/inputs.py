"""Stills that libraries do not write: made byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

KINDS = {"B": (1, "B"), "s": (2, "s"), "H": (3, "H"), "I": (4, "I"), "R": (5, "II"), "u": (7, "s")}


def entry(order: str, tag: int, kind: str, value, place: int) -> tuple[bytes, bytes]:
    """A TIFF entry, and what of its value stands at `place`."""
    number, code = KINDS[kind]
    if code == "s":
        data, count = bytes(value), len(value)
    else:
        values = value if isinstance(value, (tuple, list)) else (value,)
        count = len(values) // len(code)
        data = struct.pack(f"{order}{code * count}", *values)
    inline = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{order}I", place)
    return struct.pack(f"{order}HHI", tag, number, count) + inline, b"" if len(data) <= 4 else data + bytes(
        len(data) % 2
    )


def directory(order: str, tags: dict[int, tuple[str, object]], at: int, following: int = 0) -> bytes:
    """An IFD at `at` with its values behind it."""
    head, tail = struct.pack(f"{order}H", len(tags)), b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        packed, more = entry(order, tag, *tags[tag], behind + len(tail))
        head, tail = head + packed, tail + more
    return head + struct.pack(f"{order}I", following) + tail


def exif(tags: dict[int, tuple[str, object]], order: str = "<") -> bytes:
    """An EXIF block of one directory."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8) + directory(order, tags, 8)


def tiff(path: Path, *pages: tuple[np.ndarray, dict], order: str = "<") -> Path:
    """Pages of an array ``(h, w)`` or ``(h, w, n)`` each, with tags beside the usual ones; ``bits`` packs samples."""
    out = (b"II*\0" if order == "<" else b"MM\0*") + bytes(4)
    link = 4
    for pixels, given in pages:
        tags = dict(given)
        bits = tags.pop("bits", pixels.dtype.itemsize * 8)
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        data = packed(pixels, bits) if bits % 8 else pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        if tags.get(284) == ("H", 2):  # a plane for each channel
            data = np.moveaxis(pixels, -1, 0).astype(pixels.dtype.newbyteorder(order)).tobytes()
            step = len(data) // channels
            tags |= {273: ("I", tuple(len(out) + step * i for i in range(channels))), 279: ("I", (step,) * channels)}
        place, out = len(out), out + data + bytes(len(data) % 2)
        usual = {
            256: ("I", pixels.shape[1]), 257: ("I", pixels.shape[0]), 258: ("H", (bits,) * channels), 259: ("H", 1),
            262: ("H", 1 if channels < 3 else 2), 273: ("I", place), 277: ("H", channels),
            278: ("I", pixels.shape[0]), 279: ("I", len(data)), 284: ("H", 1),
        }  # fmt: skip
        at = len(out)
        out = out[:link] + struct.pack(f"{order}I", at) + out[link + 4 :] + directory(order, usual | tags, at)
        link = at + 2 + 12 * len(usual | tags)
    path.write_bytes(out)
    return path


def packed(pixels: np.ndarray, bits: int) -> bytes:
    """Samples of `bits` bits, each row filled up to whole bytes."""
    rows = pixels.reshape(len(pixels), -1)
    shifts = np.arange(bits)[::-1]
    return np.packbits(((rows[..., None] >> shifts) & 1).reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def png_with(path: Path, pixels: np.ndarray, **chunks: bytes) -> Path:
    """A PNG with chunks put in behind its header; the names are their types."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data, more = buffer.getvalue(), b""
    for kind, content in chunks.items():
        name = kind.encode()
        more += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data[:33] + more + data[33:])
    return path


def jpeg_with(path: Path, pixels: np.ndarray, *segments: tuple[int, bytes], behind: bytes = b"", **extra) -> Path:
    """A JPEG with segments (marker, content) put in behind its first one, and bytes behind its end."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, **extra)
    data = buffer.getvalue()
    start = 4 + int.from_bytes(data[4:6], "big")
    more = b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    path.write_bytes(data[:start] + more + data[start:] + behind)
    return path
