"""Bounded channels between threads: every item in order, or the newest frames where a source does not wait."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from vidcolor.frames.item import Prepared
from vidcolor.frames.workers import Stopped

POLL = 0.1  # seconds after which a waiting thread looks whether it shall leave
MAX_PACKETS = 2000  # of sound that may wait in a live channel: a minute of it
BURST_BYTES = 128e6  # of frames that came while a live source was probed, and are caught up with
CATCH_UP = 5.0  # seconds for that


class Channel:
    """A bounded queue between two threads; iterate it to take items until `END`.

    All threads leave it when `stop` is set: `put` and the iteration then raise Stopped. Where `over` returns True,
    the iteration also ends as soon as the channel is empty.
    """

    END = object()

    def __init__(self, stop: threading.Event, size: int, over: Callable[[], bool] = lambda: False) -> None:
        self.queue: queue.Queue[object] = queue.Queue(size)
        self.stop, self.over = stop, over

    def check(self) -> None:
        """Raise Stopped where the threads are to leave."""
        if self.stop.is_set():
            raise Stopped("stopped")

    def put(self, item: object) -> None:
        while True:
            self.check()
            try:
                return self.queue.put(item, timeout=POLL)
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[Any]:
        while True:
            self.check()
            try:
                item = self.queue.get(timeout=POLL)
            except queue.Empty:
                if self.over():
                    return
                continue
            if item is Channel.END:
                return
            yield item


class LiveChannel(Channel):
    """A channel of `size` frames whose oldest gives way to a new one, so that the source never waits.

    Packets of other streams wait beside them. At first up to `burst` frames may wait, until they have been caught up
    with.

    Attributes:
        dropped: frames so far that had to give way.
    """

    def __init__(self, stop: threading.Event, size: int, over: Callable[[], bool], *, burst: int) -> None:
        super().__init__(stop, size, over)
        self.size, self.limit, self.dropped = size, max(size, burst), 0
        self.began: float | None = None
        self.items: deque[object] = deque()
        self.frames = 0
        self.changed = threading.Condition()

    def put(self, item: object) -> None:
        self.check()
        with self.changed:
            if is_frame(item):
                self.make_room()
                self.frames += 1
            elif item is not Channel.END and len(self.items) - self.frames >= MAX_PACKETS:
                self.drop(lambda old: not is_frame(old))
            self.items.append(item)
            self.changed.notify()

    def make_room(self) -> None:
        self.began = self.began or time.monotonic()
        if time.monotonic() - self.began > CATCH_UP:
            self.limit = self.size
        while self.frames >= self.limit:
            self.drop(is_frame)
            self.frames, self.dropped = self.frames - 1, self.dropped + 1

    def drop(self, kind: Callable[[object], bool]) -> None:
        """Leave out the oldest item of a kind."""
        del self.items[next(i for i, old in enumerate(self.items) if kind(old))]

    def __iter__(self) -> Iterator[Any]:
        while True:
            self.check()
            over = self.over()
            with self.changed:
                if not self.items and not over:
                    self.limit = self.size if self.began else self.limit
                    self.changed.wait(POLL)
                if not self.items:
                    if over:
                        return
                    continue
                item = self.items.popleft()
                self.frames -= is_frame(item)
            if item is Channel.END:
                return
            yield item


def is_frame(item: object) -> bool:
    """Whether an item is a frame, not a packet of another stream or the end."""
    return isinstance(item, Prepared)
