"""The smoother for files: colour is predicted on key frames, steadied among them, and carried in from both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.temporal import motion
from vidcolor.temporal.motion import Motion, move, pad

LONGEST = 11  # frames from one key to the next, where the pace is chosen by motion
KNOWN = 0.5  # trust from which on a carried colour counts as sure
DOUBT = 0.15  # share of a picture that neither side knows, which calls for a key in between
LEAST = 0.02  # weight of a side that is not trusted beside one that is: what neither knows is mixed by distance
SURE = 1000.0  # scale of the weights, beside which the 1e-5 that OpenCV adds to their sum is nothing


@dataclass
class Frame:
    """A frame of a shot, and how it hangs together with the one before."""

    lightness: np.ndarray  # (h, w) float32, for the network
    grey: np.ndarray  # what flow is sought on
    small: np.ndarray  # (h', w') L* on the grid of a*b*
    back: np.ndarray | None = None  # map into the frame before
    back_match: np.ndarray | None = None  # (h', w'), how well that agrees
    ahead: np.ndarray | None = None  # map of the frame before into this one
    ahead_match: np.ndarray | None = None


@dataclass
class Key:
    """A predicted frame. `total` / `weight` is the average of it and the keys before it along motion."""

    ab: np.ndarray  # (h', w', 2)
    total: np.ndarray  # (h', w', 2)
    weight: np.ndarray  # (h', w')


@dataclass
class Span:
    """Frames between two keys, both included: how each is reached from either end.

    Each way is ``(h', w', 3)`` float32: x and y in the key, and trust 0..1.
    """

    from_first: list[np.ndarray]
    from_last: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.from_first) - 1

    def doubt(self) -> float:
        """The largest share of a frame that neither key knows."""
        ways = zip(self.from_first[1:-1], self.from_last[1:-1], strict=True)
        return max((float((np.maximum(a[..., 2], b[..., 2]) < KNOWN).mean()) for a, b in ways), default=0.0)


class LookaheadSmoother:
    """Bidirectional along motion, within a shot; holds back two spans of frames, and never lags in colour.

    Keys are the first and the last frame of a shot and every `every`-th between; where that is None, every LONGEST-th,
    and spans of which much is known from neither end are halved until all is. A key's colour is the average of all
    keys before it and the one behind, weighted by ``amount^frames`` and by how well the luma agreed on the way
    (exponential smoothing in both directions; the weights are carried along, so that the average is exact). Frames
    between two keys take the colour of both, by distance and trust.

    Averaging over keys takes out the network's indecision, and a colour that changes does so evenly over a span, so
    that fewer predictions flicker less.
    """

    def __init__(
        self, predict: Callable[[list[np.ndarray]], np.ndarray], amount: float, every: int | None = None
    ) -> None:
        self.predict, self.amount, self.every = predict, amount, every
        self.lag = 2 * (every or LONGEST)
        self.motion = Motion()
        self.reset()

    def reset(self) -> None:
        self.frames: list[Frame] = []  # the last key and what came since
        self.key: Key | None = None  # the last one
        self.shown: np.ndarray | None = None  # steadied a*b* of the key before
        self.span: Span | None = None  # from that to the last one, not given out yet

    def push(self, lightness: np.ndarray) -> list[np.ndarray]:
        if self.key is None:
            self.key = self.first_key(lightness)
            self.frames = [self.frame(lightness)]
            return []
        self.frames.append(self.frame(lightness))
        if len(self.frames) <= (self.every or LONGEST):
            return []
        return self.close()

    def finish(self) -> list[np.ndarray]:
        if self.key is None:
            return []
        done = self.close() if len(self.frames) > 1 else []
        done += self.give(self.key.total / self.key.weight[..., None])
        self.reset()
        return done

    def first_key(self, lightness: np.ndarray) -> Key:
        ab = self.predict([lightness])[0]
        return Key(ab, ab, np.ones(ab.shape[:2], np.float32))

    def frame(self, lightness: np.ndarray) -> Frame:
        assert self.key is not None
        height, width = self.key.ab.shape[:2]
        small = motion.to_grid(lightness, width, height)
        frame = Frame(lightness, self.motion.grey(small), small)
        if self.frames:
            past = self.frames[-1]
            frame.back = self.motion.between(frame.grey, past.grey, width, height)
            frame.ahead = self.motion.between(past.grey, frame.grey, width, height)
            frame.back_match = motion.match(move(past.small, frame.back), frame.small)
            frame.ahead_match = motion.match(move(frame.small, frame.ahead), past.small)
        return frame

    def close(self) -> list[np.ndarray]:
        """The newest frame becomes a key; gives the frames up to the key before it."""
        done = []
        for span, last in self.divide(0, len(self.frames) - 1):
            done += self.advance(span, self.frames[last])
        self.frames = self.frames[-1:]
        return done

    def divide(self, first: int, last: int) -> list[tuple[Span, int]]:
        """Spans without much doubt, from frame `first` to `last`, each with its last frame."""
        span = self.connect(first, last)
        if self.every or len(span) < 2 or span.doubt() <= DOUBT:
            return [(span, last)]
        middle = (first + last) // 2
        return self.divide(first, middle) + self.divide(middle, last)

    def connect(self, first: int, last: int) -> Span:
        height, width = self.frames[0].small.shape
        here = np.dstack((motion.grid(width, height), np.ones((height, width), np.float32)))
        forth, back = [here], [here]
        for i in range(first + 1, last + 1):
            forth.append(extend(forth[-1], self.frames[i].back, self.frames[i].back_match))
        for i in range(last, first, -1):
            back.append(extend(back[-1], self.frames[i].ahead, self.frames[i].ahead_match))
        return Span(forth, back[::-1])

    def advance(self, span: Span, frame: Frame) -> list[np.ndarray]:
        """A new key at the end of `span`: the key before it is now known from both sides."""
        assert self.key is not None
        ab, fade = self.predict([frame.lightness])[0], np.float32(self.amount ** len(span))
        trust = fade * span.from_last[0][..., 2]
        total = self.key.total + trust[..., None] * move(ab, span.from_last[0][..., :2])
        done = self.give(total / (self.key.weight + trust)[..., None])
        where, trust = span.from_first[-1][..., :2], fade * span.from_first[-1][..., 2]
        total = ab + trust[..., None] * move(self.key.total, where)
        self.key = Key(ab, total, 1.0 + trust * move(self.key.weight, where))
        self.span = span
        return done

    def give(self, shown: np.ndarray) -> list[np.ndarray]:
        """The frames from the key before up to the last one, whose steadied a*b* is now known to be `shown`."""
        done = []
        if self.span is not None:
            assert self.shown is not None
            n = len(self.span)
            first, last = pad(self.shown), pad(shown)
            for i in range(1, n):
                done.append(blend(self.span.from_first[i], first, self.span.from_last[i], last, i / n)[..., :2])
        self.shown = shown
        return [*done, shown]


def extend(way: np.ndarray, where: np.ndarray | None, agrees: np.ndarray | None) -> np.ndarray:
    """A way to a key, one frame longer."""
    assert where is not None
    assert agrees is not None
    longer = move(way, where)
    longer[..., 2] *= agrees
    return longer


def blend(forth: np.ndarray, first: np.ndarray, back: np.ndarray, last: np.ndarray, part: float) -> np.ndarray:
    """Planes of a frame at `part` 0..1 of the way from the `first` key to the `last`."""
    near = np.float32(SURE * (1.0 - part)) * (forth[..., 2] * np.float32(1.0 / LEAST) + np.float32(1.0))
    far = np.float32(SURE * part) * (back[..., 2] * np.float32(1.0 / LEAST) + np.float32(1.0))
    return cv2.blendLinear(move(first, forth[..., :2]), move(last, back[..., :2]), near, far)
