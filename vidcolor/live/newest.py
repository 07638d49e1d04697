"""A mailbox of one: who is late gets the newest, and what was not fetched in time is counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """Nothing more will come."""


class Newest(Generic[T]):
    """Hands the newest item from one thread to another.

    Attributes:
        dropped: items that a newer one replaced before they were taken.
    """

    def __init__(self) -> None:
        self.ready = threading.Condition()
        self.item: T | None = None
        self.closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Replace what waits."""
        with self.ready:
            self.dropped += self.item is not None
            self.item = item
            self.ready.notify()

    def take(self, timeout: float | None = None) -> T | None:
        """The newest item not taken yet; waits for one, and gives None after `timeout` seconds.

        Raises:
            Closed: the mailbox is empty and will stay so.
        """
        with self.ready:
            self.ready.wait_for(lambda: self.item is not None or self.closed, timeout)
            if self.item is None and self.closed:
                raise Closed
            item, self.item = self.item, None
            return item

    def __iter__(self) -> Iterator[T]:
        """The newest item each time, until the end."""
        while True:
            try:
                item = self.take()
            except Closed:
                return
            assert item is not None  # without a timeout there is one
            yield item

    def close(self) -> None:
        """The last item has been put."""
        with self.ready:
            self.closed = True
            self.ready.notify_all()
