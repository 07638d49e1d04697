"""Dissolves: frames that are a mixture of the picture before and the picture after, in shifting shares."""

from __future__ import annotations

import math
from collections import deque
from itertools import islice, pairwise
from typing import NamedTuple

import cv2
import numpy as np

from vidcolor.shots.similarity import COLUMNS, ROWS, unlike

SPANS = (10, 14, 20, 28)  # frames from the one before the dissolve to the one after it, at which it is looked for
APART = 0.45  # how unlike the two ends must be
STRANGE = 0.26  # share of the difference of the ends that the frames between may have of their own
SUNK = 0.78  # contrast in the middle beside the ends' mean: a mixture of two pictures is the paler one
JUMP = 0.25  # share that may change from one frame to the next; a cut is 1
BACK = 0.15  # share by which it may go back, in flicker
SETTLED = 0.1  # share of the old picture that may be left an eighth of the span before the end


class Seen(NamedTuple):
    """A frame that was given."""

    thumbnail: np.ndarray  # (ROWS, COLUMNS)
    coarse: np.ndarray  # (pixels,), half as wide and high, less its mean
    contrast: float  # the length of that


class DissolveFinder:
    """Looks back from the newest frame for a dissolve that has just ended.

    On a line from the frame before to the frame after, in the space of pictures, a mixed frame lies close to the line
    and a frame of a moving camera does not; and the contrast (variance) sinks in the middle, the sign of a dissolve
    since Alattar, "Detecting and compressing dissolve regions in video sequences with a DVI multimedia image
    compression algorithm", ISCAS 1993.
    """

    def __init__(self) -> None:
        self.frames: deque[Seen] = deque(maxlen=max(SPANS) + 1)

    def forget(self, keep: int) -> None:
        """Forget all frames but the newest `keep`: no dissolve reaches back further."""
        while len(self.frames) > keep:
            self.frames.popleft()

    def push(self, thumbnail: np.ndarray) -> int | None:
        """How many frames before this one the middle of a dissolve lies, where one is seen to have ended here."""
        coarse = cv2.resize(thumbnail, (COLUMNS // 2, ROWS // 2), interpolation=cv2.INTER_AREA)
        coarse = (coarse - coarse.mean()).ravel()
        self.frames.append(Seen(thumbnail, coarse, math.sqrt(coarse @ coarse)))
        for span in SPANS:
            if len(self.frames) > span and (back := self._look(span)) is not None:
                self.forget(keep=span // 8 + 1)
                return back
        return None

    def _look(self, span: int) -> int | None:
        first, last = self.frames[-span - 1], self.frames[-1]
        # Cosine of the ends: most pairs of one shot are let go here.
        if float(first.coarse @ last.coarse) > (1.0 - APART) * first.contrast * last.contrast:
            return None
        line = first.coarse - last.coarse
        length = float(line @ line)
        if length < 1e-3:
            return None
        seen = list(islice(self.frames, len(self.frames) - span - 1, None))
        path = np.stack([x.coarse for x in seen])
        if not self._is_mixed(path, line, length) or unlike(first.thumbnail, last.thumbnail) < APART:
            return None
        if any(unlike(a.thumbnail, b.thumbnail) > APART for a, b in pairwise(seen)):  # a cut, that looks like mixing
            return None
        shares = (path - last.coarse) @ line / length
        return span - int(np.argmin(np.abs(shares - 0.5)))

    def _is_mixed(self, path: np.ndarray, line: np.ndarray, length: float) -> bool:
        """Whether the frames ``(N, pixels)`` go from the first to the last by mixing, along `line`."""
        away = path - path[-1]
        shares = away @ line / length
        between = (shares > 0.2) & (shares < 0.8)
        steps = np.diff(shares)
        if between.sum() < 3 or steps.min() < -JUMP or steps.max() > BACK or shares[-1 - len(path) // 8] > SETTLED:
            return False
        strange = ((away - shares[:, None] * line) ** 2).sum(1)[between].mean() / length
        contrast = (path**2).sum(1)
        few = 1 + len(path) // 8  # an end may lie in a flash, whose contrast is no measure
        sunk = np.median(contrast[between]) / (0.5 * (contrast[:few].min() + contrast[-few:].min()))
        return bool(strange < STRANGE and sunk < SUNK)
