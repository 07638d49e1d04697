"""The three threads of a stream: reader, network and smoothing, writer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from av.packet import Packet
from av.stream import Stream

from vidcolor.backends import Backend
from vidcolor.errors import OutputError
from vidcolor.frames.channel import BURST_BYTES, Channel, LiveChannel
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.host import HostFrames
from vidcolor.frames.item import Colored
from vidcolor.frames.memory import proxy_size, queue_size
from vidcolor.frames.network import Network
from vidcolor.frames.runner import Runner, numbered
from vidcolor.frames.summary import Progress, Summary
from vidcolor.frames.workers import Crew, OneCvThread, Worker
from vidcolor.live.streams.feed import Feed
from vidcolor.live.streams.sink import Sink
from vidcolor.options import ColorizeOptions
from vidcolor.temporal.clock import Clock

WAITING = 8  # frames of a live stream that may wait for the network: what a burst brings, and the delay under load
READY = 2  # that may wait for the encoder
GRACE = 5.0  # seconds that a target may take for what is left, once the work is to end


class Outgoing(Channel):
    """The channel to the writer, which may be stuck in its target: `hurry` is called while one waits for it."""

    def __init__(self, stop: threading.Event, size: int, hurry: Callable[[], None]) -> None:
        super().__init__(stop, size)
        self.hurry = hurry

    def put(self, item: object) -> None:
        while True:
            self.check()
            self.hurry()
            try:
                return self.queue.put(item, timeout=0.1)
            except queue.Full:
                continue


@dataclass(frozen=True)
class Signals:
    """How the user and the threads tell each other that a stream ends."""

    stop: threading.Event  # by the user
    ending: threading.Event  # nothing more shall be read
    gave_up: threading.Event  # nothing more can be written


class Run:
    """One run from `feed` to `sink`, until the feed ends or `stop` is set.

    The sink is finished even where the source is silent and its thread takes until the timeout to end.
    """

    def __init__(
        self, feed: Feed, sink: Sink, options: ColorizeOptions, summary: Summary, signals: Signals,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self.feed, self.sink, self.summary, self.progress = feed, sink, summary, progress
        self.options = options
        self.stop, self.ending, self.gave_up = signals.stop, signals.ending, signals.gave_up
        self.cut = threading.Event()  # leave the first channel; the crew's stop leaves both
        self.crew = Crew(self.let_go)
        self.clocks = Clock(), Clock(), sink.clock
        size = queue_size(feed.info)
        if feed.live:
            burst = int(BURST_BYTES // (feed.info.width * feed.info.height * 2))
            self.decoded: Channel = LiveChannel(self.cut, min(WAITING, size), self.over, burst=burst)
        else:
            self.decoded = Channel(self.cut, size, self.over)
        self.colored = Outgoing(self.crew.stop, READY if feed.live else size, self.hurry)
        self.asked: float | None = None  # time.monotonic() at which the user was first seen waiting

    def run(self, backend: Backend) -> None:
        """Until all threads have ended; the first error is raised.

        Raises:
            VidcolorError: from any of the threads; the target is abandoned then.
        """
        info, size = self.feed.info, proxy_size(self.feed.info, self.options)
        self.network = Network(backend, size)
        memory = HostFrames(info.encoding, size, self.sink.settings, self.options.compare)
        colorizer = FrameColorizer(memory, self.network, self.options, live=self.feed.live, clocks=self.clocks)
        runner = Runner(colorizer, colorizer, self.crew, self.decoded, self.colored)
        with OneCvThread():
            try:
                # daemons: FFmpeg may hold them in a dead connection when the user will not wait
                read = runner.start_reader(numbered(self.feed), daemon=True)
                write = runner.start_writer(lambda item: self.write(item, colorizer), self.sink.finish, daemon=True)
                self.crew.guard(lambda: runner.color(self.passed))
                self.ending.set()
                self.cut.set()
                self.end(write)
                read.over.wait()
            except BaseException as error:  # Ctrl-C for the second time
                self.crew.fail(error)
                self.sink.abandon()
        self.count()
        self.summary.reconnected += self.sink.reconnected
        self.summary.warnings += self.sink.warnings
        self.crew.raise_first()

    def over(self) -> bool:
        if self.stop.is_set():
            self.ending.set()
        return self.ending.is_set()

    def let_go(self) -> None:
        """A thread has failed: all leave."""
        for event in (self.cut, self.ending, self.gave_up):
            event.set()

    def passed(self, item: Colored) -> None:
        """Count a frame on its way to the writer."""
        self.summary.shots += bool(item.kind)
        self.summary.frames += 1
        self.summary.predicted = self.network.predicted
        self.report()

    def count(self) -> None:
        self.summary.dropped = self.sink.missed + getattr(self.decoded, "dropped", 0)

    def report(self) -> None:
        self.over()
        self.count()
        if self.progress is not None:
            busy = {k: v for c in self.clocks for k, v in list(c.busy.items())}
            if self.feed.live:
                busy.pop("decode", None)  # most of it is waiting
            self.summary.busy = busy
            self.progress(self.summary, 0 if self.feed.live else self.feed.info.frames)

    def write(self, item: Colored | Packet[Stream], colorizer: FrameColorizer) -> None:
        """Merge, encode and mux, or leave out what there is no target for."""
        if isinstance(item, Packet):
            self.sink.packet(item)
        else:
            self.sink.frames(colorizer.merge(item))

    def hurry(self) -> None:
        """Where the user is waiting: what is stuck gets `GRACE` seconds, and as long again to fail.

        Raises:
            OutputError: it is stuck in FFmpeg.
        """
        if not self.stop.is_set():
            return
        now = time.monotonic()
        self.asked = self.asked or now
        if now - self.asked > GRACE:
            self.gave_up.set()
        if now - self.asked > 2 * GRACE:
            raise OutputError(f"{self.sink.name}: takes no more data, and was given up; check the receiver")

    def end(self, write: Worker) -> None:
        """Wait for the writer, but not for ever where the user is waiting."""
        while not write.over.wait(0.1):
            try:
                self.hurry()
            except OutputError as error:
                self.crew.fail(error)
                return
        if self.crew.errors:
            self.sink.abandon()
