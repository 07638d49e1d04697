"""Colour quality on photographs: chroma judged under the true L*, beside grey and the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import torch

from training.data import to_lab
from training.metrics import colourfulness, fine_energy, frechet_distance, psnr
from training.perceptual import SqueezeNet, distance, pooled

Predict = Callable[[np.ndarray], np.ndarray]  # L* (N, 1, h, w) to a*b* (N, 2, h', w')


@dataclass(frozen=True)
class Scores:
    psnr: float  # dB, mean over the pictures
    delta_ab: float  # mean |dAB|: absolute difference over both channels
    colourfulness: float  # signed
    colourfulness_abs: float

    def to_dict(self) -> dict[str, float]:
        return {k: round(v, 3) for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Figures(Scores):
    """Scores of a set of pictures, with what only a set has."""

    fine: float  # energy of fine a*b* detail over the truth's: above 1 it is noise
    perceptual: float | None = None  # mean distance of SqueezeNet features
    frechet: float | None = None  # distance of the sets of SqueezeNet features

    def to_dict(self) -> dict[str, float]:
        return {k: round(v, 3) for k, v in asdict(self).items() if v is not None}


def score(photo: np.ndarray, ab: np.ndarray) -> Scores:
    """Score a*b* ``(h', w', 2)`` of any grid for `photo` (uint8 RGB), merged under the photo's own L*."""
    truth = to_lab(photo)
    return _score(truth, photo, fit(ab, photo))


def _score(truth: np.ndarray, photo: np.ndarray, ab: np.ndarray) -> Scores:
    rgb = merge(truth[..., 0], ab)
    off = float(np.abs(truth[..., 1:] - ab).mean())
    return Scores(psnr(rgb, photo.astype(np.float32) / 255.0), off, *colourfulness(rgb))


def fit(ab: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """a*b* at the size of `photo`, bilinear."""
    if ab.shape[:2] == photo.shape[:2]:
        return ab
    return cv2.resize(ab, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def merge(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """L* and a*b* to RGB in 0..1, clipped to the gamut."""
    lab = np.concatenate((lightness[..., None], ab), -1).astype(np.float32)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0.0, 1.0)


def mean_scores(scores: Iterable[Scores]) -> Scores:
    return Scores(*np.mean([[s.psnr, s.delta_ab, s.colourfulness, s.colourfulness_abs] for s in scores], 0).tolist())


def evaluate(
    photos: Sequence[np.ndarray], predict: Predict, *, features: SqueezeNet | None = None, batch: int = 20
) -> Figures:
    """Figures of `predict` on `photos` of one size; perceptual and Frechet distances only with `features`."""
    found: list[Scores] = []
    energy = np.zeros(2)
    distances: list[torch.Tensor] = []
    pools: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for i in range(0, len(photos), batch):
        part = photos[i : i + batch]
        labs = [to_lab(p) for p in part]
        predicted = predict(np.stack([x[..., 0] for x in labs])[:, None]).transpose(0, 2, 3, 1)
        planes = [fit(ab, p) for p, ab in zip(part, predicted, strict=True)]
        for photo, truth, ab in zip(part, labs, planes, strict=True):
            found.append(_score(truth, photo, ab))
            energy += fine_energy(ab), fine_energy(truth[..., 1:])
        if features is not None:
            ours = [merge(truth[..., 0], ab) for truth, ab in zip(labs, planes, strict=True)]
            with torch.inference_mode():
                a, b = (features(_tensor(x)) for x in (ours, [p.astype(np.float32) / 255.0 for p in part]))
                distances.append(distance(a, b))
            pools[0].append(pooled(a))
            pools[1].append(pooled(b))
    mean = mean_scores(found)
    fine = float(energy[0] / max(energy[1], 1e-9))
    if features is None:
        return Figures(**asdict(mean), fine=fine)
    frechet = frechet_distance(*(np.concatenate(p) for p in pools))
    return Figures(**asdict(mean), fine=fine, perceptual=float(torch.cat(distances).mean()), frechet=frechet)


def _tensor(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def baselines(photos: Sequence[np.ndarray], features: SqueezeNet | None = None) -> dict[str, Figures]:
    """Figures of no colour at all and of the true colours."""
    truths = iter([to_lab(p)[..., 1:].transpose(2, 0, 1) for p in photos])

    def grey(lightness: np.ndarray) -> np.ndarray:
        return np.zeros((len(lightness), 2, *lightness.shape[2:]), np.float32)

    def truth(lightness: np.ndarray) -> np.ndarray:
        return np.stack([next(truths) for _ in lightness])

    return {"grey": evaluate(photos, grey, features=features), "truth": evaluate(photos, truth, features=features)}
