"""Where shots begin, from the small luma: causally for live pictures, with a look ahead for files."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from vidcolor.shots.dissolves import DissolveFinder
from vidcolor.shots.similarity import is_blank, make_thumbnail, unlike

CUT = 0.42  # how unlike the frames on the two sides of a cut are at least; see likeness.unlike
CUT_AHEAD = 0.36  # the same where the frames to come tell a flash from a cut
SURE = 0.5  # how unlike they are where nothing else is asked; below that a cut stands out
STANDS_OUT = 2.0  # times the changes next to it, which are as large where something passes close by
AGAIN = 0.32  # how unlike the picture before a flash and the one after it may be: less, for they are the same one
FLASH = 4  # frames on either side that must be unlike as well: a flash of up to 3 frames is left behind by then
SHORTEST = 8  # frames of a shot before a dissolve: a long dissolve is not to be found twice


class CutDetector:
    """Decides on each frame at once, for live pictures: hard cuts only.

    A frame begins a shot if it is unlike each of the last `FLASH` frames that showed anything. So the end of a flash
    is no cut, and its beginning is none as long as something of the picture is left in it. On a blank frame (black,
    white) no shot begins; the next frame that shows something is compared with those before the blank.
    """

    LOOKAHEAD = 0

    def __init__(self) -> None:
        self.past: deque[np.ndarray] = deque(maxlen=FLASH)
        self.is_first = True

    def update(self, lightness: np.ndarray) -> bool:
        """Whether the frame with small L* ``(h, w)`` begins a new shot; the first frame always does."""
        thumbnail = make_thumbnail(lightness)
        is_first, self.is_first = self.is_first, False
        if is_blank(thumbnail):
            return is_first
        is_cut = _is_new(thumbnail, self.past, CUT) and _stands_out(thumbnail, self.past)
        if is_cut:
            self.past.clear()
        self.past.append(thumbnail)
        return is_first or is_cut


class Shots(Protocol):
    """Says of every frame whether a shot begins with it, at most `LOOKAHEAD` frames later."""

    LOOKAHEAD: int

    def push(self, lightness: np.ndarray) -> list[Decided]:
        """Take the next frame's small L* ``(h, w)``; the frames that are decided on now."""

    def finish(self) -> list[Decided]:
        """The frames that are left, at the film's end."""


class Decided(NamedTuple):
    """What is known of a frame: `kind` is empty, or says how the shot that begins there does."""

    frame: int  # counted from 0
    kind: str  # "", "first", "cut" or "dissolve"; true where a shot begins


class LiveShots:
    """`CutDetector` frame by frame."""

    LOOKAHEAD = 0

    def __init__(self) -> None:
        self.detector, self.next = CutDetector(), 0

    def push(self, lightness: np.ndarray) -> list[Decided]:
        is_start = self.detector.update(lightness)
        self.next += 1
        return [Decided(self.next - 1, ("cut" if self.next > 1 else "first") if is_start else "")]

    def finish(self) -> list[Decided]:
        return []


class GivenShots:
    """Shots that are known: how each begins, by the number of its first frame."""

    LOOKAHEAD = 0

    def __init__(self, kinds: Mapping[int, str]) -> None:
        self.kinds, self.next = {0: "first", **kinds}, 0

    def push(self, lightness: np.ndarray) -> list[Decided]:
        self.next += 1
        return [Decided(self.next - 1, self.kinds.get(self.next - 1, ""))]

    def finish(self) -> list[Decided]:
        return []


class ShotDetector:
    """Decides on each frame `LOOKAHEAD` frames later, for files: hard cuts, dissolves, and no flashes.

    A cut lies between frames of which neither the `FLASH` before are like the one after, nor the `FLASH` after like the
    one before; so what is inserted for up to three frames is no shot. A dissolve is seen when it has ended; its shot
    begins in the middle, or if that is decided already, at the first frame that is not.
    """

    LOOKAHEAD = FLASH

    def __init__(self) -> None:
        self.waiting: deque[np.ndarray] = deque()  # thumbnails of the frames not decided on
        self.past: deque[np.ndarray] = deque(maxlen=FLASH)
        self.next = 0  # index of the frame to be decided on
        self.start = 0  # index at which the shot began
        self.dissolves = DissolveFinder()
        self.middle = 0  # index at which the last dissolve has its shot begin

    def push(self, lightness: np.ndarray) -> list[Decided]:
        """Take the next frame's small L* ``(h, w)``; decide on the frame `LOOKAHEAD` before it, if there is one."""
        thumbnail = make_thumbnail(lightness)
        self.waiting.append(thumbnail)
        back = self.dissolves.push(thumbnail)
        if back is not None:
            self.middle = self.next + max(0, len(self.waiting) - 1 - back)
        return [self._decide()] if len(self.waiting) > self.LOOKAHEAD else []

    def finish(self) -> list[Decided]:
        """Decide on the frames that are left, at the film's end."""
        return [self._decide() for _ in range(len(self.waiting))]

    def _decide(self) -> Decided:
        index, thumbnail = self.next, self.waiting.popleft()
        kind = self._kind(index, thumbnail)
        if kind:
            self.past.clear()
            self.start = index
        if kind == "cut":
            self.dissolves.forget(keep=len(self.waiting) + 1)  # the frames from here on
        if not is_blank(thumbnail):
            self.past.append(thumbnail)
        self.next += 1
        return Decided(index, kind)

    def _kind(self, index: int, thumbnail: np.ndarray) -> str:
        if index == 0:
            return "first"
        if self._is_cut(thumbnail):
            return "cut"
        return "dissolve" if index == self.middle and index - self.start >= SHORTEST else ""

    def _is_cut(self, thumbnail: np.ndarray) -> bool:
        if is_blank(thumbnail) or not _is_new(thumbnail, self.past, CUT_AHEAD):
            return False
        after = [x for x in islice(self.waiting, FLASH - 1) if not is_blank(x)]
        next_change = unlike(thumbnail, after[0]) if after else 0.0
        return _stands_out(thumbnail, self.past, next_change) and all(unlike(self.past[-1], x) > AGAIN for x in after)


def _is_new(thumbnail: np.ndarray, past: deque[np.ndarray], cut: float) -> bool:
    """Whether it is unlike the frame before, and the picture before a flash is not back either."""
    if not past or unlike(thumbnail, past[-1]) <= cut:
        return False
    return all(unlike(thumbnail, x) > AGAIN for x in islice(past, len(past) - 1))


def _stands_out(thumbnail: np.ndarray, past: deque[np.ndarray], next_change: float = 0.0) -> bool:
    """Whether the change to this frame is large beside the one before (and the one after, where it is known)."""
    last_change = unlike(past[-1], past[-2]) if len(past) > 1 else 0.0
    return unlike(thumbnail, past[-1]) > min(SURE, STANDS_OUT * max(last_change, next_change))
