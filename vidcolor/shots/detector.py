"""Where shots begin, from luma proxies: causally for live pictures, a few frames ahead for files."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from vidcolor.shots.dissolves import DissolveFinder
from vidcolor.shots.similarity import dissimilarity, is_blank, make_thumbnail

CUT = 0.42  # least dissimilarity of the two frames at a cut; see similarity.dissimilarity
CUT_AHEAD = 0.36  # the same where the frames after it can tell a cut from a flash
CERTAIN = 0.5  # dissimilarity that is a cut in itself; less must stand out from the changes next to it
STANDS_OUT = 2.0  # factor over the changes next to it; where something passes the camera, those are as large
SAME = 0.32  # most dissimilarity of the frames before and after a flash, which show the same picture
FLASH = 4  # frames on either side that must differ as well; a flash of up to 3 frames is over by then
MIN_BEFORE_DISSOLVE = 8  # frames; otherwise a long dissolve would be found twice


class CutDetector:
    """Decides on each frame at once, for live pictures: hard cuts only.

    A frame begins a shot if it differs from each of the last `FLASH` frames that were not blank. So the end of a flash
    is not a cut, nor is its beginning while the flash leaves some of the picture visible. No shot begins on a blank
    frame (black, white); the next frame that is not blank is compared with those before.
    """

    LOOKAHEAD = 0

    def __init__(self) -> None:
        self.past: deque[np.ndarray] = deque(maxlen=FLASH)
        self.is_first = True

    def update(self, lightness: np.ndarray) -> bool:
        """Whether the frame begins a new shot, by L* ``(h, w)`` of its proxy; the first frame always does."""
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
        """Take L* ``(h, w)`` of the next proxy; returns the frames that are decided now."""

    def finish(self) -> list[Decided]:
        """Returns the frames that are left, at the film's end."""


class Decided(NamedTuple):
    """The decision on a frame: `kind` says how a shot begins with it, and is empty where none does."""

    frame: int  # counted from 0
    kind: str  # "", "first", "cut" or "dissolve"; so it is true where a shot begins


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
    """Shots of a cut list: how each begins, by the number of its first frame."""

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

    A frame begins a shot if it differs from the `FLASH` frames before it, and the frame before from the `FLASH` frames
    from here on. So up to three inserted frames are not a shot. A dissolve is found once it has ended. Its shot
    begins in its middle, or at the first undecided frame where the middle is already decided.
    """

    LOOKAHEAD = FLASH

    def __init__(self) -> None:
        self.waiting: deque[np.ndarray] = deque()  # thumbnails of the undecided frames
        self.past: deque[np.ndarray] = deque(maxlen=FLASH)
        self.next = 0  # index of the first undecided frame
        self.start = 0  # index of the first frame of the shot
        self.dissolves = DissolveFinder()
        self.middle = 0  # index at which the shot after the last dissolve begins

    def push(self, lightness: np.ndarray) -> list[Decided]:
        """Take L* ``(h, w)`` of the next proxy; decide on the frame `LOOKAHEAD` before it, if there is one."""
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
        return "dissolve" if index == self.middle and index - self.start >= MIN_BEFORE_DISSOLVE else ""

    def _is_cut(self, thumbnail: np.ndarray) -> bool:
        if is_blank(thumbnail) or not _is_new(thumbnail, self.past, CUT_AHEAD):
            return False
        after = [x for x in islice(self.waiting, FLASH - 1) if not is_blank(x)]
        next_change = dissimilarity(thumbnail, after[0]) if after else 0.0
        is_flash = any(dissimilarity(self.past[-1], x) <= SAME for x in after)
        return not is_flash and _stands_out(thumbnail, self.past, next_change)


def _is_new(thumbnail: np.ndarray, past: deque[np.ndarray], cut: float) -> bool:
    """Whether it differs from the frame before, and is not the picture from before a flash either."""
    if not past or dissimilarity(thumbnail, past[-1]) <= cut:
        return False
    return all(dissimilarity(thumbnail, x) > SAME for x in islice(past, len(past) - 1))


def _stands_out(thumbnail: np.ndarray, past: deque[np.ndarray], next_change: float = 0.0) -> bool:
    """Whether the change to this frame is large next to the change before (and the one after, where known)."""
    last_change = dissimilarity(past[-1], past[-2]) if len(past) > 1 else 0.0
    return dissimilarity(thumbnail, past[-1]) > min(CERTAIN, STANDS_OUT * max(last_change, next_change))
