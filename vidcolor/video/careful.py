"""Decoding that a crash may end: which packet is at the decoder is noted where it outlives the process.

A process decodes carefully where an earlier one has crashed: in one thread, so that the packet at the decoder is the
one that it crashes on. The next process leaves that packet out. Who starts them says so by `begin`.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # processes that only wait for others have no codecs
    import av
    from av.packet import Packet
    from av.video.stream import VideoStream

LAYOUT = struct.Struct("<?qqqq")
NONE = -(2**63)  # what is not told


@dataclass(frozen=True)
class Place:
    """What tells a packet from the others of its film."""

    position: int  # bytes from the start of the file
    pts: int
    dts: int
    size: int  # bytes

    @classmethod
    def of(cls, packet: Packet[Any]) -> Place:
        given = packet.pos, packet.pts, packet.dts, packet.size
        return cls(*(NONE if value is None else value for value in given))


class Care:
    """What is known of the packets that decoders have crashed on, in memory that forked processes have in common."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, LAYOUT.size)
        self.crashed_on: list[Place] = []
        self.in_gap = False

    def note(self, place: Place) -> None:
        """The packet at `place` goes to a decoder."""
        self.memory[:] = LAYOUT.pack(True, *astuple(place))

    def clear(self) -> None:
        """No packet is at a decoder."""
        self.memory[0] = 0

    def learn(self) -> bool:
        """Whether the process that has crashed had a packet at a decoder; the next one leaves it out."""
        noted, *place = LAYOUT.unpack(self.memory[:])
        if noted:
            self.crashed_on.append(Place(*place))
            self.clear()
        return bool(noted)

    def leaves_out(self, packet: Packet[Any]) -> bool:
        """Whether `packet` must not go to a decoder.

        The first one that was crashed on stays out alone. Where that did not do, what a decoder keeps is damaged, and
        with each further one all stay out up to the next key frame.
        """
        place = Place.of(packet)
        if self.in_gap and packet.is_keyframe:
            self.in_gap = False
        if place in self.crashed_on:
            self.in_gap = place != self.crashed_on[0]
            return True
        return self.in_gap


care: Care | None = None


def begin(given: Care | None) -> None:
    """Decode carefully from now on, in all of this process; None: as usual."""
    global care
    care = given


def is_careful() -> bool:
    """Whether this process decodes carefully."""
    return care is not None


def leaves_out(packet: Packet[Any]) -> bool:
    """Whether `packet` must not go to a decoder; an empty one, which asks for what that still holds, always may."""
    return care is not None and packet.size > 0 and care.leaves_out(packet)


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
