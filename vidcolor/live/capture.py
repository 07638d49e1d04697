"""Frames from a camera, a stream or a file, as they come; reconnects when a camera or stream is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vidcolor.errors import InputError
from vidcolor.live.backoff import reopened
from vidcolor.live.devices import is_camera, open_camera
from vidcolor.live.newest import Newest
from vidcolor.live.options import CameraRequest
from vidcolor.live.pacing import Pace
from vidcolor.live.streams.address import mask
from vidcolor.video.faults import reason
from vidcolor.video.probe import main_video, open_input, packets_of

DAMAGED = 100  # packets in a row that cannot be decoded before reconnecting


@dataclass(frozen=True)
class Captured:
    """A decoded frame."""

    frame: av.VideoFrame
    taken: float  # time.monotonic() at which its packet had arrived
    number: int  # counted from 0, over all connections
    aspect: Fraction = Fraction(1)  # width of a pixel over its height


class Capture:
    """Opens `source`: camera, address or file; `run` puts each frame into `out`, until `stop` or the end of the film.

    Files are read at the pace of their time stamps. After a camera or stream has ended or failed, it reconnects, with
    longer pauses from try to try.

    Attributes:
        label: what messages call the source: its address without user, password and query.
        size: width and height at which the picture is shown, in square pixels.
        is_file: the source has an end and can be paused.
        status: why there are no frames, for people to read; empty while there are.
        reconnected: how often the source came back.
        damaged: packets that could not be decoded, so far.

    Raises:
        InputError: the source cannot be opened the first time, or has no picture.
    """

    def __init__(
        self,
        source: str,
        out: Newest[Captured],
        *,
        request: CameraRequest | None = None,
        loop: bool = False,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.source, self.out, self.request, self.loop, self.note = source, out, request or CameraRequest(), loop, note
        self.label = mask(source)
        self.is_file = not is_camera(source) and "://" not in source
        self.stop, self.paused = threading.Event(), threading.Event()
        self.status, self.reconnected, self.damaged, self.number = "", 0, 0, 0
        self.container: InputContainer | None = self.open()
        try:
            stream = main_video(self.container, self.label)
        except BaseException:
            self.container.close()
            raise
        width, height = stream.codec_context.width, stream.codec_context.height
        self.size = round(width * aspect_of(stream)), height
        self.rate = stream.average_rate or stream.guessed_rate

    def open(self) -> InputContainer:
        if is_camera(self.source):
            return open_camera(self.source, self.request)
        try:
            return open_input(self.source)
        except InputError as error:
            raise InputError(str(error).replace(self.source, self.label)) from None  # a traceback shows the cause

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                why = self.read_on()
                if self.stop.is_set() or (self.is_file and not self.loop) or not self.reopen(why):
                    break
        finally:
            self.close()

    def close(self) -> None:
        if self.container is not None:
            self.container.close()
            self.container = None

    def reopen(self, why: str) -> bool:
        """Begin a file again, or try until the source is back; False where that cannot be or `stop` was set."""
        self.close()
        if self.is_file:
            try:
                self.container = self.open()
            except InputError:
                return False
            return True
        self.status = f"{self.label}: {why}; trying again"
        self.note(self.status)
        self.container = reopened(self.open, self.stop)
        self.reconnected += self.container is not None
        return self.container is not None

    def read_on(self) -> str:
        """Read frames until the source ends; returns why it did."""
        assert self.container is not None
        failures = 0
        try:
            stream = main_video(self.container, self.label)
            if not self.is_file:
                stream.thread_type = "SLICE"  # frame threads would hold back a frame each
            pace = Pace(self.stop, self.paused) if self.is_file else None
            for packet in packets_of(self.container, stream):
                taken = time.monotonic()
                if self.stop.is_set():
                    return "stopped"
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    self.damaged, failures = self.damaged + 1, failures + 1
                    if failures > DAMAGED:
                        return "nothing can be decoded any more"
                    continue
                failures = 0
                for frame in frames:
                    if pace is not None and frame.time is not None:
                        taken = pace.wait(frame.time)
                    self.give(frame, taken, aspect_of(stream))
            return "the stream has ended"
        except (av.FFmpegError, InputError, OSError) as error:
            return f"lost, {reason(error)}"

    def give(self, frame: av.VideoFrame, taken: float, aspect: Fraction) -> None:
        if self.status:
            self.status = ""
            self.note(f"{self.label}: is back")
        self.out.put(Captured(frame, taken, self.number, aspect))
        self.number += 1


def aspect_of(stream: VideoStream) -> Fraction:
    """Width over height of a pixel; a stream that does not say has square ones."""
    return stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
