"""One running timeline over all connections of a live source, from zero."""

from __future__ import annotations

from fractions import Fraction

from av import VideoFrame
from av.packet import Packet
from av.stream import Stream

PICTURE = -1  # the key of the main picture among the streams


class Running:
    """Moves the time stamps of a source so that they begin at zero and run on from connection to connection.

    All streams of a connection are moved alike: sound and picture stay in step. What would go backwards is refused.
    """

    def __init__(self, time_base: Fraction) -> None:
        self.time_base = time_base  # of the frames that come out
        self.offset = Fraction(0)  # seconds
        self.latest = Fraction(0)  # seconds: where the furthest stream ends
        self.last: dict[int, Fraction] = {}  # by stream: the time stamp that came last

    def join(self, start: Fraction, gap: Fraction) -> None:
        """A connection begins whose time stamps begin at `start`; `gap` seconds have passed without one."""
        self.offset = self.latest + gap - start

    def frame(self, frame: VideoFrame) -> bool:
        """Move a frame, in place; False: it comes too late."""
        if frame.pts is None or frame.time_base is None:
            return False
        pts = round((frame.pts * frame.time_base + self.offset) / self.time_base)
        if not self.advance(PICTURE, pts * self.time_base, Fraction(0)):
            return False
        frame.pts, frame.time_base = pts, self.time_base
        return True

    def packet(self, packet: Packet[Stream], key: int) -> bool:
        """Move a packet of the stream `key`, in place; False: it comes too late."""
        if packet.dts is None:
            return False
        ticks = round(self.offset / packet.time_base)
        dts = packet.dts + ticks
        if not self.advance(key, dts * packet.time_base, (packet.duration or 0) * packet.time_base):
            return False
        packet.dts = dts
        packet.pts = packet.pts + ticks if packet.pts is not None else None
        return True

    def advance(self, key: int, time: Fraction, duration: Fraction) -> bool:
        if time < 0 or time <= self.last.get(key, Fraction(-1)):
            return False
        self.last[key] = time
        self.latest = max(self.latest, time + duration)
        return True
