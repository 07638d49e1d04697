"""Where the cells of a shot's frames lie in its reference frames: motion, chained both ways."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.temporal.motion import grid, warp_planes

STEP = 4  # frames from one kept field to the next
REACH = 1500  # frames that a reference is carried back at most: a minute
CELL = 4  # pixels of the luma proxy to a cell of what is kept, along each axis
PICTURE = 2  # pixels of the luma proxy to one of the picture that flow is computed on


@dataclass(frozen=True)
class Track:
    """The motion from some frames of a shot to one reference frame.

    Attributes:
        reference: number of the reference frame.
        numbers: ``(k,)`` rising numbers of the frames.
        moves: ``(k, h, w, 2)`` float16: how far, in pixels of the luma proxy, x and y in the reference frame lie from
            those of the cell's middle.
    """

    reference: int
    numbers: np.ndarray
    moves: np.ndarray

    def move(self, number: int) -> np.ndarray:
        """``(h, w, 2)`` float32 of frame `number`, which lies between the first and the last; linear between two."""
        after = int(np.searchsorted(self.numbers, number))
        last: np.ndarray = self.moves[after].astype(np.float32)
        if self.numbers[after] == number:
            return last
        first, begin = self.moves[after - 1].astype(np.float32), int(self.numbers[after - 1])
        part = np.float32((number - begin) / (int(self.numbers[after]) - begin))
        move: np.ndarray = first + part * (last - first)
        return move


class Tracker:
    """Takes the frames of a film in order, and gives the tracks of each shot's reference frames.

    A reference holds from the reference before it, or the shot's start, to the one after it, or the shot's end. The
    flow is Dense Inverse Search (Kroeger et al. 2016, arXiv 1603.03590).
    """

    def __init__(self) -> None:
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.flow.setFinestScale(0)
        self.begin()

    def begin(self) -> None:
        """A shot begins."""
        self.pictures: list[np.ndarray] = []  # of the frames since the newest reference, or since the shot began
        self.reference: int | None = None
        self.warp = np.empty(0, np.float32)  # of the newest frame into the reference frame
        self.kept: dict[int, np.ndarray] = {}

    def push(self, number: int, lightness: np.ndarray, *, begins: bool, reference: bool) -> list[Track]:
        """Take a frame's L* ``(h, w)``; returns the tracks that are complete.

        `begins` says whether a shot begins with it, `reference` whether it is a reference frame.
        """
        done = self.finish() if begins else []
        self.size = lightness.shape[::-1]
        picture = cv2.resize(
            cv2.convertScaleAbs(lightness, alpha=2.55), (self.size[0] // PICTURE, self.size[1] // PICTURE),
            interpolation=cv2.INTER_AREA,
        )  # fmt: skip
        if self.reference is not None:
            self.warp = self.chain(self.warp, picture, self.pictures[-1])
            if reference or (number - self.reference) % STEP == 0:
                self.keep(number, self.warp)
        self.pictures.append(picture)
        if reference:
            done += self.ended() + self.back(number)
            self.pictures, self.reference = [picture], number
            self.warp = grid(*picture.shape[::-1])
            self.keep(number, self.warp)
        elif len(self.pictures) > REACH:
            del self.pictures[0]
        self.number = number
        return done

    def finish(self) -> list[Track]:
        """The shot is over."""
        if self.reference is not None and self.number not in self.kept:
            self.keep(self.number, self.warp)
        done = self.ended()
        self.begin()
        return done

    def ended(self) -> list[Track]:
        """What has been kept of the newest reference."""
        kept, self.kept = self.kept, {}
        return [track(self.reference, kept)] if self.reference is not None and len(kept) > 1 else []

    def back(self, number: int) -> list[Track]:
        """From reference frame `number`, the newest, back to the first picture held."""
        if len(self.pictures) < 2:
            return []
        warp = grid(*self.pictures[-1].shape[::-1])
        self.keep(number, warp)
        first = number - len(self.pictures) + 1
        for i in range(len(self.pictures) - 2, -1, -1):
            warp = self.chain(warp, self.pictures[i], self.pictures[i + 1])
            if i == 0 or (number - first - i) % STEP == 0:
                self.keep(first + i, warp)
        kept, self.kept = self.kept, {}
        return [track(number, kept)]

    def chain(self, warp: np.ndarray, picture: np.ndarray, towards: np.ndarray) -> np.ndarray:
        """`warp`, of the neighbour `towards`, made one frame longer: that of `picture`.

        What the neighbour does not show lies as far outside the reference frame as outside the neighbour.
        """
        return joined(self.step(picture, towards), warp)

    def step(self, picture: np.ndarray, towards: np.ndarray) -> np.ndarray:
        """The warp ``(h, w, 2)`` of one picture into another of its size."""
        flow: np.ndarray = self.flow.calc(picture, towards, None)  # type: ignore[call-overload]
        cv2.patchNaNs(flow, 0.0)
        warp: np.ndarray = grid(*picture.shape[::-1]) + flow
        return warp

    def keep(self, number: int, warp: np.ndarray) -> None:
        height, width = warp.shape[:2]
        cells = -(-self.size[0] // CELL), -(-self.size[1] // CELL)
        move = cv2.resize(warp - grid(width, height), cells, interpolation=cv2.INTER_AREA)
        move *= np.array((self.size[0] / width, self.size[1] / height), np.float32)
        self.kept[number] = move.astype(np.float16)


def joined(step: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """A warp into a neighbour and the warp of that neighbour, as one; what lies outside the neighbour stays outside."""
    height, width = step.shape[:2]
    beyond = step - np.clip(step, 0.0, np.array((width - 1, height - 1), np.float32))
    longer: np.ndarray = warp_planes(warp, step) + beyond
    return longer


def track(reference: int, kept: dict[int, np.ndarray]) -> Track:
    numbers = sorted(kept)
    return Track(reference, np.array(numbers, np.int64), np.stack([kept[n] for n in numbers]))
