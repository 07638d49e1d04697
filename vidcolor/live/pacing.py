"""A film at the pace of its time stamps, as if it were live."""

from __future__ import annotations

import threading
import time

LATE = 0.5  # seconds behind its time stamps at which the pace begins anew


class Pace:
    """Waits until a time stamp is due; the first one is at once, in a pause none is. All streams share one clock."""

    def __init__(self, stop: threading.Event, paused: threading.Event | None = None) -> None:
        self.stop, self.paused = stop, paused or threading.Event()
        self.origin: float | None = None  # time.monotonic() of time stamp 0

    def wait(self, stamp: float) -> float:
        """Wait for `stamp` (seconds), or until `stop` is set; gives the time.monotonic() at which it was due."""
        while self.paused.is_set() and not self.stop.wait(0.02):
            self.origin = None
        now = time.monotonic()
        if self.origin is None or now - (self.origin + stamp) > LATE:
            self.origin = now - stamp
        due = self.origin + stamp
        if due > now:
            self.stop.wait(due - now)
        return due
