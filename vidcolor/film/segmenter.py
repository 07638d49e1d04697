"""The colour stage of a film: shots found, segments closed by the rules, each coloured on its own."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVarTuple

import numpy as np

from vidcolor.color.proxy import LumaProxy
from vidcolor.film.plan import Mark, Segment, first_segment, following
from vidcolor.film.rules import Rules
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.item import Colored, Prepared
from vidcolor.shots.detector import Decided, GivenShots, ShotDetector, Shots

Given = TypeVarTuple("Given")


@dataclass(frozen=True)
class Closed:
    """All frames of `segment` have been given."""

    segment: Segment  # its `last` is known now
    following: Segment | None  # None at the film's end
    predicted: int = 0  # frames of it that the network saw


@dataclass(frozen=True)
class Past:
    """What a lead-in needs of a frame that has passed."""

    item: Prepared
    mark: Mark


def digest_of(proxy: np.ndarray) -> str:
    """A checksum of a luma proxy: frames that differ have different ones, for all that a seek can get wrong."""
    return f"{zlib.crc32(np.ascontiguousarray(proxy).data):08x}"


def mark_of(item: Prepared) -> Mark:
    """The place of a frame in its film."""
    return Mark(item.number, item.frame.pts if item.frame.pts is not None else -1, digest_of(item.proxy.luma))


class Segmenter:
    """Takes the frames of a film in order, from the lead-in of `segment` on, and gives coloured frames and `Closed`.

    Every segment begins with a shot detector and a smoother of its own, which have seen nothing before its lead-in: so
    it comes out the same whether the film before it has been coloured in this process, in another, or elsewhere.

    `segment` is the one to begin with; None: the film's first. `make` gives the shots from a frame on, `predicted` the
    number of frames that the network has seen.

    Attributes:
        segment: the present one, from the first frame on.
    """

    def __init__(
        self, colorizer: FrameColorizer, segment: Segment | None, rules: Rules, *,
        make: Callable[[int], Shots] | None = None, predicted: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self.colorizer, self.rules, self.make = colorizer, rules, make or (lambda first: ShotDetector())
        self.newest: Prepared | None = None
        self.count, self.before = predicted, 0  # frames that the network has seen; those of the segments before
        self.opening = segment

    @classmethod
    def given(cls, kinds: dict[int, str]) -> Callable[[int], Shots]:
        """How `Segmenter` gets its shots where a cut list says them: a maker for the frames from some number on."""
        return lambda first: GivenShots({n - first: kind for n, kind in kinds.items() if n >= first})

    def begin(self, segment: Segment) -> None:
        self.segment = segment
        self.shots = self.make(segment.start.frame)
        self.undecided: deque[Prepared] = deque()
        self.past: deque[Past] = deque(maxlen=self.rules.lead_in)
        self.began: Fraction | None = None  # time of the segment's first frame

    def push(self, item: Prepared) -> list[Colored | Closed]:
        """Take the next frame of the film."""
        if self.newest is None:
            self.begin(self.opening or first_segment(mark_of(item)))
        self.newest = item
        self.undecided.append(item)
        done: list[Colored | Closed] = []
        for decided in self.timed(self.shots.push, item.proxy.lightness):
            done += self.decide(decided.kind)
        return done

    def finish(self) -> list[Colored | Closed]:
        """The film is over."""
        if self.newest is None:
            return []
        done: list[Colored | Closed] = []
        while self.undecided:
            before = self.segment
            for decided in self.timed(self.shots.finish):
                done += self.decide(decided.kind)
                if self.segment is not before:  # closed on the way: what waits was pushed to a new detector
                    break
            else:
                break
        return [*done, *self.colored(self.colorizer.finish()), self.closed(self.newest.number)]

    def timed(self, work: Callable[[*Given], list[Decided]], *args: *Given) -> list[Decided]:
        return self.colorizer.clocks[1].time("smoothing", work, *args)

    def decide(self, kind: str) -> Sequence[Colored | Closed]:
        """It is known of the frame that waits first whether a shot begins with it."""
        item = self.undecided.popleft()
        if self.ends(item, kind):
            return self.close(item, kind)
        if item.number == self.segment.start.frame:
            kind = self.segment.kind or "first"
        if item.number >= self.segment.first and self.began is None:
            self.began = item.time
        self.remember(item)
        return self.colored(self.colorizer.color(item, kind))

    def ends(self, item: Prepared, kind: str) -> bool:
        """Whether the present segment ends before `item`."""
        if item.number <= self.segment.first:
            return False
        if self.segment.last is not None:
            return item.number > self.segment.last
        if item.time is None or self.began is None:
            return False
        passed = item.time - self.began
        return passed >= (self.rules.shortest if kind else self.rules.longest)

    def close(self, item: Prepared, kind: str) -> list[Colored | Closed]:
        """End the segment before `item`, and give what waits to the one that follows."""
        done: list[Colored | Closed] = [*self.colored(self.colorizer.finish())]
        lead = [] if kind else list(self.past)
        start = lead[0].mark if lead else mark_of(item)
        ended = self.closed(item.number - 1)
        after = following(ended.segment, kind, start, len(lead))
        done.append(replace(ended, following=after))
        waiting = [*(p.item for p in lead), item, *self.undecided]
        self.begin(after)
        for held in waiting:
            self.undecided.append(held)
            for decided in self.timed(self.shots.push, held.proxy.lightness):
                done += self.decide(decided.kind)
        return done

    def closed(self, last: int) -> Closed:
        """The present segment with its last frame; what follows is not known yet."""
        seen, self.before = self.count() - self.before, self.count()
        return Closed(replace(self.segment, last=last), None, seen)

    def remember(self, item: Prepared) -> None:
        """Keep what a lead-in may need, where a cut within the shot is near."""
        if self.began is None or item.time is None:
            return
        if item.time - self.began >= self.rules.longest - self.rules.shortest:
            proxy = LumaProxy(item.proxy.luma, item.proxy.lightness)
            bare = Prepared(item.number, Stamp(item.frame.pts, item.frame.time_base), proxy)
            self.past.append(Past(bare, mark_of(item)))

    def colored(self, items: list[Colored]) -> list[Colored]:
        """`items` without the lead-in; the first frame of a segment keeps nothing of the one before."""
        first = self.segment.first
        kept = []
        for item in items:
            if item.number == first:
                kind = self.segment.kind
                item = Colored(item.number, item.frame, item.proxy, item.ab, kind, True)
            if item.number >= first:
                kept.append(item)
        return kept


@dataclass(frozen=True)
class Stamp:
    """The time of a frame whose samples are no longer needed."""

    pts: int | None
    time_base: Fraction | None
