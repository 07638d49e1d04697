"""A live session: capture, colour, and whoever looks at it, each at its own pace."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av

from vidcolor.live.capture import Capture, Captured
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
    """Colours what `capture` gives in a thread of its own; `next` gives the newest coloured frame.

    Every coloured frame also goes to each of `outputs` (called in the colouring thread). Use it with `with`: threads
    are stopped and joined at the end, and an error of the colouring thread is raised by `next`.

    Attributes:
        dropped: frames so far that came too fast to be coloured or shown.
    """

    def __init__(self, capture: Capture, colorizer: LiveColorizer) -> None:
        self.capture, self.colorizer = capture, colorizer
        self.coloured: Newest[Shown] = Newest()
        self.outputs: list[Callable[[Shown], None]] = []
        self.error: BaseException | None = None
        self.worker = threading.Thread(target=self.work, name="colour")

    @property
    def dropped(self) -> int:
        return self.capture.out.dropped + self.coloured.dropped

    def __enter__(self) -> LiveSession:
        self.capture.start()
        self.worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.capture.stop.set()
        self.capture.join()
        self.worker.join()

    def work(self) -> None:
        try:
            while True:
                captured: Captured | None = self.capture.out.take()
                assert captured is not None
                rotation = captured.frame.rotation
                done = self.colorizer.color(captured.frame, captured.aspect)
                shown = Shown(done, captured.taken, captured.number, rotation, captured.aspect)
                for output in list(self.outputs):
                    output(shown)
                self.coloured.put(shown)
        except Closed:
            pass
        except BaseException as error:
            self.error = error
            self.capture.stop.set()
        finally:
            self.coloured.close()

    def next(self, timeout: float | None = None) -> Shown | None:
        """The newest coloured frame not given yet, or None after `timeout` seconds.

        Raises:
            Closed: the source is at its end.
        """
        try:
            return self.coloured.take(timeout)
        except Closed:
            if self.error is not None:
                raise self.error from None
            raise
