"""The part of a film between two times: what lies in it, moved so that it begins at zero."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from vidcolor.video.info import FilmInfo
from vidcolor.video.timecode import later

MARGIN = 5  # seconds read past the end, so that frames out of order and late audio are not missed


@dataclass(frozen=True)
class Trim:
    """From `start` to `end`, in seconds from the start of the film; None is its own start or end."""

    start: float | None
    end: float | None
    origin: Fraction  # seconds: the time stamp that the film begins with

    @classmethod
    def of(cls, container: InputContainer, start: float | None, end: float | None) -> Trim:
        return cls(start, end, Fraction(container.start_time or 0, av.time_base))

    @property
    def active(self) -> bool:
        """Whether anything is cut off."""
        return self.start is not None or self.end is not None

    @property
    def shift(self) -> Fraction:
        """Seconds by which time stamps are moved back."""
        return self.origin + exact(self.start) if self.start is not None else Fraction(0)

    @property
    def stop(self) -> Fraction | None:
        """The time stamp, in seconds, of the first that is left out."""
        return self.origin + exact(self.end) if self.end is not None else None

    def keeps(self, time: Fraction) -> bool:
        return time >= self.shift and (self.stop is None or time < self.stop)

    def frame(self, frame: av.VideoFrame, base: Fraction) -> av.VideoFrame | None:
        """A frame that is kept, moved in place; `base` is the seconds of a tick."""
        if not self.active or frame.pts is None:
            return frame
        if not self.keeps(frame.pts * base):
            return None
        frame.pts -= round(self.shift / base)
        return frame

    def packet(self, packet: Packet[Stream]) -> Packet[Stream] | None:
        """A packet that is kept, moved in place."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if not self.active or stamp is None:
            return packet
        if not self.keeps(stamp * packet.time_base):
            return None
        offset = round(self.shift / packet.time_base)
        packet.pts = packet.pts - offset if packet.pts is not None else None
        packet.dts = packet.dts - offset if packet.dts is not None else None
        return packet

    def is_over(self, packet: Packet[Stream], base: Fraction) -> bool:
        """Whether a packet of the picture lies so far behind the end that nothing before it is still to come."""
        return self.stop is not None and (packet.dts or 0) * base > self.stop + MARGIN

    def info(self, info: FilmInfo, container: InputContainer) -> FilmInfo:
        """What is known of the part: its chapters, and how many frames it has."""
        info = replace(info, chapters=tuple(self.chapters(container)))
        info = replace(info, tags=self.tags(info.tags, info.rate), video_tags=self.tags(info.video_tags, info.rate))
        if not (self.active and info.frames and info.rate):
            return info
        length = min(Fraction(info.frames) / info.rate, math.inf if self.end is None else exact(self.end))
        return replace(info, frames=max(0, round((length - exact(self.start or 0.0)) * info.rate)))

    def tags(self, tags: dict[str, str] | None, rate: Fraction | None) -> dict[str, str] | None:
        """Metadata, with a time code that has moved with the film's beginning."""
        if not (tags and rate and self.start):
            return tags
        frames = math.ceil(exact(self.start) * rate)  # that are left out
        return {k: later(v, frames, rate) if k.lower() == "timecode" else v for k, v in tags.items()}

    def chapters(self, container: InputContainer) -> Iterator[dict[str, Any]]:
        """The chapters, moved and cut with the film."""
        for chapter in container.chapters():
            base = chapter["time_base"] or Fraction(1, av.time_base)
            start, end = chapter["start"] * base - self.shift, chapter["end"] * base - self.shift
            last = self.stop - self.shift if self.stop is not None else end
            if end > 0 and start < last:
                start, end = max(start, Fraction(0)), min(end, last)
                yield {**chapter, "time_base": base, "start": round(start / base), "end": round(end / base)}


def exact(seconds: float) -> Fraction:
    """Seconds as a user gave them, to the microsecond."""
    return Fraction(seconds).limit_denominator(10**6)
