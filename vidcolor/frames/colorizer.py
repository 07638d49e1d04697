"""The one way for a frame: file, stream, window, page and library colour their frames by it."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from typing import Any

import numpy as np

from vidcolor.frames.host import FrameMemory
from vidcolor.frames.item import Colored, Prepared
from vidcolor.options import ColorOptions
from vidcolor.shots.detector import LiveShots, ShotDetector, Shots
from vidcolor.temporal.causal import Predict
from vidcolor.temporal.clock import Clock
from vidcolor.temporal.stabilizer import Stabilizer, StableColor


class FrameColorizer:
    """Colours consecutive frames: `prepare` each, `push` it, `merge` what comes back, `finish` at the end.

    The three steps may run in three threads. Each of them takes frames in order; a frame keeps its number, and numbers
    may be left out. With `live` no frame is held back.

    Attributes:
        strength: factor of a*b*, 0 to 2; may be set between frames.
    """

    def __init__(
        self, memory: FrameMemory, predict: Predict, options: ColorOptions, *,
        live: bool = False, anchors: Container[int] = (), clocks: tuple[Clock, Clock, Clock] | None = None,
    ) -> None:  # fmt: skip
        self.memory = memory
        self.strength = options.strength
        self.clocks = clocks or (Clock(), Clock(), Clock())  # of prepare, push and merge
        self.shots: Shots = LiveShots() if live else ShotDetector()
        self.stabilizer = Stabilizer(predict, options, live=live, anchors=anchors, clock=self.clocks[1])
        self.undecided: deque[Prepared] = deque()  # frames of which it is not known whether a shot begins there
        self.held: dict[int, Prepared] = {}  # frames that the stabilizer has, by number

    def prepare(self, number: int, frame: Any) -> Prepared:
        """Look at a decoded frame: its luma proxy."""
        return Prepared(number, frame, self.clocks[0].time("resize", self.memory.prepare, frame))

    def push(self, item: Prepared) -> list[Colored]:
        """Take the next frame; returns those whose colour is known now, in order."""
        self.undecided.append(item)
        done: list[Colored] = []
        for decided in self.clocks[1].time("smoothing", self.shots.push, item.proxy.lightness):
            done += self.color(self.undecided.popleft(), decided.kind)
        return done

    def color(self, item: Prepared, kind: str) -> list[Colored]:
        """Take a frame of which it is known how a shot begins with it (`kind`; empty where none does)."""
        self.held[item.number] = item
        return self.collect(self.stabilizer.push(item.number, item.proxy.lightness, kind))

    def finish(self) -> list[Colored]:
        """The frames still held; nothing comes after them."""
        done: list[Colored] = []
        for decided in self.clocks[1].time("smoothing", self.shots.finish):
            done += self.color(self.undecided.popleft(), decided.kind)
        return done + self.collect(self.stabilizer.finish())

    def collect(self, stable: list[StableColor]) -> list[Colored]:
        done = []
        for color in stable:
            item = self.held.pop(color.number)
            ab = color.ab * np.float32(self.strength)
            done.append(Colored(item.number, item.frame, item.proxy, ab, color.kind, color.anew))
        return done

    def merge(self, item: Colored) -> Iterator[Any]:
        """Output frames that are ready, in order: the luma of their sources, and new chroma."""
        yield from self.clocks[2].time("merge", list, self.memory.merge(item))

    def flush(self) -> Iterator[Any]:
        """Output frames that were held back on a card."""
        yield from self.clocks[2].time("merge", list, self.memory.finish())
