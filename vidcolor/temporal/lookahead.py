"""The smoother for files: predict colour on anchor frames, average it over them, warp it in from both sides."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.temporal import motion
from vidcolor.temporal.causal import Predict, Smoothed
from vidcolor.temporal.motion import Motion, pad, warp_planes

MAX_SPAN = 11  # frames from one anchor to the next, where motion sets the pace
CONFIDENT = 0.5  # confidence from which a warped colour counts as known
MAX_OCCLUDED = 0.15  # share of a frame that both anchors may leave below CONFIDENT; more calls for an anchor between
MIN_WEIGHT = 0.02  # weight of an anchor without confidence; where both have none, distance alone decides
WEIGHT_SCALE = 1000.0  # makes OpenCV's 1e-5, which it adds to the sum of the weights, negligible


@dataclass
class Frame:
    """A frame of a shot, and its warps to and from the frame before."""

    number: int
    lightness: np.ndarray  # (h, w) float32, for the network
    grey: np.ndarray  # the picture that optical flow is computed on
    grid_lightness: np.ndarray  # (h', w') L* on the a*b* grid
    backward: np.ndarray | None = None  # warp: where each cell was in the frame before
    backward_match: np.ndarray | None = None  # (h', w') 0..1, how well its luma agrees
    forward: np.ndarray | None = None  # warp of the frame before into this one
    forward_match: np.ndarray | None = None


@dataclass
class AnchorFrame:
    """A predicted frame. `total` / `weight` is the average of it and the anchors before it along motion.

    Where its colour is `known` (0..1, see conditions), it takes no part of that average.
    """

    number: int
    ab: np.ndarray  # (h', w', 2)
    total: np.ndarray  # (h', w', 2)
    weight: np.ndarray  # (h', w')
    known: np.ndarray | None = None  # (h', w', 1)

    def settled(self, average: np.ndarray) -> np.ndarray:
        """The `average` along motion, and its own colour where that is known."""
        return average if self.known is None else average + self.known * (self.ab - average)


@dataclass
class Span:
    """The frames between two anchors, both included, with the warps to either anchor.

    Each warp is ``(h', w', 3)`` float32: x and y in the anchor, and the confidence 0..1.
    """

    numbers: list[int]
    to_first: list[np.ndarray]
    to_last: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.to_first) - 1

    def occluded(self) -> float:
        """The largest share of a frame that neither anchor shows."""
        warps = zip(self.to_first[1:-1], self.to_last[1:-1], strict=True)
        return max((float((np.maximum(a[..., 2], b[..., 2]) < CONFIDENT).mean()) for a, b in warps), default=0.0)


class LookaheadSmoother:
    """Bidirectional smoothing along motion within a shot. It holds back two spans of frames; colour never lags.

    The first and the last frame of a shot are anchors, those of the numbers `anchors`, and every `every`-th between.
    Where `every` is None, it is every MAX_SPAN-th, and a span of which both anchors leave much occluded is halved until
    they do not.

    An anchor's colour is the average of all anchors before it and of the next one, weighted by ``amount^frames`` and by
    how well the luma matched along the motion. That is exponential smoothing in both directions; the weights are warped
    along with the colour, so the average is exact. A frame between two anchors mixes the colour of both, by distance
    and confidence.

    Averaging over anchors removes what varies from one prediction to the next. A colour that changes does so evenly
    over a span, so fewer predictions flicker less.
    """

    def __init__(
        self, predict: Predict, amount: float, every: int | None = None, *, anchors: Container[int] = ()
    ) -> None:
        self.predict, self.amount, self.every, self.anchors = predict, amount, every, anchors
        self.motion = Motion()
        self.reset()

    def reset(self) -> None:
        self.frames: list[Frame] = []  # the newest anchor and the frames since
        self.anchor: AnchorFrame | None = None  # the newest
        self.smoothed: np.ndarray | None = None  # smoothed a*b* of the anchor before it
        self.span: Span | None = None  # from that anchor to the newest, not returned yet

    def push(self, number: int, lightness: np.ndarray) -> list[Smoothed]:
        if self.anchor is None:
            self.anchor = self.first_anchor(number, lightness)
            self.frames = [self.frame(number, lightness)]
            return []
        self.frames.append(self.frame(number, lightness))
        if len(self.frames) <= (self.every or MAX_SPAN) and number not in self.anchors:
            return []
        return self.close()

    def finish(self) -> list[Smoothed]:
        if self.anchor is None:
            return []
        done = self.close() if len(self.frames) > 1 else []
        done += self.emit(self.anchor.total / self.anchor.weight[..., None])
        self.reset()
        return done

    def first_anchor(self, number: int, lightness: np.ndarray) -> AnchorFrame:
        ab, known = self.seen(number, lightness)
        return AnchorFrame(number, ab, ab, np.ones(ab.shape[:2], np.float32), known)

    def seen(self, number: int, lightness: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """a*b* of a frame, and how far it is known ``(h', w', 1)``, where the predictions have such a plane."""
        planes = self.predict([number], [lightness])[0]
        return (planes, None) if planes.shape[2] == 2 else (np.ascontiguousarray(planes[..., :2]), planes[..., 2:])

    def frame(self, number: int, lightness: np.ndarray) -> Frame:
        assert self.anchor is not None
        height, width = self.anchor.ab.shape[:2]
        cells = motion.to_grid(lightness, width, height)
        frame = Frame(number, lightness, self.motion.grey(cells), cells)
        if self.frames:
            past = self.frames[-1]
            frame.backward = self.motion.find_warp(frame.grey, past.grey, width, height)
            frame.forward = self.motion.find_warp(past.grey, frame.grey, width, height)
            frame.backward_match = motion.match(warp_planes(past.grid_lightness, frame.backward), cells)
            frame.forward_match = motion.match(warp_planes(cells, frame.forward), past.grid_lightness)
        return frame

    def close(self) -> list[Smoothed]:
        """Make the newest frame an anchor; returns the frames up to the anchor before it."""
        done = []
        for span, last in self.divide(0, len(self.frames) - 1):
            done += self.advance(span, self.frames[last])
        self.frames = self.frames[-1:]
        return done

    def divide(self, first: int, last: int) -> list[tuple[Span, int]]:
        """Spans without much occlusion, from frame `first` to `last`, each with its last frame."""
        span = self.connect(first, last)
        if self.every or len(span) < 2 or span.occluded() <= MAX_OCCLUDED:
            return [(span, last)]
        middle = (first + last) // 2
        return self.divide(first, middle) + self.divide(middle, last)

    def connect(self, first: int, last: int) -> Span:
        """The span from frame `first` to `last`: chains the warps between neighbours."""
        height, width = self.frames[0].grid_lightness.shape
        identity = np.dstack((motion.grid(width, height), np.ones((height, width), np.float32)))
        to_first, to_last = [identity], [identity]
        for i in range(first + 1, last + 1):
            to_first.append(extend(to_first[-1], self.frames[i].backward, self.frames[i].backward_match))
        for i in range(last, first, -1):
            to_last.append(extend(to_last[-1], self.frames[i].forward, self.frames[i].forward_match))
        return Span([f.number for f in self.frames[first : last + 1]], to_first, to_last[::-1])

    def advance(self, span: Span, frame: Frame) -> list[Smoothed]:
        """Add an anchor at the end of `span`. The anchor before it now has neighbours on both sides."""
        assert self.anchor is not None
        (ab, known), fade = self.seen(frame.number, frame.lightness), np.float32(self.amount ** len(span))
        weight = fade * span.to_last[0][..., 2]
        total = self.anchor.total + weight[..., None] * warp_planes(ab, span.to_last[0][..., :2])
        done = self.emit(total / (self.anchor.weight + weight)[..., None])
        warp, weight = span.to_first[-1][..., :2], fade * span.to_first[-1][..., 2]
        total = ab + weight[..., None] * warp_planes(self.anchor.total, warp)
        passed = 1.0 + weight * warp_planes(self.anchor.weight, warp)
        self.anchor = AnchorFrame(frame.number, ab, total, passed, known)
        self.span = span
        return done

    def emit(self, smoothed: np.ndarray) -> list[Smoothed]:
        """Take the newest anchor's a*b*, now `smoothed`; returns the frames after the anchor before, up to it."""
        assert self.anchor is not None
        smoothed = self.anchor.settled(smoothed)
        done: list[Smoothed] = []
        if self.span is not None:
            assert self.smoothed is not None
            n = len(self.span)
            first, last = pad(self.smoothed), pad(smoothed)
            for i in range(1, n):
                ab = blend(self.span.to_first[i], first, self.span.to_last[i], last, i / n)[..., :2]
                done.append((self.span.numbers[i], ab))
        self.smoothed = smoothed
        return [*done, (self.anchor.number, smoothed)]


def extend(warp: np.ndarray, step: np.ndarray | None, matched: np.ndarray | None) -> np.ndarray:
    """A warp to an anchor, made one frame longer by `step`, of which `matched` says how well the luma agrees."""
    assert step is not None
    assert matched is not None
    longer = warp_planes(warp, step)
    longer[..., 2] *= matched
    return longer


def blend(to_first: np.ndarray, first: np.ndarray, to_last: np.ndarray, last: np.ndarray, part: float) -> np.ndarray:
    """Planes of the frame that lies at `part` (0..1) between the `first` anchor and the `last`."""
    near = np.float32(WEIGHT_SCALE * (1.0 - part)) * (to_first[..., 2] * np.float32(1.0 / MIN_WEIGHT) + np.float32(1.0))
    far = np.float32(WEIGHT_SCALE * part) * (to_last[..., 2] * np.float32(1.0 / MIN_WEIGHT) + np.float32(1.0))
    return cv2.blendLinear(warp_planes(first, to_first[..., :2]), warp_planes(last, to_last[..., :2]), near, far)
