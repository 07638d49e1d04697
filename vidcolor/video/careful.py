"""Decoding that a crash may end: which packet is at the decoder is noted where it outlives the process.

A process decodes carefully where an earlier one has crashed: in one thread, so that the packet at the decoder is the
one it crashes on, and without packets that are known to be damaged. Who starts these processes says so by `begin`.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import astuple, dataclass
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

LAYOUT = struct.Struct("<?qqqq")
NONE = -(2**63)  # a time stamp that is not there


@dataclass(frozen=True)
class Place:
    """What tells a packet from the others of its film."""

    position: int  # bytes from the start of the file; NONE where the container does not say
    pts: int
    dts: int
    size: int  # bytes

    @classmethod
    def of(cls, packet: Packet[Any]) -> Place:
        given = packet.pos, packet.pts, packet.dts, packet.size
        return cls(*(NONE if value is None else value for value in given))


class Care:
    """What a process and those that come after it have in common, if it is made before they are forked.

    Attributes:
        left_out: packets that a decoder has crashed on.
    """

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, LAYOUT.size)
        self.left_out: set[Place] = set()

    def note(self, place: Place) -> None:
        """The packet at `place` goes to a decoder."""
        self.memory[:] = LAYOUT.pack(True, *astuple(place))

    def clear(self) -> None:
        """No packet is at a decoder."""
        self.memory[0] = 0

    def at_decoder(self) -> Place | None:
        """The packet that was at a decoder when the process ended."""
        noted, *place = LAYOUT.unpack(self.memory[:])
        return Place(*place) if noted else None


care: Care | None = None


def begin(given: Care) -> None:
    """Decode carefully from now on, in all of this process."""
    global care
    care = given


def is_careful() -> bool:
    """Whether this process decodes carefully."""
    return care is not None


def leaves_out(packet: Packet[Any]) -> bool:
    """Whether `packet` must not go to a decoder."""
    return care is not None and (packet.is_corrupt or Place.of(packet) in care.left_out)


def send(stream: VideoStream, packet: Packet[Any] | None) -> list[av.VideoFrame]:
    """The frames that a packet brings; None: those that the decoder still holds.

    Raises:
        av.FFmpegError: it cannot be decoded.
    """
    if care is None or packet is None:
        return decode(stream, packet)
    care.note(Place.of(packet))
    try:
        return decode(stream, packet)
    finally:
        care.clear()


def decode(stream: VideoStream, packet: Packet[Any] | None) -> list[av.VideoFrame]:
    """Hand a packet to FFmpeg."""
    return stream.decode(packet)
