"""A finished film read back and compared with its source: frames, times, luma, and the other streams' packets."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from vidcolor.errors import OutputError
from vidcolor.film.source import frames_of, packets_of
from vidcolor.frames.host import colored_half
from vidcolor.video.encoder import VideoSettings, convert_depth, source_encoding
from vidcolor.video.formats import plane
from vidcolor.video.reader import Reader

LOSSLESS = ("ffv1", "rawvideo")
LEAST_DB = 20.0  # PSNR of the luma of a frame below which something other than an encoder has changed it
ROUNDING = Fraction(1, 500)  # seconds by which a container may round a time stamp


@dataclass(frozen=True)
class Streams:
    """Number and SHA-256 of the packets of each stream that is passed on, by its index in the source."""

    packets: dict[int, tuple[int, str]]

    @property
    def count(self) -> int:
        return sum(count for count, _ in self.packets.values())


@dataclass
class Luma:
    """The luma of two films at the depth of the target, compared frame by frame.

    Attributes:
        source, target: SHA-256 of all samples, row by row, little-endian where they have more than 8 bits.
    """

    depth: int
    frames: int = 0
    error: float = 0.0  # sum of squared differences
    samples: int = 0
    source: Any = field(default_factory=hashlib.sha256)
    target: Any = field(default_factory=hashlib.sha256)

    @property
    def peak(self) -> float:
        return 2.0**self.depth - 1

    @property
    def exact(self) -> bool:
        """Whether every sample is the source's."""
        return self.error == 0.0

    @property
    def psnr(self) -> float:
        """dB over all frames; infinite where it is exact."""
        return math.inf if self.exact else 10.0 * math.log10(self.peak**2 * self.samples / self.error)

    def add(self, wanted: np.ndarray, found: np.ndarray) -> bool:
        """Take a frame of each, of one size; False where they do not show the same."""
        difference = wanted.astype(np.int32) - found
        off = float(np.vdot(difference, difference))
        self.frames, self.error, self.samples = self.frames + 1, self.error + off, self.samples + wanted.size
        for digest, codes in ((self.source, wanted), (self.target, found)):
            digest.update(np.ascontiguousarray(codes, codes.dtype.newbyteorder("<")))
        return off <= self.peak**2 * wanted.size / 10 ** (LEAST_DB / 10)


@dataclass(frozen=True)
class Verified:
    """What was found to be right, and what the source's reader met on its whole way."""

    luma: Luma
    streams: Streams
    damaged: int  # frames and packets that could not be decoded cleanly
    resized: int  # frames that came in another size
    retimed: int  # frames without a usable time stamp

    @property
    def frames(self) -> int:
        return self.luma.frames

    def __str__(self) -> str:
        luma = "every luma sample as in the source" if self.luma.exact else f"luma at {self.luma.psnr:.1f} dB"
        return f"verified: {self.frames} frames at their times, {luma}, {self.streams.count} packets of other streams"


def verify(
    open_source: Callable[..., Reader], target: Path, name: Path, settings: VideoSettings, copied: Mapping[int, int]
) -> Verified:
    """Compare the file `target`, called `name` in messages, with its source.

    `open_source` opens the source with the given `frames` and `packets`. `copied` are the streams that are passed on,
    index in the source to index in the target.

    Raises:
        OutputError: a frame, a time stamp or a packet is not what it must be.
    """
    with open_source(frames=True, packets=False) as source, Reader(target, packets=False) as made:
        luma = compare(source, made, name, settings)
    if settings.encoder in LOSSLESS and not luma.exact:
        raise OutputError(f"{name}: a luma sample differs from the source's; this is a fault of vidcolor, report it")
    streams = Streams(compare_packets(open_source, target, name, copied) if copied else {})
    return Verified(luma, streams, source.damaged, source.resized, source.retimed)


def compare(source: Reader, made: Reader, name: Path, settings: VideoSettings) -> Luma:
    """All frames of both, their times and their luma."""
    luma, offset = Luma(settings.encoding.depth), None
    for number, (one, other) in enumerate(zip_longest(frames_of(source), frames_of(made))):
        if one is None or other is None:
            kind = "lacks frames" if other is None else "has more frames than the source"
            raise OutputError(f"{name}: {kind}, from number {number} on; colour it again")
        assert one.pts is not None  # a reader gives every frame a time stamp
        assert other.pts is not None
        apart = other.pts * made.info.time_base - one.pts * source.info.time_base
        offset = apart if offset is None else offset
        if abs(apart - offset) > ROUNDING:
            raise OutputError(f"{name}: frame {number} is {float(apart - offset):.3f} s from its time; colour it again")
        wanted = convert_depth(plane(one, 0), source_encoding(one, settings), settings.encoding)
        found = plane(other, 0)
        if found.size >= 2 * wanted.size:  # with compare the source stands beside it
            found = colored_half(found, source.info.turn)
        if wanted.shape != found.shape:
            raise OutputError(f"{name}: frame {number} has another size than the source's; colour it again")
        if not luma.add(wanted, found):
            raise OutputError(f"{name}: frame {number} does not show what the source's does; colour it again")
    return luma


def compare_packets(
    open_source: Callable[..., Reader], target: Path, name: Path, copied: Mapping[int, int]
) -> dict[int, tuple[int, str]]:
    """`digests` of the packets that are in the target as in the source, in the same order in each stream."""
    with open_source(frames=False, packets=True) as source, Reader(target, frames=False) as made:
        wanted = digests(source, {index: index for index in copied})
        found = digests(made, {out: index for index, out in copied.items()})
    for index in copied:
        if wanted.get(index) != found.get(index):
            raise OutputError(f"{name}: stream {index} is not passed on as it was; colour it again")
    return wanted


def digests(reader: Reader, names: Mapping[int, int]) -> dict[int, tuple[int, str]]:
    """Number and SHA-256 of the packets of each stream of `names`, by the name that is given for its index."""
    found: dict[int, tuple[int, Any]] = {}
    for packet in packets_of(reader):
        if (name := names.get(packet.stream.index)) is not None:
            count, digest = found.get(name, (0, hashlib.sha256()))
            digest.update(len(data := bytes(packet)).to_bytes(8, "big") + data)
            found[name] = count + 1, digest
    return {name: (count, digest.hexdigest()) for name, (count, digest) in found.items()}
