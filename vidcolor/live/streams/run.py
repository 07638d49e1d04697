"""The three threads of a stream: reader, network and smoothing, writer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
from av.packet import Packet

from vidcolor.backends import Backend
from vidcolor.color.proxy import LumaProxy
from vidcolor.errors import Cancelled, OutputError
from vidcolor.film.pipeline import HostFrames, Link, Worker, color_frames, queue_size, read_frames, small_size_of
from vidcolor.frames.summary import Progress, Summary
from vidcolor.live.streams.feed import Feed
from vidcolor.live.streams.queues import BURST_BYTES, LiveLink
from vidcolor.live.streams.sink import Sink
from vidcolor.options import ColorizeOptions
from vidcolor.shots.report import ShotReport
from vidcolor.temporal.clock import Clock

WAITING = 8  # frames of a live stream that may wait for the network: what a burst brings, and the delay under load
READY = 2  # that may wait for the encoder
GRACE = 5.0  # seconds that a target may take for what is left, once the work is to end


class NoShots(ShotReport):
    """A stream has no end: nothing is kept of its shots."""

    def add(self, kind: str, small: LumaProxy, ab: np.ndarray, time: Fraction | None = None) -> None:
        pass


class Outgoing(Link):
    """The queue to the writer, which may be stuck in its target: `hurry` is called while one waits for it."""

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


class Run:
    """One run from `feed` to `sink`, until the feed ends or `stop` is set.

    `ending` is set as soon as nothing more shall be read, `gave_up` when nothing more can be written. The sink is
    finished even where the source is silent and its thread takes until the timeout to end.
    """

    def __init__(
        self, feed: Feed, sink: Sink, options: ColorizeOptions, summary: Summary, *,
        stop: threading.Event, ending: threading.Event, gave_up: threading.Event, progress: Progress | None,
    ) -> None:  # fmt: skip
        self.feed, self.sink, self.summary, self.progress = feed, sink, summary, progress
        self.options = replace(options, batch=1) if feed.live else options
        self.stop, self.ending, self.gave_up = stop, ending, gave_up
        self.cut, self.failed = threading.Event(), threading.Event()  # leave the first queue; leave both
        self.errors: list[BaseException] = []
        self.clocks = [Clock(), Clock(), sink.clock]
        size = min(WAITING, queue_size(feed.info)) if feed.live else queue_size(feed.info)
        burst = int(BURST_BYTES // (feed.info.width * feed.info.height * 2))
        self.decoded = (
            LiveLink(self.cut, size, self.over, burst=burst) if feed.live else Link(self.cut, size, self.over)
        )
        self.coloured = Outgoing(self.failed, READY if feed.live else size, self.hurry)
        self.asked: float | None = None  # time.monotonic() at which the user was first seen waiting

    def run(self, backend: Backend) -> None:
        """Until all threads have ended; the first error is raised.

        Raises:
            VidcolorError: from any of the threads; the target is abandoned then.
        """
        assert self.feed.reader is not None
        info, size = self.feed.info, small_size_of(self.feed.reader, self.options)
        pictures = HostFrames(info.encoding, size, self.sink.settings, self.options.compare)
        # the feed is no Reader, but is iterated like one
        read = Worker(self.guarded, (read_frames, self.feed, pictures, self.decoded, self.clocks[0]))
        write = Worker(self.guarded, (self.write, pictures))
        read.daemon = write.daemon = True  # FFmpeg may hold them in a dead connection when the user will not wait
        threads = cv2.getNumThreads()
        try:
            cv2.setNumThreads(1)  # as in run_threads
            read.start()
            write.start()
            shots = NoShots(())
            self.guarded(
                color_frames, self.decoded, self.coloured, backend, size, self.options, None, shots, self.summary,
                self.clocks[1], self.report, live=self.feed.live,
            )  # fmt: skip
            self.ending.set()
            self.cut.set()
            self.end(write)
            self.wait(read)
        except BaseException as error:  # Ctrl-C for the second time
            self.fail(error)
            self.sink.abandon()
        finally:
            cv2.setNumThreads(threads)
        self.summary.dropped = self.sink.missed + getattr(self.decoded, "dropped", 0)
        self.summary.reconnected += self.sink.reconnected
        self.summary.warnings += self.sink.warnings
        if self.errors:
            raise self.errors[0]

    def over(self) -> bool:
        if self.stop.is_set():
            self.ending.set()
        return self.ending.is_set()

    def guarded(self, work: Callable, *args, **named) -> None:
        try:
            work(*args, **named)
        except Cancelled:
            pass  # another thread failed, and has said so
        except BaseException as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)
        for event in (self.failed, self.cut, self.ending, self.gave_up):
            event.set()

    def report(self) -> None:
        self.over()
        self.summary.dropped = self.sink.missed + getattr(self.decoded, "dropped", 0)
        if self.progress is not None:
            busy = {k: v for c in self.clocks for k, v in list(c.busy.items())}
            if self.feed.live:
                busy.pop("decode", None)  # most of it is waiting
            self.summary.busy = busy
            self.progress(self.summary, 0 if self.feed.live else self.feed.info.frames)

    def write(self, pictures: HostFrames) -> None:
        """Writer thread: merge, encode and mux, or leave out what there is no target for."""
        for item in self.coloured:
            if isinstance(item, Packet):
                self.sink.packet(item)
            else:
                self.sink.frames(pictures.merge(item))
        self.sink.finish()

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
                self.fail(error)
                return
        if self.errors:
            self.sink.abandon()

    def wait(self, read: Worker) -> None:
        while not read.over.wait(0.5):
            pass
