"""The writer's side of a stream: frames and packets to a target, which is connected again when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream

from vidcolor.errors import OutputError
from vidcolor.live.backoff import Backoff
from vidcolor.live.streams.feed import Slot
from vidcolor.live.streams.muxer import ReaderGone, StreamMuxer
from vidcolor.live.streams.settings import KEY_EVERY
from vidcolor.temporal.clock import Clock
from vidcolor.video.encoder import Encoder, VideoSettings
from vidcolor.video.muxer import Muxer

Note = Callable[[str], None]


class Sink:
    """Encodes and muxes; `make` connects to the target, and does so again for `reconnect` seconds when it is lost.

    Meanwhile everything is left out, and a new connection begins with a key frame.

    Attributes:
        reconnected: how often the target came back.
        missed: frames so far for which there was no target.

    Raises:
        OutputError: the target cannot be reached at first, or was lost for longer than that.
    """

    def __init__(
        self, make: Callable[[], StreamMuxer | Muxer], settings: VideoSettings, name: str, reconnect: float, note: Note,
        *, keys: bool,
    ) -> None:  # fmt: skip
        self.keys = keys  # one every so often, for players that join in the middle
        self.make, self.settings, self.name, self.reconnect, self.note = make, settings, name, reconnect, note
        self.reconnected = self.missed = 0
        self.warnings: list[str] = []
        self.backoff = Backoff()
        self.gone = self.again = 0.0  # time.monotonic() of the loss and of the next try
        self.clock = Clock()
        self.muxer: StreamMuxer | Muxer | None = None
        self.connect()

    def connect(self) -> None:
        self.muxer = self.make()
        self.encoder = Encoder(self.settings, self.muxer.video.codec_context)
        self.key: Fraction | None = None  # time of the last key frame

    @property
    def ready(self) -> bool:
        """Whether there is a target; tries to have one where it is time for that."""
        if self.muxer is None and time.monotonic() >= self.again:
            try:
                self.connect()
            except OutputError as error:
                self.lose(error)
            else:
                self.reconnected += 1
                self.note(f"{self.name}: is back after {time.monotonic() - self.gone:.0f} s")
                self.backoff.reset()
                self.gone = 0.0
        return self.muxer is not None

    def lose(self, error: OutputError) -> None:
        """The target is gone: wait for it, or give up."""
        now = time.monotonic()
        if self.muxer is not None:
            self.keep_warnings(self.muxer)
            self.muxer.abandon()
            self.muxer = None
        if not self.reconnect or isinstance(error, ReaderGone):
            raise error
        if not self.gone:
            self.gone = now
            self.note(f"{str(error).split(';')[0]}; trying again for {self.reconnect:g} s")
        if now - self.gone > self.reconnect:
            raise OutputError(
                f"{self.name}: lost and not back within {self.reconnect:g} s; start it again, or raise --reconnect"
            ) from error
        self.again = now + self.backoff.span()

    def packet(self, packet: Packet[Stream]) -> None:
        """A packet of another stream, with its `Slot` as `opaque`."""
        if not self.ready or self.muxer is None:
            return
        slot, packet.opaque = packet.opaque, None
        assert isinstance(slot, Slot)
        try:
            self.clock.time("mux", self.muxer.mux_other, packet, slot.index)
        except OutputError as error:
            self.lose(error)

    def frames(self, frames: Iterator[av.VideoFrame]) -> None:
        """Coloured frames, made as they are asked for."""
        if not self.ready:
            self.missed += 1
            return
        for frame in self.clock.time("merge", list, frames):
            packets = self.clock.time("encode", list, self.encoder.encode(frame, key=self.key_due(frame)))
            self.video(packets)

    def video(self, packets: list[Packet[Stream]]) -> None:
        if self.muxer is None:
            return
        try:
            self.clock.time("mux", self.muxer.mux_video, packets)
        except OutputError as error:
            self.lose(error)

    def key_due(self, frame: av.VideoFrame) -> bool:
        """Whether a player that comes now has waited long enough for a frame to begin with."""
        if not self.keys or frame.pts is None or frame.time_base is None:
            return False
        now = frame.pts * frame.time_base
        if self.key is None or now - self.key >= KEY_EVERY:
            self.key = now
            return True
        return False

    def finish(self) -> None:
        """Everything is through: the encoder's last frames, and the trailer."""
        if self.muxer is None:
            self.warnings.append("the target was away at the end")
            return
        self.video(list(self.encoder.finish()))
        if self.muxer is not None:
            self.muxer.finish()
            self.keep_warnings(self.muxer)

    def abandon(self) -> None:
        if self.muxer is not None:
            self.muxer.abandon()

    def keep_warnings(self, muxer: StreamMuxer | Muxer) -> None:
        self.warnings += [w for w in muxer.warnings if w not in self.warnings]
