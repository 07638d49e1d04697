"""Which frames are worth colouring: as few as motion needs to carry their colour to the rest of each shot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from vidcolor.conditions.carry import grey_of, inside, match
from vidcolor.conditions.track import CELL, PICTURE, REACH, Tracker, joined
from vidcolor.shots.dissolves import SPANS
from vidcolor.temporal.motion import grid, warp_planes

A_SECOND = 4  # frames that are looked at
HELD = 128  # of them in one shot; a longer shot is looked at more coarsely
CANDIDATES = 32  # frames of one shot that are tried
AGREES = 0.5  # confidence from which a cell counts as covered
LOST = 0.05  # share of a frame that must be covered for a chain to go on
WORTH = 0.01  # share of a shot that one more still must add
MIXED = max(SPANS) // 2  # frames on either side of a dissolve's middle that may be mixed
FLAT = 6.0  # code values of standard deviation up to which a frame is blank
CONTRAST, SHARP = 0.7, 0.6  # of a still, in those of the shot's best frames


@dataclass(frozen=True)
class Still:
    """A frame that is worth colouring.

    Attributes:
        gain: share 0..1 of the shot's pixels that it covers beyond the stills chosen before it.
    """

    number: int
    gain: float


@dataclass(frozen=True)
class ShotStills:
    """The stills of the shot from frame `first` to frame `last`, most useful first."""

    first: int
    last: int
    stills: tuple[Still, ...]

    @property
    def covered(self) -> float:
        """Share 0..1 of the shot's pixels that the stills cover by motion."""
        return sum(still.gain for still in self.stills)


@dataclass(frozen=True)
class Sample:
    """A frame that is looked at, and the motion between it and the sample before."""

    number: int
    grey: np.ndarray  # (h, w) uint8
    back: np.ndarray  # (h, w, 2) float16, how far each pixel lies off in the sample before
    ahead: np.ndarray  # the same of the sample before in this one
    contrast: float  # standard deviation, in code values
    sharpness: float  # of edges, in contrasts


class Suggester:
    """Takes the frames of a film in order, and gives the stills of each shot.

    `rate` is in frames a second, None where it is not known; `cover` is the share 0..1 of each shot's pixels that is to
    be covered. Memory holds one shot, at `HELD` small pictures.
    """

    def __init__(self, rate: float | None, cover: float) -> None:
        self.spacing, self.cover = max(1, round((rate or 24.0) / A_SECOND)), cover
        self.tracker = Tracker()
        self.samples: list[Sample] = []
        self.picture: np.ndarray = np.empty((0, 0), np.uint8)  # of the newest frame

    def push(self, number: int, lightness: np.ndarray, kind: str) -> list[ShotStills]:
        """Take a frame's L* ``(h, w)``; `kind` says how a shot begins with it. Gives the shot that is over."""
        done = self.finish(dissolves=kind == "dissolve") if kind and self.samples else []
        height, width = lightness.shape
        grey = cv2.resize(grey_of(lightness), (width // PICTURE, height // PICTURE), interpolation=cv2.INTER_AREA)
        if kind or not self.samples:
            self.first, self.mixed, self.step = number, kind == "dissolve", self.spacing
            self.samples = [sample(number, grey, grid(*grey.shape[::-1]), grid(*grey.shape[::-1]))]
            self.back = self.ahead = grid(*grey.shape[::-1])
        else:
            self.back = joined(self.tracker.step(grey, self.picture), self.back)
            self.ahead = joined(self.ahead, self.tracker.step(self.picture, grey))
            if (number - self.first) % self.step == 0:
                self.samples.append(sample(number, grey, self.back, self.ahead))
                self.back = self.ahead = grid(*grey.shape[::-1])
        self.picture, self.last = grey, number
        if len(self.samples) > HELD:
            self.thin()
        return done

    def thin(self) -> None:
        """Forget every second sample."""
        kept = self.samples[:1]
        for skipped, one in zip(self.samples[1::2], self.samples[2::2], strict=True):
            back, ahead = joined(warp(one.back), warp(skipped.back)), joined(warp(skipped.ahead), warp(one.ahead))
            kept.append(replace(one, back=moves(back), ahead=moves(ahead)))
        self.samples, self.step = kept, 2 * self.step

    def finish(self, *, dissolves: bool = False) -> list[ShotStills]:
        """The shot is over, and goes over into the next one if it `dissolves`."""
        if not self.samples:
            return []
        first = self.first + MIXED if self.mixed else self.first
        last = self.last - MIXED if dissolves else self.last
        stills = chosen(self.samples, usable(self.samples, first, last), self.cover)
        self.samples = []
        return [ShotStills(self.first, self.last, tuple(stills))]


def sample(number: int, grey: np.ndarray, back: np.ndarray, ahead: np.ndarray) -> Sample:
    contrast = float(grey.std())
    edges = float(np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.CV_32F)).mean())
    return Sample(number, grey, moves(back), moves(ahead), contrast, edges / max(contrast, 1.0))


def moves(warp: np.ndarray) -> np.ndarray:
    """A warp as it is kept."""
    found: np.ndarray = (warp - grid(warp.shape[1], warp.shape[0])).astype(np.float16)
    return found


def warp(moves: np.ndarray) -> np.ndarray:
    """The reverse."""
    found: np.ndarray = moves.astype(np.float32) + grid(moves.shape[1], moves.shape[0])
    return found


def usable(samples: Sequence[Sample], first: int, last: int) -> list[int]:
    """Which samples can be coloured: within these frames, neither faded nor blurred; by their places, evenly spread."""
    clean = [i for i, s in enumerate(samples) if first <= s.number <= last and s.contrast > FLAT]
    if not clean:
        return []
    contrast = max(samples[i].contrast for i in clean)
    clean = [i for i in clean if samples[i].contrast >= CONTRAST * contrast]
    sharpness = max(samples[i].sharpness for i in clean)
    clean = [i for i in clean if samples[i].sharpness >= SHARP * sharpness]
    places = np.linspace(0, len(clean) - 1, min(len(clean), CANDIDATES))
    return [clean[round(float(place))] for place in places]


def chosen(samples: Sequence[Sample], candidates: Sequence[int], cover: float) -> list[Still]:
    """Stills among `candidates`, each the one that adds most, until `cover` is reached or none adds enough."""
    if not candidates:
        return []
    shown = sum(s.contrast > FLAT for s in samples) / len(samples)
    middle = candidates[len(candidates) // 2]
    covers = {middle: covered(samples, middle)}
    if covers[middle].mean() < cover * shown:
        covers.update((c, covered(samples, c)) for c in candidates if c != middle)
    stills: list[Still] = []
    picked: list[int] = []
    share = 0.0
    while len(picked) < len(covers) and share < cover:
        shares = {c: together(covers, [*picked, c]) / shown for c in covers if c not in picked}
        best = max(shares, key=lambda c: shares[c])
        if stills and shares[best] - share < WORTH:
            break
        stills.append(Still(samples[best].number, shares[best] - share))
        picked.append(best)
        share = shares[best]
    return stills


def together(covers: dict[int, np.ndarray], picked: Iterable[int]) -> float:
    """Share that stills cover, where a frame takes colour from the one before and the one after it."""
    order = sorted(picked)
    total = covers[order[0]][: order[0]].sum() + covers[order[-1]][order[-1] :].sum()
    for before, after in pairwise(order):
        total += (covers[before][before:after] | covers[after][before:after]).sum()
    return float(total) / covers[order[0]].size


def covered(samples: Sequence[Sample], place: int) -> np.ndarray:
    """Which cells of every sample take colour from the one at `place`, ``(samples, cells)``; none of a blank one."""
    cells = [-(-side // CELL) for side in samples[place].grey.shape]
    found = np.zeros((len(samples), cells[0] * cells[1]), bool)
    found[place] = True
    for direction in (1, -1):
        path = grid(*samples[place].grey.shape[::-1])
        at = place + direction
        while 0 <= at < len(samples) and samples[place].number - samples[at].number <= REACH:
            path = joined(warp(samples[at].back if direction > 0 else samples[at + 1].ahead), path)
            agreement = match(warp_planes(samples[place].grey, path), samples[at].grey)
            agreement = agreement * inside(path, *samples[at].grey.shape[::-1])
            found[at] = cv2.resize(agreement, (cells[1], cells[0]), interpolation=cv2.INTER_AREA).ravel() > AGREES
            if samples[at].contrast > FLAT and found[at].mean() < LOST:
                break
            at += direction
    found[[s.contrast <= FLAT for s in samples]] = False
    return found


def most(shots: Sequence[ShotStills], count: int) -> list[ShotStills]:
    """The shots with `count` stills in all: those that cover most pixels of the film."""
    ranked: list[tuple[float, int, int]] = []
    for at, shot in enumerate(shots):
        worth = float("inf")
        for place, still in enumerate(shot.stills):  # none before those that it was chosen after
            worth = min(worth, still.gain * (shot.last - shot.first + 1))
            ranked.append((-worth, at, place))
    kept = [0] * len(shots)
    for _, at, _ in sorted(ranked)[:count]:
        kept[at] += 1
    return [replace(shot, stills=shot.stills[:number]) for shot, number in zip(shots, kept, strict=True)]
