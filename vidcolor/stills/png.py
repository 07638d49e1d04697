"""The chunks of a PNG: metadata out, metadata in (PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidcolor.stills.metadata import Metadata, iptc_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEY = "XML:com.adobe.xmp"
RAW_PROFILE = "Raw profile type "  # ImageMagick's way to keep EXIF, IPTC and XMP, as hexadecimal text
INCH = 0.0254  # metres
MOST_TEXT = 64 * 2**20  # bytes that a compressed text may have


@dataclass(frozen=True)
class Header:
    """What the first chunk says."""

    width: int
    height: int
    depth: int  # bits a sample
    color: int  # 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA

    @classmethod
    def of(cls, data: bytes) -> Header:
        return cls(*struct.unpack(">IIBB", data[16:26].ljust(10, b"\0")))

    @property
    def least_bytes(self) -> int:
        """Bytes that a whole file has at least: nothing deflates to less than a 1032nd."""
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(self.color, 1)
        return self.height * (self.width * channels * self.depth // 8) // 1032


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk that is whole."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def bare(data: bytes) -> bytes:
    """The file without its metadata, so that no damage there keeps the picture from being read.

    What is cut off stays cut off.
    """
    kept, at = [SIGNATURE], len(SIGNATURE)
    for kind, content in chunks(data):
        end = at + 12 + len(content)
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[at:end])
        at = end
    return b"".join((*kept, data[at:] if kept[-1][4:8] != b"IEND" else b""))


def read(data: bytes) -> tuple[Metadata, bytes]:
    """The metadata and the colour profile."""
    exif = b""
    texts: dict[str, str] = {}
    dpi, profile = None, b""
    for kind, content in chunks(data):
        if kind == b"eXIf":
            exif = content.removeprefix(b"Exif\0\0")
        elif kind == b"pHYs" and len(content) == 9 and content[8] == 1:
            across, down = struct.unpack(">II", content[:8])
            dpi = (across * INCH, down * INCH) if across and down else None
        elif kind == b"iCCP":
            profile = inflated(content.partition(b"\0")[2][1:])
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, text = text_of(kind, content)
            texts.setdefault(key, text)
    xmp = texts.pop(XMP_KEY, "").encode()
    raw = {k: raw_profile(texts.pop(k)) for k in list(texts) if k.startswith(RAW_PROFILE)}
    exif = exif or first(raw, "exif", "APP1").removeprefix(b"Exif\0\0")
    iptc = first(raw, "iptc", "8bim")
    return Metadata(
        exif=exif,
        xmp=xmp or first(raw, "xmp"),
        iptc=iptc_of(iptc) if iptc[:4] == b"8BIM" else iptc,
        dpi=dpi,
        text=tuple((k, v) for k, v in texts.items() if k),
    ), profile


def frames(data: bytes) -> int:
    """How many frames an animated PNG says that it has; 1 for others."""
    return next((int.from_bytes(content[:4], "big") for kind, content in chunks(data) if kind == b"acTL"), 1)


def first(raw: dict[str, bytes], *kinds: str) -> bytes:
    """The first of these profiles that is there."""
    return next((raw[RAW_PROFILE + kind] for kind in kinds if raw.get(RAW_PROFILE + kind)), b"")


def text_of(kind: bytes, content: bytes) -> tuple[str, str]:
    """Keyword and text of a text chunk; an empty keyword where it is damaged."""
    key, _, rest = content.partition(b"\0")
    name = key.decode("latin-1")
    if kind == b"tEXt":
        return name, rest.decode("latin-1")
    if kind == b"zTXt":
        return name, inflated(rest[1:]).decode("latin-1")
    packed = rest[:1] == b"\1"
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # behind language and translated keyword
    return name, (inflated(text) if packed else text).decode("utf-8", "replace")


def inflated(data: bytes) -> bytes:
    """zlib's data unpacked; empty where it is damaged or expands beyond belief."""
    try:
        unpacker = zlib.decompressobj()
        out = unpacker.decompress(data, MOST_TEXT)
        return b"" if unpacker.unconsumed_tail else out
    except zlib.error:
        return b""


def raw_profile(text: str) -> bytes:
    """The bytes of a text such as ``\\nexif\\n      78\\n4578...``."""
    try:
        _, length, *lines = text.split()
        return bytes.fromhex("".join(lines))[: int(length)]
    except ValueError:
        return b""


def transparent(data: bytes, samples: np.ndarray) -> np.ndarray | None:
    """Alpha ``(h, w)`` uint16 of 16-bit `samples` ``(h, w)`` or BGR ``(h, w, 3)`` by the one colour that is told."""
    content = next((c for kind, c in chunks(data) if kind == b"tRNS"), b"")
    wanted = 1 if samples.ndim == 2 else 3
    if len(content) != 2 * wanted:
        return None
    colour = np.frombuffer(content, ">u2").astype(np.uint16)
    clear = samples == colour[0] if wanted == 1 else (samples == colour[::-1]).all(-1)
    return np.where(clear, np.uint16(0), np.uint16(65535))


def write(data: bytes, metadata: Metadata, profile: bytes) -> bytes:
    """A PNG with metadata put in behind its header."""
    parts = [chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))] if profile else []
    if metadata.dpi:
        parts.append(chunk(b"pHYs", struct.pack(">IIB", *(round(x / INCH) for x in metadata.dpi), 1)))
    if metadata.exif:
        parts.append(chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        parts.append(chunk(b"iTXt", XMP_KEY.encode() + bytes(5) + metadata.xmp))
    comment = (("Comment", metadata.comment.decode("utf-8", "replace")),) if metadata.comment else ()
    parts += [text_chunk(key, text) for key, text in (*metadata.text, *comment)]
    kept = b"".join(chunk(k, c) for k, c in chunks(data) if k in (b"IDAT", b"IEND"))
    header = next(c for k, c in chunks(data) if k == b"IHDR")
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(parts) + kept


def text_chunk(key: str, text: str) -> bytes:
    """Latin-1 where it does, else UTF-8."""
    name, text = key.encode("latin-1", "replace") + b"\0", text.replace("\0", " ")
    try:
        return chunk(b"tEXt", name + text.encode("latin-1"))
    except UnicodeEncodeError:
        return chunk(b"iTXt", name + bytes(4) + text.encode())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
