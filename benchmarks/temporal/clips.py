"""The clips: a window of each with its cuts, decoded once, and everything of the truth that all ways share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.temporal.bleeding import Edges, edges
from benchmarks.temporal.distribution import histogram
from benchmarks.temporal.motion import Pair, pairs

CUTS = {"film_faces_cuts": (62, 98), "street_cut": (61,)}  # first frames of shots, from the clips' README
LEAD = 12  # frames before the first cut, where a clip has one


@dataclass(frozen=True)
class Footage:
    """Frames at half the size of the film, where 4:2:0 has one sample of chroma for each pixel."""

    rgb: list[np.ndarray]  # float32 (h, w, 3) in 0..1
    lab: list[np.ndarray]  # float32 (h, w, 3)
    histograms: np.ndarray  # (n, 3, 256), of the frames at full size

    @property
    def ab(self) -> list[np.ndarray]:
        return [x[..., 1:] for x in self.lab]


@dataclass(frozen=True)
class Clip:
    """A window of a colour clip."""

    path: Path
    start: int  # number of the first frame
    rate: Fraction
    cuts: tuple[int, ...]  # counted from `start`
    truth: Footage
    pairs: list[Pair | None]
    edges: list[Edges]

    @property
    def span(self) -> tuple[float | None, float]:
        """Seconds from which to which a film must be coloured for these frames and no others."""
        start, end = ((n - 0.5) / float(self.rate) for n in (self.start, self.start + len(self.truth.rgb)))
        return (start if self.start else None), end


def open_clip(path: Path, *, frames: int) -> Clip:
    """At most `frames` frames of a clip, cuts in the middle where it has any."""
    known = CUTS.get(path.stem, ())
    start = max(0, known[0] - LEAD) if known else 0
    truth = read(path, start=start, frames=frames)
    cuts = tuple(c - start for c in known if c < start + len(truth.rgb))
    lightness = [x[..., 0] for x in truth.lab]
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
    assert rate is not None
    return Clip(path, start, rate, cuts, truth, pairs(lightness, cuts), [edges(x) for x in lightness])


def read(path: Path, *, start: int = 0, frames: int) -> Footage:
    """At most `frames` frames from number `start` on."""
    rgb, histograms = [], []
    for full in decode(path, start, start + frames):
        height, width = full.shape[:2]
        half = cv2.resize(full.astype(np.float32), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        rgb.append(half / np.float32(255.0))
        histograms.append(histogram(full))
    return Footage(rgb, [cv2.cvtColor(x, cv2.COLOR_RGB2LAB) for x in rgb], np.stack(histograms))


def decode(path: Path, start: int, end: int) -> Iterator[np.ndarray]:
    """Frames `start` to `end` (excluded) as uint8 RGB."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for i, frame in enumerate(container.decode(video=0)):
            if i >= end:
                break
            if i >= start:
                yield frame.to_ndarray(format="rgb24")
