"""Trying again what was lost: after longer pauses each time, and not all at once."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from vidcolor.errors import InputError

T = TypeVar("T")


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


def reopened(
    open_source: Callable[[], T], stop: threading.Event, *,
    timeout: float = math.inf, at_once: bool = False, failed: Callable[[InputError], None] = lambda _: None,
) -> T | None:  # fmt: skip
    """What `open_source` gives as soon as it raises no InputError; None where it never did.

    It is tried until `stop` is set or `timeout` seconds have passed. `at_once` leaves the pauses out, for who waits
    for a call and must be there for it. `failed` is told of every fault.
    """
    began, backoff = time.monotonic(), Backoff()
    while not stop.is_set() and time.monotonic() - began < timeout:
        if not at_once and not backoff.wait(stop):
            return None
        try:
            return open_source()
        except InputError as error:
            failed(error)
    return None
