"""How long to wait before the next try: longer each time, and not all at once."""

from __future__ import annotations

import random
import threading


class Backoff:
    """Exponential back-off with jitter: waits of `first` seconds, doubled up to `longest`, each 75 to 100 % of that."""

    def __init__(self, first: float = 1.0, longest: float = 30.0) -> None:
        self.first, self.longest = first, longest
        self.reset()

    def reset(self) -> None:
        """It worked: the next wait is the shortest again."""
        self.next = self.first

    def span(self) -> float:
        """Seconds until the next try."""
        span = self.next * random.uniform(0.75, 1.0)
        self.next = min(self.longest, 2 * self.next)
        return span

    def wait(self, stop: threading.Event) -> bool:
        """Wait until the next try; False where `stop` was set before."""
        return not stop.wait(self.span())
