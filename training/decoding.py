"""The choice of the decoding's few numbers: one set of logits, many ways to read colour out of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from training.data import to_lab
from training.evaluate import Scores, mean_scores, score
from vidcolor.model import BinsGenerator

TEMPERATURES = (0.4, 0.55, 0.7, 0.85, 1.0)
CORRECTIONS = (0.0, 0.1, 0.2)
SATURATIONS = (1.0, 1.1, 1.2)


@dataclass(frozen=True)
class Point:
    """One decoding and its scores: on all photos, and on each half of them."""

    temperature: float
    prior_correction: float
    saturation: float
    scores: Scores
    halves: tuple[Scores, Scores]

    def to_dict(self) -> dict:
        own = {k: v for k, v in asdict(self).items() if k not in ("scores", "halves")}
        return own | self.scores.to_dict() | {"halves": [h.to_dict() for h in self.halves]}


@torch.inference_mode()
def sweep(generator: BinsGenerator, photos: Sequence[np.ndarray], *, batch: int = 20) -> Iterator[Point]:
    """Score every combination of the three numbers on `photos`, all of one size."""
    generator.eval()
    logits = []
    for i in range(0, len(photos), batch):
        lightness = np.stack([to_lab(p)[..., 0] for p in photos[i : i + batch]])[:, None]
        with torch.autocast("cpu", torch.bfloat16):
            logits.append(generator.logits(torch.from_numpy(lightness)).float())
    original = generator.config
    for t, g in itertools.product(TEMPERATURES, CORRECTIONS):
        generator.config = dataclasses.replace(original, temperature=t, prior_correction=g, saturation=1.0)
        ab = torch.cat([generator.decode(z) for z in logits]).permute(0, 2, 3, 1).numpy()
        for s in SATURATIONS:
            found = [score(p, x * np.float32(s)) for p, x in zip(photos, ab, strict=True)]
            yield Point(t, g, s, mean_scores(found), (mean_scores(found[::2]), mean_scores(found[1::2])))
    generator.config = original


def choose(points: Sequence[Point], psnr_floor: float, *, half: int | None = None) -> Point:
    """The most colourful decoding whose PSNR is at least `psnr_floor`, judged on all photos or on one half.

    Raises:
        ValueError: none reaches the floor.
    """

    def judged(point: Point) -> Scores:
        return point.scores if half is None else point.halves[half]

    able = [p for p in points if judged(p).psnr >= psnr_floor]
    if not able:
        best = max(judged(p).psnr for p in points)
        raise ValueError(f"no decoding reaches {psnr_floor} dB; the best has {best:.2f}")
    return max(able, key=lambda p: judged(p).colourfulness_abs)
