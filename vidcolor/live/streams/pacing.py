"""A film at the pace of its time stamps, as if it were live."""

from __future__ import annotations

import threading
import time

LATE = 0.5  # seconds behind its time stamps at which the pace begins anew


class Pace:
    """Waits until a time stamp is due; the first one is at once. Sound and picture share one clock."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.origin: float | None = None  # time.monotonic() of time stamp 0

    def wait(self, stamp: float) -> None:
        """Wait for `stamp` (seconds), or until `stop` is set."""
        now = time.monotonic()
        if self.origin is None or now - (self.origin + stamp) > LATE:
            self.origin = now - stamp
        if (ahead := self.origin + stamp - now) > 0:
            self.stop.wait(ahead)
