"""Dissolves: frames that mix the picture before and the picture after, more and more of the latter."""

from __future__ import annotations

import math
from collections import deque
from itertools import islice, pairwise
from typing import NamedTuple

import cv2
import numpy as np

from vidcolor.shots.similarity import COLUMNS, ROWS, dissimilarity

SPANS = (10, 14, 20, 28)  # distances tried, in frames, from the last before a dissolve to the first after
MIN_DISSIMILARITY = 0.45  # of the two ends
MAX_OFF_LINE = 0.26  # distance of the frames between from the line of mixtures, in lengths of it (squared)
MAX_CONTRAST = 0.78  # contrast in the middle, in mean contrasts of the ends: a mixture is paler than its parts
MAX_STEP = 0.25  # change of the share from one frame to the next; at a cut it is 1
MAX_BACK = 0.15  # the same in the wrong direction, which flicker causes
MAX_LEFT = 0.1  # share of the old picture that may be left an eighth of the span before the end


class Seen(NamedTuple):
    """A frame, prepared for comparison."""

    thumbnail: np.ndarray  # (ROWS, COLUMNS)
    coarse: np.ndarray  # (pixels,), the thumbnail at half its size, minus its mean
    contrast: float  # the norm of that


class DissolveFinder:
    """Looks back from the newest frame for a dissolve that has just ended.

    Take pictures as points in space, and draw the line from the frame before to the frame after: a mixed frame lies
    close to it, a frame of a moving camera does not. In the middle of a dissolve the contrast (variance) also drops:
    Alattar, "Detecting and compressing dissolve regions in video sequences with a DVI multimedia image
    compression algorithm", ISCAS 1993.
    """

    def __init__(self) -> None:
        self.frames: deque[Seen] = deque(maxlen=max(SPANS) + 1)

    def forget(self, keep: int) -> None:
        """Forget all frames but the newest `keep`, so that no dissolve is found further back."""
        while len(self.frames) > keep:
            self.frames.popleft()

    def push(self, thumbnail: np.ndarray) -> int | None:
        """If a dissolve has just ended: how many frames before this one its middle lies. Otherwise None."""
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
        # Cosine of the ends: most pairs within one shot fail here, at little cost.
        if float(first.coarse @ last.coarse) > (1.0 - MIN_DISSIMILARITY) * first.contrast * last.contrast:
            return None
        line = first.coarse - last.coarse
        length = float(line @ line)
        if length < 1e-3:
            return None
        seen = list(islice(self.frames, len(self.frames) - span - 1, None))
        path = np.stack([x.coarse for x in seen])
        if not self._is_mixed(path, line, length) or dissimilarity(first.thumbnail, last.thumbnail) < MIN_DISSIMILARITY:
            return None
        if any(dissimilarity(a.thumbnail, b.thumbnail) > MIN_DISSIMILARITY for a, b in pairwise(seen)):
            return None  # it is a cut that looks like mixing
        shares = (path - last.coarse) @ line / length
        return span - int(np.argmin(np.abs(shares - 0.5)))

    def _is_mixed(self, path: np.ndarray, line: np.ndarray, length: float) -> bool:
        """Whether the frames ``(N, pixels)`` go from the first to the last by mixing, along `line`."""
        away = path - path[-1]
        shares = away @ line / length
        between = (shares > 0.2) & (shares < 0.8)
        steps = np.diff(shares)
        if between.sum() < 3 or steps.min() < -MAX_STEP or steps.max() > MAX_BACK:
            return False
        if shares[-1 - len(path) // 8] > MAX_LEFT:
            return False
        off_line = ((away - shares[:, None] * line) ** 2).sum(1)[between].mean() / length
        contrast = (path**2).sum(1)
        few = 1 + len(path) // 8  # the very end may be a flash, which says nothing about contrast
        contrast_left = np.median(contrast[between]) / (0.5 * (contrast[:few].min() + contrast[-few:].min()))
        return bool(off_line < MAX_OFF_LINE and contrast_left < MAX_CONTRAST)
