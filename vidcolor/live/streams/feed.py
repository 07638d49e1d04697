"""The reader's side of a stream: frames and packets on one timeline, whatever becomes of the connection."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import av
from av.packet import Packet
from av.stream import Stream

from vidcolor.errors import InputError
from vidcolor.live.backoff import reopened
from vidcolor.live.pacing import Pace
from vidcolor.live.streams.address import HTTP, LIVE, scheme
from vidcolor.live.streams.source import Source, is_finished, why
from vidcolor.live.streams.timeline import Running
from vidcolor.video.output import codec_name
from vidcolor.video.reader import Reader

Item: TypeAlias = "av.VideoFrame | Packet[Stream]"
Likeness = tuple[str, int | None, int | None]  # codec, samples a second, channels
ENDED = "the sender has ended it"
HUNG_UP = (errno.EIO, errno.ECONNRESET, errno.EPIPE)  # what a connection says whose other end is closed


@dataclass(frozen=True)
class Slot:
    """The index of a packet's stream in the first connection; PyAV wants an object of its own for each packet."""

    index: int


class Feed:
    """A source that is opened again when it is lost; iterate it once, in one thread.

    Packets carry their `Slot` as `opaque`: those of later connections may be
    numbered otherwise, and a stream must not be asked any more once its connection is closed.

    Attributes:
        reader: of the present connection; that of the first one until the iteration has begun.
        live: see Source.is_live.
        reconnected: how often the source came back.
        lost: why the source was given up, empty where it has ended by itself.

    Raises:
        InputError: the source cannot be opened at first.
    """

    def __init__(
        self, source: Source, note: Callable[[str], None], *, start: float | None = None, end: float | None = None
    ) -> None:
        self.source, self.note = source, note
        endless = scheme(source.address) in LIVE  # what `end` cuts off, and nothing to seek in
        cuts = (None, None) if endless else (start, end)
        reader = source.open(live=source.network or source.options.live, start=cuts[0], end=cuts[1])
        self.live = source.is_live(reader)
        self.end = Fraction(end).limit_denominator(1000) if endless and end is not None else None
        self.reader: Reader | None = reader
        self.info = reader.info
        self.line = Running(reader.info.time_base)
        self.slots = {s.index: s.index for s in reader.others}
        self.kept: list[tuple[int, str, Likeness]] = [
            (s.index, s.type, likeness(s)) for s in reader.others if s.type in ("audio", "subtitle")
        ]
        self.reconnect = source.options.reconnect_timeout(network=source.network and self.live)
        steady = source.options.realtime and not source.network
        bursts = self.live and scheme(source.address) in HTTP  # segments come as a whole
        self.pace = Pace(source.stop) if steady or bursts else None
        self.reconnected = self.damaged = self.resized = self.retimed = 0
        self.lost = ""
        self.heard = time.monotonic()  # when the last item came

    def __iter__(self) -> Iterator[Item]:
        while self.reader is not None:
            cause = ""
            try:
                yield from self.connection(self.reader)
            except InputError as error:
                if not self.live:
                    raise
                cause = self.cause(error)
            over = self.complete or (not cause and not self.endless())
            self.leave()
            if self.source.stop.is_set() or over:
                return
            self.lost = cause or ENDED
            if not self.reconnect or not self.come_back():
                return
            self.lost = ""

    def connection(self, reader: Reader) -> Iterator[Item]:
        """What comes until the connection ends."""
        seen = time.monotonic()
        if self.live:
            gap = Fraction(time.monotonic() - self.heard).limit_denominator(1000) if self.reconnected else Fraction(0)
            self.line.join(start_of(reader), gap)
        for item in reader:
            now = self.heard = time.monotonic()
            if self.source.stop.is_set():
                return
            if isinstance(item, av.VideoFrame):
                seen = now
            elif self.live and now - seen > self.source.options.timeout:
                raise InputError(f"no picture for {self.source.options.timeout:g} s")
            if self.complete:
                return
            if self.place(item):
                self.wait(item)
                yield item

    def endless(self) -> bool:
        """Whether an orderly end of the connection cannot be the source's own: not so of pipes, files and playlists."""
        playlist = self.reader is not None and self.reader.container.format.name == "hls"
        called = scheme(self.source.address) in HTTP and self.source.listens
        return self.live and self.source.network and not playlist and not called

    @property
    def complete(self) -> bool:
        """Whether as much has come as was asked for."""
        return self.end is not None and self.line.latest >= self.end

    def place(self, item: Item) -> bool:
        """Put an item on the timeline and give it its slot; False: it is to be left out."""
        if isinstance(item, av.VideoFrame):
            return not self.live or self.line.frame(item)
        slot = self.slots.get(item.stream.index)
        if slot is None:
            return False
        item.opaque = Slot(slot)
        return not self.live or self.line.packet(item, slot)

    def wait(self, item: Item) -> None:
        stamp = item.pts if isinstance(item, av.VideoFrame) else item.dts
        if self.pace is not None and stamp is not None and item.time_base is not None:
            self.pace.wait(float(stamp * item.time_base))

    def come_back(self) -> bool:
        """Open the source again, until the reconnect timeout; False: given up, or it is a recording by now."""
        name, gone = self.source.name, time.monotonic()
        self.note(f"{name}: lost, {self.lost}; trying again for {self.reconnect:g} s")
        reader = reopened(
            lambda: self.source.open(live=True, like=self.info, again=True), self.source.stop, timeout=self.reconnect,
            at_once=self.source.listens, failed=lambda error: self.note(f"{name}: still away, {self.cause(error)}"),
        )  # fmt: skip
        if reader is None:
            return False
        if scheme(self.source.address) in HTTP and is_finished(reader.container):
            reader.close()  # the broadcast is over, and this is its recording
            self.lost = ""
            return False
        self.reader, self.reconnected = reader, self.reconnected + 1
        self.slots = match(reader, self.kept)
        self.note(f"{name}: is back after {time.monotonic() - gone:.0f} s")
        return True

    def leave(self) -> None:
        """Close the connection and keep its figures."""
        if self.reader is not None:
            self.damaged += self.reader.damaged
            self.resized += self.reader.resized
            self.retimed += self.reader.retimed
            self.reader.close()
            self.reader = None

    def cause(self, error: InputError) -> str:
        """Why a connection was lost, without the source's name and the remedy."""
        inner = error.__cause__
        if isinstance(inner, OSError) and inner.errno in HUNG_UP:
            return ENDED
        text = why(inner, self.source.options.timeout) if inner else str(error)
        return text.removeprefix(f"{self.source.name}: ").split(";")[0]


def start_of(reader: Reader) -> Fraction:
    """Seconds at which the streams of a connection begin."""
    stamps = [Fraction(reader.container.start_time, av.time_base)] if reader.container.start_time is not None else []
    for item in reader.head:
        stamp = item.pts if isinstance(item, av.VideoFrame) else item.dts
        if stamp is not None and item.time_base is not None:
            stamps.append(stamp * item.time_base)
    return min(stamps, default=Fraction(0))


def likeness(stream: Stream) -> Likeness:
    """What packets of two streams must have in common to be put one after the other."""
    ctx = stream.codec_context
    return (codec_name(stream), getattr(ctx, "sample_rate", None), getattr(ctx, "channels", None))


def match(reader: Reader, kept: list[tuple[int, str, Likeness]]) -> dict[int, int]:
    """The streams of a new connection, by those of the first: the next one of the same kind and codec."""
    slots: dict[int, int] = {}
    free = list(kept)
    for stream in reader.others:
        found = next((k for k in free if k[1:] == (stream.type, likeness(stream))), None)
        if found:
            free.remove(found)
            slots[stream.index] = found[0]
    return slots
