"""Colour quality on photographs: chroma judged under the true L*, beside grey and the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from training.data import to_lab
from training.metrics import colourfulness, psnr


@dataclass(frozen=True)
class Scores:
    psnr: float  # dB, mean over the pictures
    delta_ab: float  # mean |dAB|: absolute difference over both channels
    colourfulness: float  # signed
    colourfulness_abs: float

    def to_dict(self) -> dict[str, float]:
        return {k: round(v, 3) for k, v in asdict(self).items()}


def score(photo: np.ndarray, ab: np.ndarray) -> Scores:
    """Score a*b* ``(h', w', 2)`` of any grid for `photo` (uint8 RGB), merged under the photo's own L*."""
    truth = to_lab(photo)
    if ab.shape[:2] != photo.shape[:2]:
        ab = cv2.resize(ab, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    rgb = merge(truth[..., 0], ab)
    distance = float(np.abs(truth[..., 1:] - ab).mean())
    return Scores(psnr(rgb, photo.astype(np.float32) / 255.0), distance, *colourfulness(rgb))


def merge(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """L* and a*b* to RGB in 0..1, clipped to the gamut."""
    lab = np.concatenate((lightness[..., None], ab), -1).astype(np.float32)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0.0, 1.0)


def mean_scores(scores: Iterable[Scores]) -> Scores:
    return Scores(*np.mean([tuple(asdict(s).values()) for s in scores], 0).tolist())


def evaluate(photos: Sequence[np.ndarray], predict: Callable[[np.ndarray], np.ndarray], batch: int = 20) -> Scores:
    """Mean scores of `predict`, a function from L* ``(N, 1, h, w)`` to a*b* ``(N, 2, h', w')``; photos of one size."""
    found = []
    for i in range(0, len(photos), batch):
        part = photos[i : i + batch]
        lightness = np.stack([to_lab(p)[..., 0] for p in part])[:, None]
        found += [score(p, ab) for p, ab in zip(part, predict(lightness).transpose(0, 2, 3, 1), strict=True)]
    return mean_scores(found)


def baselines(photos: Sequence[np.ndarray]) -> dict[str, Scores]:
    """Scores of no colour at all and of the true colours."""
    return {
        "grey": mean_scores(score(p, np.zeros((*p.shape[:2], 2), np.float32)) for p in photos),
        "truth": mean_scores(score(p, to_lab(p)[..., 1:]) for p in photos),
    }
