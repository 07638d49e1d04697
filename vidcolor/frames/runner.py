"""The three threads of a film or a stream: read and prepare; colour; write. Channels between them hold little."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import av

from vidcolor.color.encoding import prepare_lab
from vidcolor.frames.channel import Channel
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.item import Prepared
from vidcolor.frames.workers import Crew, Worker


class Stage(Protocol):
    """What colours prepared frames in order: a `FrameColorizer`, or what puts one to use."""

    def push(self, item: Prepared) -> list[Any]:
        """Take the next frame; returns what is ready for the writer, in order."""

    def finish(self) -> list[Any]:
        """What is left, at the end."""


class Runner:
    """Carries frames from a source to a writer.

    The channels are the policy: a `Channel` passes on every frame, a `LiveChannel` leaves out the oldest where there is
    no time. Items of the source that are no frames (packets of other streams) go the same way, ahead of frames that
    the stage holds back.
    """

    def __init__(self, colorizer: FrameColorizer, stage: Stage, crew: Crew, decoded: Channel, colored: Channel) -> None:
        self.colorizer, self.stage, self.crew = colorizer, stage, crew
        self.decoded, self.colored = decoded, colored

    def start_reader(self, source: Iterable[Any], *, daemon: bool = False) -> Worker:
        """Read `source`, frames as (number, frame), in a thread of its own."""
        return self.crew.start("read", lambda: self.read(source), daemon=daemon)

    def start_writer(
        self, write: Callable[[Any], None], finish: Callable[[], None] = lambda: None, *, daemon: bool = False
    ) -> Worker:
        """Call `write` with every item and `finish` at the end, in a thread of its own."""

        def work() -> None:
            prepare_lab()  # while the network is compiled
            for item in self.colored:
                write(item)
            finish()

        return self.crew.start("write", work, daemon=daemon)

    def read(self, source: Iterable[Any]) -> None:
        """Reader thread: the luma proxy is made while the frame is in the processor's cache."""
        items, clock = iter(source), self.colorizer.clocks[0]
        while (item := clock.time("decode", next, items, None)) is not None:
            self.decoded.put(self.colorizer.prepare(*item) if isinstance(item, tuple) else item)
        self.decoded.put(Channel.END)

    def color(self, passed: Callable[[Any], None]) -> None:
        """In the calling thread; `passed` is told of everything that the stage gives, before the writer has it."""
        for item in self.decoded:
            if isinstance(item, Prepared):
                self.hand_on(self.stage.push(item), passed)
            else:
                self.colored.put(item)
        self.hand_on(self.stage.finish(), passed)
        self.colored.put(Channel.END)

    def hand_on(self, items: list[Any], passed: Callable[[Any], None]) -> None:
        for item in items:
            passed(item)
            self.colored.put(item)


def numbered(items: Iterable[Any]) -> Iterable[Any]:
    """Frames among `items` as (number, frame); all others as they are."""
    number = 0
    for item in items:
        if isinstance(item, av.VideoFrame):
            yield number, item
            number += 1
        else:
            yield item
