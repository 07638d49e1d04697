"""Finds the frame of a film that a reference shows, by thumbnails of all its frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vidcolor.color.resize import shrink
from vidcolor.conditions.luma import (
    COLUMNS,
    PLAIN,
    ROWS,
    WHOLE,
    box_of,
    correlations,
    laid,
    local_contrast,
    places,
    within,
)
from vidcolor.conditions.reference import Reference
from vidcolor.conditions.registration import AGREES, PART, SURE, TRIES, Look, Placed, from_window, in_pixels, refine

FOUND = 0.75  # agreement of thumbnails from which a frame is the one that a reference shows
NEARER = 0.6  # of what a named frame lacks in agreement, another may lack at most to be preferred
APART = 0.03  # by which it must agree more besides: a reference that lies between pixels lacks so much
ALIKE, MANY = (
    0.75,
    3,
)  # share of the references, and their count, whose numbers must be off by the same to be moved alike
AROUND = 2000  # frames before and behind a named one that fits, among which a better one is looked for
EVERY = 4  # of so many frames one is compared with every crop of a reference
BLOCK = 4096  # frames a block
SCALE = 32.0  # codes of a standard deviation
HALF = (COLUMNS // 2, ROWS // 2)


@dataclass(frozen=True)
class Outcome:
    """What has become of a reference; as text, a line for the user.

    Attributes:
        number: the frame that it is used at; None: it is not used.
        score: how far the lumas agree there, 0..1; for one that is not used, the most that any frame agrees.
        nearest: the frame that agrees most, by thumbnails.
        most: how far that one agrees.
        named: how far the frame agrees that the name gives, by thumbnails.
        frames: of the film.
    """

    reference: Reference
    number: int | None
    score: float
    nearest: int | None = None
    most: float = 0.0
    named: float = 0.0
    frames: int = 0

    @property
    def kind(self) -> str:
        """ "used" at the frame of its name, "found" where that gives none, "moved" to another frame, or "unused"."""
        if self.number is None:
            return "unused"
        if self.reference.number is None:
            return "found"
        return "used" if self.number == self.reference.number else "moved"

    @property
    def off(self) -> int | None:
        """By how much its name's number differs from the frame that agrees most, where both are known."""
        if self.nearest is None or self.reference.number is None:
            return None
        return self.nearest - self.reference.number

    def moved(self) -> Outcome:
        """Used at the frame that agrees most."""
        return replace(self, number=self.nearest, score=self.most)

    def __str__(self) -> str:
        name, number = self.reference.path, self.reference.number
        compared = f"agreement {self.score:.2f}" if self.score >= AGREES else "its luma cannot be compared"
        at = f"frame {self.number} ({compared})"
        if self.kind in ("used", "found"):
            return f"{name}: {self.kind} at {at}"
        if self.kind == "moved":
            own = f" ({self.named:.2f})" if self.named else ""
            return f"{name}: shows {at}, not {number}{own}, and is used there; rename it ref_{self.number:06d}"
        said = "matches no frame"
        if number is not None and number >= self.frames:
            said = f"is of frame {number}, but the film ends with {self.frames - 1}; it matches no other"
        most = f" (agreement {self.score:.2f} at most, at frame {self.nearest})" if self.nearest is not None else ""
        return f"{name}: {said}{most}, so it is not used; check that it shows a frame of this film"


class Index:
    """Thumbnails of a film's frames: 1 kB each, 200 MB for two hours."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []  # local contrast (BLOCK, ROWS * COLUMNS), int8
        self.numbers: list[int] = []
        self.brightest = np.zeros((2 * ROWS, 2 * COLUMNS), np.float32)  # L* of each place in any frame
        self.aspect = 1.0

    def push(self, number: int, lightness: np.ndarray) -> None:
        """Take the L* ``(h, w)`` float32 of a frame's proxy; the frames come in order, once each."""
        at = len(self.numbers) % BLOCK
        if not at:
            self.blocks.append(np.zeros((BLOCK, ROWS * COLUMNS), np.int8))
        self.numbers.append(number)
        self.aspect = lightness.shape[1] / lightness.shape[0]
        small = shrink(lightness, (2 * COLUMNS, 2 * ROWS))
        np.maximum(self.brightest, small, out=self.brightest)
        size, box = (COLUMNS, ROWS), box_of(small)
        shown = None if box == WHOLE else shrink(within(box, *small.shape), size)
        contrast = local_contrast(shrink(small, size), shown)
        self.blocks[-1][at] = np.rint(contrast * np.float32(SCALE)).clip(-127, 127).ravel()

    def outcomes(self, references: Sequence[Reference], placed: Mapping[str, Placed]) -> list[Outcome]:
        """What becomes of each reference, when all frames have come.

        `placed` holds, by name, what `place` made of those that were tried at the frames of their names. One stays
        there unless another frame agrees clearly better; one that was refused there, or has no number, goes to the
        frame that agrees best, if any does.
        """
        found = [self.outcome(reference, placed.get(reference.name)) for reference in references]
        used = [o for o in found if o.kind == "used" and o.off is not None]
        (off, count), *_ = Counter(o.off for o in used).most_common(1) or [(0, 0)]
        if off and count >= max(MANY, ALIKE * len(used)):  # numbers from 1, for one
            return [o.moved() if o.kind == "used" and o.off == off else o for o in found]
        return found

    def outcome(self, reference: Reference, placed: Placed | None) -> Outcome:
        named, count = reference.number, len(self.numbers)
        at = self.position(named)
        span = slice(max(0, at - AROUND), at + AROUND) if placed is not None and at is not None else slice(None)
        ranked = self.ranked(reference, span)
        if not len(ranked.scores):
            return Outcome(reference, None, 0.0)
        top, own = int(ranked.scores.argmax()), 0.0
        most, nearest = float(ranked.scores[top]), self.numbers[ranked.first + top]
        if at is not None:  # laid on it by itself: where the camera moves, it may lie elsewhere on each frame
            alone = self.ranked(reference, slice(at, at + 1)).scores
            own = max(float(ranked.scores[at - ranked.first]), float(alone[0]))
        found = Outcome(reference, None, most, nearest, most, own, count)
        if placed is not None and (ranked.part or not is_nearer(most, own)):
            return replace(found, number=placed.number, score=placed.score, nearest=None if ranked.part else nearest)
        return found.moved() if most >= FOUND and not reference.chroma else found

    def position(self, number: int | None) -> int | None:
        """Where a frame stands among those that have come."""
        if number is None or not self.numbers or not self.numbers[0] <= number <= self.numbers[-1]:
            return None
        at = int(np.searchsorted(self.numbers, number))
        return at if self.numbers[at] == number else None

    def best(self, reference: Reference, count: int = 5) -> list[tuple[int, float]]:
        """The frames that agree most with a reference, and how far, 0..1; the best first."""
        ranked = self.ranked(reference, slice(None))
        order = np.argsort(-ranked.scores, kind="stable")[:count]
        return [(self.numbers[ranked.first + i], max(0.0, float(ranked.scores[i]))) for i in order]

    def ranked(self, reference: Reference, span: slice) -> Ranked:
        """How far the frames of a span agree with a reference, laid on them as it fits best on the best one."""
        first = span.indices(len(self.numbers))[0]
        picture = reference.picture()
        look = Look.at(picture.lightness, picture.alpha)
        part = reference.chroma or look.share < PART
        if not self.numbers:
            return Ranked(first, np.zeros(0), part)
        warp, scores = self.roughly(look, span, part)
        for _ in range(2):
            top = int(scores.argmax())
            finer = refine(look, self.look(first + top), warp, 0)
            near = slice(max(0, top - AROUND), min(len(scores), top + AROUND))
            again = self.agreements(look, slice(first + near.start, first + near.stop), finer)
            if again.max() > scores.max():
                warp, scores[near] = finer, again
        return Ranked(first, scores, part)

    def roughly(self, look: Look, span: slice, part: bool) -> tuple[np.ndarray, np.ndarray]:
        """Where a reference lies, as far as a search of likely places tells, and its agreement with each frame."""
        spots = places(look.box, box_of(self.brightest), look.aspect / self.aspect)
        values, weights = (laid(x[0], spots[:PLAIN], (COLUMNS, ROWS)) for x in (look.contrasts, look.masks))
        plain = self.compared(span, values, weights)
        best = int(plain.max(0).argmax())
        found = [(from_window(spots[best]), plain[:, best])]
        if plain[:, best].max() < SURE and not part:
            for window, at in self.cropped(look, span, spots):
                warp = refine(look, self.look(at), from_window(spots[window]), 0)
                found.append((warp, self.agreements(look, span, warp)))
        return max(found, key=lambda pair: float(pair[1].max()))

    def cropped(self, look: Look, span: slice, spots: np.ndarray) -> list[tuple[int, int]]:
        """The windows in which any frame agrees most, and that frame's position; by coarser thumbnails."""
        values, weights = (laid(x[0], spots, HALF) for x in (look.contrasts, look.masks))
        score, where = np.full(len(spots), -1.0), np.zeros(len(spots), np.int64)
        for at, block in self.frames(span, EVERY):
            seen = correlations(halved(block), values, weights)
            better = seen.max(0) > score
            score[better], where[better] = seen.max(0)[better], at[seen.argmax(0)[better]]
        return [(int(i), int(where[i])) for i in np.argsort(-score, kind="stable")[:TRIES]]

    def agreements(self, look: Look, span: slice, warp: np.ndarray) -> np.ndarray:
        """How far each frame of a span agrees with a reference that lies so on it."""
        pixels, how = in_pixels(warp, (ROWS, COLUMNS), (ROWS, COLUMNS)), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        values, weights = (
            cv2.warpAffine(x[0], pixels, (COLUMNS, ROWS), flags=how).reshape(1, -1)
            for x in (look.contrasts, look.masks)
        )
        return self.compared(span, values, weights)[:, 0]

    def compared(self, span: slice, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Correlations ``(frames, templates)`` of a span."""
        return np.concatenate([correlations(block, values, weights) for _, block in self.frames(span)])

    def frames(self, span: slice, step: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every `step`-th frame of a span: positions ``(n,)`` and thumbnails ``(n, cells)`` float32, block by block."""
        chosen = np.arange(len(self.numbers))[span][::step]
        for number in np.unique(chosen // BLOCK):
            at = chosen[chosen // BLOCK == number]
            yield at, self.blocks[number][at % BLOCK] / np.float32(SCALE)

    def look(self, at: int) -> Look:
        """A frame's thumbnail, to register a reference with."""
        contrast = self.blocks[at // BLOCK][at % BLOCK].reshape(ROWS, COLUMNS) / np.float32(SCALE)
        box = box_of(self.brightest)
        return Look(self.aspect, box, 1.0, (contrast,), (within(box, ROWS, COLUMNS),))


def halved(thumbnails: np.ndarray) -> np.ndarray:
    """Thumbnails ``(n, cells)`` at half their size."""
    small: np.ndarray = thumbnails.reshape(-1, HALF[1], 2, HALF[0], 2).mean((2, 4)).reshape(len(thumbnails), -1)
    return small


def is_nearer(score: float, named: float) -> bool:
    """Whether a frame that agrees with `score` is clearly another than the named one, and better."""
    return score >= FOUND and score > named + APART and 1.0 - score < NEARER * (1.0 - named)


@dataclass(frozen=True)
class Ranked:
    """Agreement of a reference with the frames from the `first` on; `part`: it is a small part of a picture."""

    first: int
    scores: np.ndarray
    part: bool
