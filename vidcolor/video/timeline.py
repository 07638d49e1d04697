"""Clocks that restart: one running timeline for recordings that were spliced or joined."""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

DISCONTINUOUS = ("mpegts", "mpeg", "mpegvideo")  # containers whose clocks may start anew
BACKWARD, FORWARD = 1, 60  # seconds that decoding time may fall back or leap without being taken for a new start


class Timeline:
    """One running timeline for containers whose time stamps may start anew, as in spliced or concatenated recordings.

    Where a stream's decoding time falls back, or leaps by more than a minute, a new part of the recording begins. All
    streams of a part are moved alike, so that it follows on where the part before has ended. A stream enters a part
    with its own first packet there: packets of the part before may still come from the others.
    """

    def __init__(self, container: str, *, always: bool = False) -> None:
        self.active = always or container in DISCONTINUOUS
        self.offsets = [Fraction(0)]  # seconds by which each part is moved
        self.parts: dict[int, int] = {}  # by stream: the part that it is in
        self.due: dict[int, Fraction] = {}  # by stream: where its next packet should begin, as the recording counts
        self.ends: dict[int, Fraction] = {}  # by stream: the same on the running timeline

    def place(self, packet: Packet[Stream]) -> None:
        """Put a packet of picture or sound on the timeline, in place."""
        if not self.active or packet.dts is None or packet.stream.type not in ("video", "audio"):
            return
        base, index = packet.time_base, packet.stream.index
        time, end = packet.dts * base, (packet.dts + (packet.duration or 0)) * base
        part = self.parts.get(index, len(self.offsets) - 1)
        if not fits(time, self.due.get(index, time)):
            part = self.next_part(index, part, time)
        offset = self.offsets[part]
        self.parts[index], self.due[index], self.ends[index] = part, end, end + offset
        ticks = round(offset / base)
        packet.dts += ticks
        packet.pts = packet.pts + ticks if packet.pts is not None else None

    def next_part(self, index: int, part: int, time: Fraction) -> int:
        """The part that a stream enters at `time`: one that another stream has entered before, or a new one."""
        end = self.ends[index]
        for later in range(part + 1, len(self.offsets)):
            if fits(time + self.offsets[later], end):
                return later
        furthest = max(e for e in self.ends.values() if end <= e <= end + BACKWARD)
        self.offsets.append(furthest - time)
        return len(self.offsets) - 1


def fits(time: Fraction, expected: Fraction) -> bool:
    """Whether a packet may begin at `time` where `expected` would be next."""
    return expected - BACKWARD <= time <= expected + FORWARD
