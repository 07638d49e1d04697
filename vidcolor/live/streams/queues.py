"""The queue of a live source: what is late is dropped, and the source never waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from av.packet import Packet

from vidcolor.film.pipeline import Link

PACKETS = 2000  # of sound that may wait: a minute of it
BURST_BYTES = 128e6  # of frames that came while the streams were looked at, and are caught up with
CATCH_UP = 5.0  # seconds for that


class LiveLink(Link):
    """A queue of `size` frames, whose oldest gives way to a new one; packets of other streams wait beside them.

    At first up to `burst` frames may wait, until they have been caught up with.

    Attributes:
        dropped: frames so far that had to give way.
    """

    def __init__(self, stop: threading.Event, size: int, over: Callable[[], bool], *, burst: int) -> None:
        super().__init__(stop, size, over)
        self.size, self.limit, self.dropped = size, max(size, burst), 0
        self.began: float | None = None
        self.items: deque = deque()
        self.frames = 0
        self.changed = threading.Condition()

    def put(self, item: object) -> None:
        self.check()
        with self.changed:
            if isinstance(item, Packet):
                if len(self.items) - self.frames >= PACKETS:
                    self.drop(lambda old: isinstance(old, Packet))
            elif item is not Link.END:
                self.began = self.began or time.monotonic()
                if time.monotonic() - self.began > CATCH_UP:
                    self.limit = self.size
                while self.frames >= self.limit:
                    self.drop(lambda old: not isinstance(old, Packet))
                    self.frames, self.dropped = self.frames - 1, self.dropped + 1
                self.frames += 1
            self.items.append(item)
            self.changed.notify()

    def drop(self, kind: Callable[[object], bool]) -> None:
        """Leave the oldest item of a kind out."""
        del self.items[next(i for i, old in enumerate(self.items) if kind(old))]

    def __iter__(self) -> Iterator:
        while True:
            self.check()
            over = self.over()
            with self.changed:
                if not self.items and not over:
                    self.limit = self.size if self.began else self.limit
                    self.changed.wait(0.1)
                if not self.items:
                    if over:
                        return
                    continue
                item = self.items.popleft()
                self.frames -= not isinstance(item, Packet) and item is not Link.END
            if item is Link.END:
                return
            yield item
