"""The clips: a window of each with its cuts, decoded once, and everything of the truth that all ways share."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.temporal.bleeding import Edges, edges
from benchmarks.temporal.distribution import histogram
from benchmarks.temporal.motion import Pair, pairs
from vidcolor.color.encoding import Encoding, chroma_to_rgb
from vidcolor.video.formats import plane
from vidcolor.video.probe import read_encoding

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


def open_clip(path: Path, *, frames: int, whole: bool = False) -> Clip:
    """At most `frames` frames of a clip, with cuts in the middle where it has any, or with `whole` from its first."""
    known = CUTS.get(path.stem, ())
    start = max(0, known[0] - LEAD) if known and not whole else 0
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
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in itertools.islice(container.decode(stream), start, start + frames):
            rgb.append(half_size(frame, read_encoding(stream.codec_context, frame.format.name)))
            histograms.append(histogram(frame.to_ndarray(format="rgb24")))
    return Footage(rgb, [cv2.cvtColor(x, cv2.COLOR_RGB2LAB) for x in rgb], np.stack(histograms))


def half_size(frame: av.VideoFrame, encoding: Encoding) -> np.ndarray:
    """RGB ``(h // 2, w // 2, 3)`` in 0..1 of a 4:2:0 frame, in floats from its own samples.

    Through 8-bit RGB, whose rounding is a flicker of its own, steady colour and grain could not be told apart.
    """
    codes, *chroma = (plane(frame, i).astype(np.float32) for i in range(3))
    small = cv2.resize(codes, chroma[0].shape[::-1], interpolation=cv2.INTER_AREA)
    luma = (small - np.float32(encoding.luma_offset)) / np.float32(encoding.luma_scale)
    cb, cr = ((x - np.float32(encoding.chroma_centre)) / np.float32(encoding.chroma_scale) for x in chroma)
    return chroma_to_rgb(luma, cb, cr, encoding.matrix).clip(0.0, 1.0).astype(np.float32)
