"""Dissolves: frames that are a mixture of the picture before and the picture after, in shifting shares."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import cv2
import numpy as np

from vidcolor.likeness import COLUMNS, ROWS, unlike

SPANS = (10, 14, 20, 28)  # frames from the one before the dissolve to the one after it, at which it is looked for
APART = 0.45  # how unlike the two ends must be
STRANGE = 0.26  # share of the difference of the ends that the frames between may have of their own
SUNK = 0.78  # contrast in the middle beside the ends' mean: a mixture of two pictures is the paler one
JUMP = 0.25  # share that may change from one frame to the next; a cut is 1
BACK = 0.15  # share by which it may go back, in flicker
SETTLED = 0.1  # share of the old picture that may be left an eighth of the span before the end


class DissolveFinder:
    """Looks back from the newest frame for a dissolve that has just ended.

    On a line from the frame before to the frame after, in the space of pictures, a mixed frame lies close to the line
    and a frame of a moving camera does not; and the contrast (variance) sinks in the middle, the sign of a dissolve
    since Alattar, "Detecting and compressing dissolve regions in video sequences with a DVI multimedia image
    compression algorithm", ISCAS 1993.
    """

    def __init__(self) -> None:
        self.frames: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=max(SPANS) + 1)

    def forget(self, keep: int) -> None:
        """Forget all frames but the newest `keep`: no dissolve reaches back further."""
        while len(self.frames) > keep:
            self.frames.popleft()

    def push(self, thumbnail: np.ndarray) -> int | None:
        """How many frames before this one the middle of a dissolve lies, where one is seen to have ended here."""
        coarse = cv2.resize(thumbnail, (COLUMNS // 2, ROWS // 2), interpolation=cv2.INTER_AREA)
        self.frames.append((thumbnail, (coarse - coarse.mean()).ravel()))
        for span in SPANS:
            if len(self.frames) > span and (back := self._look(span)) is not None:
                self.forget(keep=span // 8 + 1)
                return back
        return None

    def _look(self, span: int) -> int | None:
        seen = [self.frames[i] for i in range(len(self.frames) - span - 1, len(self.frames))]
        first, last = seen[0][1], seen[-1][1]
        line = first - last
        length = float(line @ line)
        # Cosine of the ends: most pairs of one shot are let go here.
        if float(first @ last) > (1.0 - APART) * float(np.linalg.norm(first) * np.linalg.norm(last)) or length < 1e-3:
            return None
        path = np.stack([coarse for _, coarse in seen])
        if not self._is_mixed(path, line, length) or unlike(seen[0][0], seen[-1][0]) < APART:
            return None
        if any(unlike(a[0], b[0]) > APART for a, b in pairwise(seen)):  # a cut, in a run that looks like mixing
            return None
        shares = (path - last) @ line / length
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
