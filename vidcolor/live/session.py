"""A live session: capture, colour, and whoever looks at it, each at its own pace."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from vidcolor.frames.workers import Crew
from vidcolor.live.capture import Capture
from vidcolor.live.colorizer import LiveColorizer
from vidcolor.live.newest import Closed, Newest

RECENT = 120  # frames that rate and latency are averaged over


@dataclass(frozen=True)
class Shown:
    """A coloured frame, ready to be shown."""

    frame: av.VideoFrame
    taken: float  # time.monotonic() of its capture
    number: int  # of the captured frame
    rotation: int = 0  # degrees counterclockwise by which it is turned for display, a multiple of 90
    aspect: Fraction = Fraction(1)  # width of a pixel over its height, before turning

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as it is shown: turned, in square pixels."""
        width, height = round(self.frame.width * self.aspect), self.frame.height
        return (height, width) if self.rotation % 180 else (width, height)


class Meter:
    """Rate and latency of the last frames."""

    def __init__(self) -> None:
        self.seen: deque[tuple[float, float]] = deque(maxlen=RECENT)  # when shown, and how long after its capture

    def add(self, taken: float) -> None:
        now = time.monotonic()
        self.seen.append((now, now - taken))

    @property
    def rate(self) -> float:
        """Frames a second."""
        if len(self.seen) < 2:
            return 0.0
        span = self.seen[-1][0] - self.seen[0][0]
        return (len(self.seen) - 1) / span if span > 0 else 0.0

    @property
    def latency(self) -> float:
        """Mean seconds from capture to display."""
        return sum(x for _, x in self.seen) / len(self.seen) if self.seen else 0.0


class LiveSession:
    """Reads and colours in a thread each; `next` gives the newest coloured frame.

    Every coloured frame also goes to each of `outputs` (called in the colouring thread). Use it with `with`: threads
    are stopped and joined at the end, and the first error of a thread is raised by `next`.

    Attributes:
        dropped: frames so far that came too fast to be coloured or shown.
    """

    def __init__(self, capture: Capture, colorizer: LiveColorizer) -> None:
        self.capture, self.colorizer = capture, colorizer
        self.coloured: Newest[Shown] = Newest()
        self.outputs: list[Callable[[Shown], None]] = []
        self.crew = Crew(on_error=capture.stop.set)

    @property
    def dropped(self) -> int:
        return self.capture.out.dropped + self.coloured.dropped

    def __enter__(self) -> LiveSession:
        self.reader = self.crew.start("capture", lambda: self.run(self.capture.run, self.capture.out))
        self.worker = self.crew.start("colour", lambda: self.run(self.color, self.coloured))
        return self

    def __exit__(self, *_: object) -> None:
        self.capture.stop.set()
        self.crew.join()

    def run(self, work: Callable[[], None], out: Newest[Any]) -> None:
        """Do `work`, keep its error, and only then say that nothing more will come."""
        self.crew.guard(work)
        out.close()

    def color(self) -> None:
        for captured in self.capture.out:
            rotation = captured.frame.rotation
            done = self.colorizer.color(captured.frame, captured.aspect)
            shown = Shown(done, captured.taken, captured.number, rotation, captured.aspect)
            for output in list(self.outputs):
                output(shown)
            self.coloured.put(shown)

    def next(self, timeout: float | None = None) -> Shown | None:
        """The newest coloured frame not given yet, or None after `timeout` seconds.

        Raises:
            Closed: the source is at its end.
        """
        try:
            return self.coloured.take(timeout)
        except Closed:
            self.crew.raise_first()
            raise
