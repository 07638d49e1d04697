"""How far a little knowledge goes: colours told at some points, the whole truth, and one wrong colour.

The field's protocol (Zhang et al. 2017, "Real-time user-guided image colorization"; Yun et al. 2023, iColoriT):
pictures of 256 x 256, points drawn evenly at random, at each the mean a*b* of the 7 x 7 pixels around it; PSNR of the
RGB picture, here under the true L* as everywhere. A cell of the grid is 4 pixels: a point tells 2 x 2 cells.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data import to_lab
from training.evaluate import score
from training.trainer import wants_bf16
from vidcolor.models.generators import BinsGenerator, Generator

SIDE, PATCH, CELLS = 256, 7, 2
POINTS = (0, 1, 5, 10, 30, 100)
TRUSTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHIFT = 60.0  # a*b* units that the wrong colour is off
RADII = (16, 32, 64, 96)  # pixels around the wrong point
BATCH = 20
SLACK = 0.02  # dB by which more knowledge may be worse than less: bf16, and pictures that end up as they were


@dataclass(frozen=True)
class Encoded:
    """Some pictures as the decoder sees them: conditions change what comes after this only."""

    photos: Sequence[np.ndarray]
    lab: Tensor  # (N, 3, 256, 256)
    features: list[Tensor]
    pooled: Tensor
    generator: BinsGenerator
    bf16: bool

    @classmethod
    def of(cls, generator: BinsGenerator, photos: Sequence[np.ndarray], bf16: bool) -> Encoded:
        lab = torch.from_numpy(np.stack([to_lab(p) for p in photos])).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            features, pooled = generator.encoder(lab[:, :1].contiguous(memory_format=torch.channels_last))
        return cls(photos, lab, features, pooled, generator, bf16)

    def color(self, conditions: Tensor) -> Tensor:
        """a*b* ``(N, 2, 64, 64)`` from what is known ``(N, 3, 64, 64)``."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.generator.logits_from(self.features, self.pooled, conditions)
        return self.generator.color(logits.float(), self.lab[:, :1], conditions)

    def psnr(self, ab: Tensor) -> list[float]:
        planes = ab.permute(0, 2, 3, 1).numpy()
        return [score(photo, plane).psnr for photo, plane in zip(self.photos, planes, strict=True)]


@dataclass(frozen=True)
class Points:
    """Random points of some pictures, the first so many of which are told."""

    at: Tensor  # (N, count, 2) row and column, pixels
    colours: Tensor  # (N, count, 2)

    @classmethod
    def draw(cls, lab: Tensor, count: int, source: torch.Generator) -> Points:
        at = (torch.rand(len(lab), count, 2, generator=source) * SIDE).long()
        means = F.avg_pool2d(lab[:, 1:], PATCH, 1, PATCH // 2, count_include_pad=False)
        each = torch.arange(len(lab))[:, None]
        return cls(at, means[each, :, at[..., 0], at[..., 1]])

    def conditions(self, count: int) -> Tensor:
        """What the first `count` tell with full confidence ``(N, 3, 64, 64)``: the 2 x 2 cells around each."""
        grid = SIDE // 4
        made = torch.zeros(len(self.at), 3, grid, grid)
        corner = ((self.at - PATCH // 2 - 0.5) / 4).round().long().clamp(0, grid - CELLS)
        each = torch.arange(len(made))
        for i in reversed(range(count)):  # the first told stays on top
            for down in range(CELLS):
                for across in range(CELLS):
                    rows, columns = corner[:, i, 0] + down, corner[:, i, 1] + across
                    made[each, :2, rows, columns] = self.colours[:, i]
                    made[each, 2, rows, columns] = 1.0
        return made


@torch.inference_mode()
def hints(generator: Generator, photos: Sequence[np.ndarray], *, seed: int = 1, bf16: bool | None = None) -> dict:
    """Figures of `generator` on `photos` (uint8 RGB, 256 x 256) for every amount of knowledge.

    Raises:
        ValueError: the generator takes no conditions.
    """
    if not isinstance(generator, BinsGenerator) or not generator.takes_conditions:
        raise ValueError("the generator takes no conditions, so there is nothing to tell it")
    began, source = time.perf_counter(), torch.Generator().manual_seed(seed)
    by_points: dict[int, list[float]] = {n: [] for n in POINTS}
    by_trust: dict[float, list[float]] = {t: [] for t in TRUSTS}
    moved: list[Tensor] = []
    use_bf16 = wants_bf16("cpu") if bf16 is None else bf16
    for i in range(0, len(photos), BATCH):
        encoded = Encoded.of(generator.eval(), photos[i : i + BATCH], use_bf16)
        points = Points.draw(encoded.lab, max(POINTS), source)
        for n in POINTS:
            by_points[n] += encoded.psnr(encoded.color(points.conditions(n)))
        truth = F.avg_pool2d(encoded.lab[:, 1:], 4)
        for trust in TRUSTS:
            known = torch.cat((truth, torch.full_like(truth[:, :1], trust)), 1)
            by_trust[trust] += encoded.psnr(encoded.color(known))
        moved.append(wrong_colour(encoded, points, source))
    points_told = {str(n): mean(found) for n, found in by_points.items()}
    whole = {str(t): mean(found) for t, found in by_trust.items()}
    return {
        "pictures": len(photos),
        "points": points_told,
        "whole": whole,
        "wrong": dict(zip(("near", *map(str, RADII)), mean_of(moved), strict=True)),
        "never_worse": never_worse(list(points_told.values()), list(whole.values())),
        "seconds": round(time.perf_counter() - began, 1),
    }


def wrong_colour(encoded: Encoded, points: Points, source: torch.Generator) -> Tensor:
    """Mean |dAB| from the automatic picture after one point is told a colour that is `SHIFT` off: within 8 pixels, and
    beyond each of `RADII`; ``(N, 1 + len(RADII))``."""
    angle = torch.rand(len(points.at), 1, generator=source) * 2 * math.pi
    off = points.colours[:, :1] + SHIFT * torch.stack((angle.cos(), angle.sin()), -1)
    told = Points(points.at[:, :1], off.clamp(-100, 100)).conditions(1)
    change = (encoded.color(told) - encoded.color(torch.zeros_like(told))).abs().mean(1)
    middle = (torch.arange(SIDE // 4) + 0.5) * 4
    far = torch.hypot(middle[None, :, None] - points.at[:, :1, :1], middle[None, None] - points.at[:, :1, 1:])
    areas = [far < 8, *(far > radius for radius in RADII)]
    return torch.stack([(change * a).sum((1, 2)) / a.sum((1, 2)).clamp_min(1) for a in areas], 1)


def never_worse(by_points: list[float], by_trust: list[float]) -> bool:
    """Whether more points are never worse than fewer, and more trust in the truth than less; the first is nothing."""
    trusted = [by_points[0], *by_trust]
    return all(b > a - SLACK for found in (by_points, trusted) for a, b in itertools.pairwise(found))


def mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 3)


def mean_of(parts: list[Tensor]) -> list[float]:
    return [round(x, 3) for x in torch.cat(parts).mean(0).tolist()]


def table(found: dict) -> str:
    """The figures as tables for people."""
    told = "  ".join(f"{n}: {v:.2f}" for n, v in found["points"].items())
    whole = "  ".join(f"{t}: {v:.2f}" for t, v in found["whole"].items())
    wrong = "  ".join(f"{'within 8' if k == 'near' else f'beyond {k}'}: {v:.2f}" for k, v in found["wrong"].items())
    verdict = "is never" if found["never_worse"] else "IS SOMETIMES"
    return (
        f"PSNR dB of {found['pictures']} pictures, truth told at so many points:  {told}\n"
        f"the whole truth told with confidence:  {whole}\n"
        f"mean |dAB| after one wrong colour, {SHIFT:g} off, by distance in pixels:  {wrong}\n"
        f"more knowledge {verdict} worse than less; {found['seconds']} s"
    )
