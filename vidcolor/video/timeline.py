"""Clocks that restart: one running timeline for recordings that were spliced or joined."""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet

DISCONTINUOUS = ("mpegts", "mpeg", "mpegvideo")  # containers whose clocks may start anew
BACKWARD, FORWARD = 1, 60  # seconds that decoding time may fall back or leap without being taken for a new start


class Timeline:
    """One running timeline for containers whose time stamps may start anew, as in spliced or concatenated recordings.

    Where decoding time falls back, or leaps by more than a minute, the rest of the film is moved to follow on.
    """

    def __init__(self, container: str, *, always: bool = False) -> None:
        self.active = always or container in DISCONTINUOUS
        self.offset = Fraction(0)  # seconds
        self.expected: dict[int, Fraction] = {}  # by stream: where its next packet should begin

    def mend(self, packet: Packet) -> None:
        """Put a packet of picture or sound on the timeline, in place."""
        if not self.active or packet.dts is None or packet.stream.type not in ("video", "audio"):
            return
        base, index = packet.time_base, packet.stream.index
        time = packet.dts * base + self.offset
        expected = self.expected.get(index, time)
        if not expected - BACKWARD <= time <= expected + FORWARD:
            self.offset += expected - time
            time = expected
        ticks = round(self.offset / base)
        packet.dts += ticks
        packet.pts = packet.pts + ticks if packet.pts is not None else None
        self.expected[index] = time + (packet.duration or 0) * base
