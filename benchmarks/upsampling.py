"""Ways to enlarge a small a*b* under a full luma: `python -m benchmarks upsampling`.

The truth's own a*b*, averaged down to the grid that the network answers on, is enlarged again; what is lost is the
enlargement's fault alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from benchmarks.temporal.bleeding import near_and_away
from benchmarks.temporal.clips import open_clip
from vidcolor.color.encoding import BT709, Encoding, chroma_to_rgb, lab_to_chroma, lightness_table
from vidcolor.color.proxy import ProxySize
from vidcolor.merge import chroma
from vidcolor.merge.chroma import chroma_coefficients, chroma_planes
from vidcolor.options import ColorizeOptions

FRAMES = 16  # of each clip
TIMED = (960, 540)  # chroma of 1080p
DEEP = Encoding(full_range=True, depth=16)  # so that rounding plays no part
BINS, SOFT = 12, 1.5  # of luma in the bilateral grid; sigma of its blur, in cells
REACH, SIGMA = 2, 10.0  # of joint bilateral upsampling: cells on each side, and sigma in L*

Enlarge = Callable[[np.ndarray, np.ndarray], np.ndarray]  # a*b* (h', w', 2) and L* (h, w) to a*b* (h, w, 2)


def bilinear(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    return cv2.resize(ab, lightness.shape[::-1], interpolation=cv2.INTER_LINEAR)


def bicubic(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    return cv2.resize(ab, lightness.shape[::-1], interpolation=cv2.INTER_CUBIC)


def joint_bilateral(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Kopf et al. 2007 (Joint Bilateral Upsampling): cells around a pixel, by distance and by similarity of L*."""
    height, width = lightness.shape
    small = cv2.resize(lightness, ab.shape[1::-1], interpolation=cv2.INTER_AREA)
    y, x = (np.arange(n) for n in lightness.shape)
    row, column = (y + 0.5) * ab.shape[0] / height - 0.5, (x + 0.5) * ab.shape[1] / width - 0.5
    total, weights = np.zeros((height, width, 2), np.float32), np.full((height, width), 1e-6, np.float32)
    for down in range(-REACH, REACH + 1):
        for across in range(-REACH, REACH + 1):
            i = np.clip(np.rint(row).astype(int) + down, 0, ab.shape[0] - 1)
            j = np.clip(np.rint(column).astype(int) + across, 0, ab.shape[1] - 1)
            near = np.exp(-0.5 * ((i - row)[:, None] ** 2 + (j - column)[None] ** 2)).astype(np.float32)
            alike = np.exp(-0.5 * ((small[np.ix_(i, j)] - lightness) / SIGMA) ** 2)
            weight = near * alike
            total += weight[..., None] * ab[np.ix_(i, j)]
            weights += weight
    return total / weights[..., None]


def bilateral_grid(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Chen, Paris and Durand 2007: splat by place and luma, blur, slice where the full luma is."""
    small = cv2.resize(lightness, ab.shape[1::-1], interpolation=cv2.INTER_AREA)
    level, wanted = (x * ((BINS - 1) / 100.0) for x in (small, lightness))
    total = np.zeros((*lightness.shape, 2), np.float32)
    weights = np.full(lightness.shape, 1e-6, np.float32)
    layers = []
    for k in range(BINS):
        share = np.maximum(0.0, 1.0 - np.abs(level - k)).astype(np.float32)
        layers.append(cv2.GaussianBlur(np.dstack((share[..., None] * ab, share)), (0, 0), SOFT))
    for k in range(BINS):
        around = 0.5 * layers[k] + 0.25 * (layers[max(0, k - 1)] + layers[min(BINS - 1, k + 1)])
        share = np.maximum(0.0, 1.0 - np.abs(wanted - k)).astype(np.float32)
        layer = cv2.resize(around, lightness.shape[::-1], interpolation=cv2.INTER_LINEAR)
        total += share[..., None] * layer[..., :2]
        weights += share * layer[..., 2]
    return total / weights[..., None]


@dataclass(frozen=True)
class Guided:
    """Ours, the fast guided filter on (Cb, Cr), with this grid (cells along one of a*b*) and half this window."""

    finer: float
    radius: int

    def __call__(self, ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
        signal = np.interp(lightness, lightness_table(DEEP), np.linspace(0.0, 1.0, 2**16)).astype(np.float32)
        size = ab.shape[1] * 4, ab.shape[0] * 4
        codes = np.rint(signal * 65535).astype(np.uint16)
        small, grey = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (codes, lightness))
        cb, cr = self.planes(small, grey, ab, codes, DEEP)
        cb, cr = ((p.astype(np.float32) - np.float32(32768)) / np.float32(DEEP.chroma_scale) for p in (cb, cr))
        rgb = chroma_to_rgb(signal, cb, cr, BT709).clip(0.0, 1.0).astype(np.float32)
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[..., 1:]

    def planes(self, small, lightness, ab, codes, encoding) -> tuple[np.ndarray, np.ndarray]:
        with mock.patch.multiple(chroma, FINER=self.finer, RADIUS=self.radius):
            return chroma_planes(
                chroma_coefficients(small, lightness, ab, encoding, encoding, len(codes)), codes, encoding
            )

    def in_a_film(self, ab: np.ndarray, lightness: np.ndarray) -> None:
        small = cv2.resize(lightness, (384, 216), interpolation=cv2.INTER_AREA)
        self.planes(small.astype(np.uint8), small, ab, lightness.astype(np.uint8), Encoding())


WAYS: dict[str, Enlarge] = {
    "bilinear": bilinear,
    "bicubic": bicubic,
    "joint bilateral": joint_bilateral,
    "bilateral grid": bilateral_grid,
    "guided filter on the grid of a*b*": Guided(1, 1),
    "guided filter, half as fine again (ours)": Guided(chroma.FINER, chroma.RADIUS),
    "guided filter, twice as fine, window of 5 cells": Guided(2, 2),
    "the same, window of 9 cells": Guided(2, 4),
}


def upsampling(clips: list[Path]) -> dict:
    """Mean |dAB| to the truth near edges of the luma and away from them, over clips; milliseconds for 1080p."""
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for path in clips:
        clip = open_clip(path, frames=FRAMES)
        for name, enlarge in WAYS.items():
            distances = []
            for lab in clip.truth.lab[::4]:
                height, width = lab.shape[:2]
                down, across = ProxySize.fit(width, height, ColorizeOptions().size).grid(4)
                grid = cv2.resize(lab[..., 1:], (across, down), interpolation=cv2.INTER_AREA)
                found = enlarge(grid, np.ascontiguousarray(lab[..., 0]))
                distances.append(np.sqrt(((found - lab[..., 1:]) ** 2).sum(-1)))
            if parts := near_and_away(distances, clip.edges[::4]):
                errors[name].append(parts)
        print(path.stem, {k: [round(x, 2) for x in v[-1]] for k, v in errors.items()}, file=sys.stderr)
    rows = []
    for name in WAYS:
        near, away = np.mean(errors[name], 0)
        rows.append({"way": name, "near": round(float(near), 3), "away": round(float(away), 3), "ms": timed(name)})
    return {"clips": [c.stem for c in clips], "frames": FRAMES // 4, "rows": rows}


def timed(name: str, rounds: int = 10) -> float:
    """Milliseconds for the chroma of a 1080p frame, median on one thread; ours as it runs in a film, on (Cb, Cr)."""
    rng = np.random.default_rng(0)
    ab = rng.normal(0, 20, (54, 96, 2)).astype(np.float32)
    lightness = cv2.resize(rng.uniform(5, 95, (54, 96)).astype(np.float32), TIMED, interpolation=cv2.INTER_CUBIC)
    way = WAYS[name]
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        if isinstance(way, Guided):
            way.in_a_film(ab, lightness)
        else:
            to_planes(way(ab, lightness), lightness)
        took.append(1000.0 * (time.perf_counter() - began))
    cv2.setNumThreads(threads)
    return round(float(np.median(took)), 2)


def to_planes(ab: np.ndarray, lightness: np.ndarray) -> list[np.ndarray]:
    """What a way on a*b* has to do besides: colour codes of every pixel."""
    return [cv2.convertScaleAbs(x, alpha=224, beta=128) for x in lab_to_chroma(lightness, ab, BT709)]
