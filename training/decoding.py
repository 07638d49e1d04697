"""How colour is read out of the predicted distribution: learnt on photographs set aside, or by three plain numbers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training import lab
from training.data import to_lab
from training.evaluate import Scores, mean_scores, score
from vidcolor.models.generators import BinsGenerator

TEMPERATURES = (0.4, 0.55, 0.7, 0.85, 1.0)
CORRECTIONS = (0.0, 0.1, 0.2)
STEPS, BATCH = 200, 40
SPARSE = 2  # every so many cells of the grid, each way, are looked at: the statistics are the same
HOLD = 0.3  # how strongly offsets and colours are held to where they began
PULL = 0.1  # dB of PSNR that a unit of missing colourfulness is worth


@dataclass(frozen=True)
class Point:
    """A plain decoding and its scores."""

    temperature: float
    prior_correction: float
    scores: Scores

    def to_dict(self) -> dict:
        own = {k: v for k, v in asdict(self).items() if k != "scores"}
        return own | self.scores.to_dict()


@torch.inference_mode()
def logits_of(generator: BinsGenerator, photos: Sequence[np.ndarray], *, batch: int = 20) -> Tensor:
    """Logits of `photos`, all of one size, in fp16 on the CPU."""
    generator.eval()
    found = []
    for i in range(0, len(photos), batch):
        lightness = np.stack([to_lab(p)[..., 0] for p in photos[i : i + batch]])[:, None]
        x = torch.from_numpy(lightness).to(memory_format=torch.channels_last)
        found.append(generator.logits(x).half())
    return torch.cat(found)


@torch.inference_mode()
def sweep(generator: BinsGenerator, photos: Sequence[np.ndarray]) -> Iterator[Point]:
    """Score the plain decodings on `photos`: the curve of PSNR over colourfulness that one model spans."""
    logits = logits_of(generator, photos)
    plain = dataclasses.replace(generator.config, saturation=1.0)
    original, kept = generator.config, (generator.colours.clone(), generator.offset.clone())
    generator.set_bins(generator.centres, generator.log_prior)
    for t, g in itertools.product(TEMPERATURES, CORRECTIONS):
        generator.config = dataclasses.replace(plain, temperature=t, prior_correction=g)
        ab = torch.cat([generator.decode(z.float()) for z in logits.split(20)]).permute(0, 2, 3, 1).numpy()
        yield Point(t, g, mean_scores(score(p, x) for p, x in zip(photos, ab, strict=True)))
    generator.config = original
    generator.colours.copy_(kept[0])
    generator.offset.copy_(kept[1])


def learn(
    generator: BinsGenerator, photos: Sequence[np.ndarray], colour: float, *, steps: int = STEPS, seed: int = 1
) -> dict[str, float]:
    """Fit temperature, an offset and a colour for each bin on `photos` that neither trained nor score the generator.

    Maximises the mean PSNR of pictures on the quarter grid, under a pull towards `colour` times the colourfulness
    (abs) of the truth. Sets the generator's `offset`, `colours` and temperature.

    Returns:
        What it came to on the last steps: PSNR and share of the truth's colourfulness.
    """
    torch.manual_seed(seed)
    logits = logits_of(generator, photos)[..., ::SPARSE, ::SPARSE].contiguous()
    small = np.stack([_shrink(to_lab(p), generator.stride)[::SPARSE, ::SPARSE] for p in photos])
    truth_lab = torch.from_numpy(small).permute(0, 3, 1, 2)
    truth = lab.lab_to_rgb(truth_lab)
    target = colour * colourfulness(truth).mean()
    # Nought and one are where the plain annealed mean with a mild correction stands.
    log_temperature = torch.tensor(np.log(0.6), dtype=torch.float32, requires_grad=True)
    correction = torch.tensor(0.1, requires_grad=True)
    offset = torch.zeros_like(generator.offset, requires_grad=True)
    shift = torch.zeros_like(generator.colours, requires_grad=True)
    optimiser = torch.optim.Adam([{"params": [log_temperature, correction], "lr": 0.01},
                                  {"params": [offset, shift], "lr": 0.05}])  # fmt: skip
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    told: list[tuple[float, float]] = []
    for _ in range(steps):
        chosen = torch.randperm(len(photos))[:BATCH]
        z = logits[chosen].float() + (offset - correction * generator.log_prior).view(1, -1, 1, 1)
        p = (z / log_temperature.exp()).softmax(1)
        ab = torch.einsum("nkhw,kc->nchw", p, generator.centres + shift)
        rgb = lab.lab_to_rgb(torch.cat((truth_lab[chosen, :1], ab), 1))
        psnr = -10.0 * torch.log10(((rgb - truth[chosen]) ** 2).mean((1, 2, 3)) + 1e-5).mean()
        # Pictures differ: what is missing is judged beside the truth of the same ones.
        own = colourfulness(rgb).mean()
        wanted = target * colourfulness(truth[chosen]).mean() / colourfulness(truth).mean()
        loss = PULL * F.relu(wanted - own) - psnr + HOLD * ((shift / 10.0).square().mean() + offset.square().mean())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        told.append((psnr.item(), own.item() / colourfulness(truth[chosen]).mean().item()))
    with torch.no_grad():
        generator.offset.copy_(offset - correction * generator.log_prior)
        generator.colours.copy_(generator.centres + shift)
    temperature = log_temperature.exp().item()
    generator.config = dataclasses.replace(
        generator.config, temperature=temperature, prior_correction=0.0, saturation=1.0
    )
    psnr, share = np.mean(told[-20:], 0)
    return {
        "photographs": len(photos),
        "colour": colour,
        "temperature": round(temperature, 4),
        "correction": round(correction.item(), 4),
        "psnr": round(float(psnr), 3),
        "share": round(float(share), 3),
    }


def _shrink(picture: np.ndarray, by: int) -> np.ndarray:
    height, width = picture.shape[:2]
    return cv2.resize(picture, (width // by, height // by), interpolation=cv2.INTER_AREA)


def colourfulness(rgb: Tensor) -> Tensor:
    """`training.metrics.colourfulness` (abs) of ``(N, 3, h, w)`` in 0..1, with a gradient everywhere."""
    r, g, b = (rgb * 255.0).flatten(2).unbind(1)
    parts = ((r - g).abs(), ((r + g) / 2 - b).abs())
    spread, mean = (sum(f(p) ** 2 for p in parts) for f in (lambda x: x.std(1), lambda x: x.mean(1)))
    return (spread + 1e-3).sqrt() + 0.3 * (mean + 1e-3).sqrt()
