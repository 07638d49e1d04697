"""How colour is read out of the predicted distribution: learnt on photographs set aside, or by three plain numbers."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training import lab
from training.data import to_lab
from training.evaluate import Scores, mean_scores, score
from vidcolor.models.bins import by_sureness
from vidcolor.models.generators import BinsGenerator

PLAIN = tuple(itertools.product((0.4, 0.55, 0.7, 0.85, 1.0), (0.0, 0.1, 0.2)))  # temperature, prior correction
STEPS, BATCH = 200, 40
SPARSE = 2  # every so many cells of the grid, each way, are looked at: the statistics are the same
HOLD = 0.3  # how strongly offsets and colours are held to where they began
FADED = 1.02  # what the shards' AVIF took from a*b*
STAIN = 0.004  # dB that a squared a*b* unit of wrong chroma is worth, beyond what PSNR says
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
def logits_of(generator: BinsGenerator, photos: Sequence[np.ndarray], *, batch: int = 20, bf16: bool = False) -> Tensor:
    """Logits of `photos`, all of one size, in fp16 on the CPU; computed in bf16 where that is faster and will do."""
    generator.eval()
    found = []
    for i in range(0, len(photos), batch):
        lightness = np.stack([to_lab(p)[..., 0] for p in photos[i : i + batch]])[:, None]
        x = torch.from_numpy(lightness).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found.append(generator.logits(x).half())
    return torch.cat(found)


@torch.inference_mode()
def sweep(
    generator: BinsGenerator,
    photos: Sequence[np.ndarray],
    settings: Sequence[tuple[float, float]] = PLAIN,
    *,
    bf16: bool = False,
) -> Iterator[Point]:
    """Score plain decodings on `photos`: the curve of PSNR over colourfulness that one model spans."""
    logits = logits_of(generator, photos, bf16=bf16)
    plain = dataclasses.replace(generator.config, saturation=1.0, sureness=None)
    original, kept = generator.config, (generator.colours.clone(), generator.offset.clone())
    generator.set_bins(generator.centres, generator.log_prior)
    for t, g in settings:
        generator.config = dataclasses.replace(plain, temperature=t, prior_correction=g)
        ab = torch.cat([generator.decode(z.float()) for z in logits.split(20)]).permute(0, 2, 3, 1).numpy()
        yield Point(t, g, mean_scores(score(p, x) for p, x in zip(photos, ab, strict=True)))
    generator.config = original
    generator.colours.copy_(kept[0])
    generator.offset.copy_(kept[1])


def learn(
    generator: BinsGenerator,
    photos: Sequence[np.ndarray],
    colour: float,
    *,
    sure: bool = False,
    steps: int = STEPS,
    seed: int = 1,
) -> dict[str, float | list[float]]:
    """Fit temperature, an offset and a colour for each bin on `photos` that neither trained nor score the generator.

    Maximises the mean PSNR of pictures on the quarter grid, under a pull towards `colour` times the colourfulness
    (abs) of the truth. Sets the generator's `offset`, `colours` and temperature; with `sure`, a temperature and a
    strength for each cell, by its entropy and L*, instead of one for all.

    Returns:
        What it came to on the last steps: PSNR and share of the truth's colourfulness.
    """
    torch.manual_seed(seed)
    logits = logits_of(generator, photos)[..., ::SPARSE, ::SPARSE].contiguous()
    truth_lab = small_truth(photos, generator.stride)
    truth = lab.lab_to_rgb(truth_lab)
    wanted = colour * colourfulness(truth)
    decoding = (Sure if sure else Even)(generator)
    optimiser = torch.optim.Adam([{"params": decoding.few(), "lr": 0.01},
                                  {"params": [decoding.offset, decoding.shift], "lr": 0.05}])  # fmt: skip
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    told: list[tuple[float, float]] = []
    for _ in range(steps):
        chosen = torch.randperm(len(photos))[:BATCH]
        ab = decoding(logits[chosen].float(), truth_lab[chosen, :1])
        rgb = lab.lab_to_rgb(torch.cat((truth_lab[chosen, :1], ab), 1))
        psnr = -10.0 * torch.log10(((rgb - truth[chosen]) ** 2).mean((1, 2, 3)) + 1e-5).mean()
        own = colourfulness(rgb).mean()  # pictures differ: it is judged beside the truth of the same ones
        stains = wrong_chroma(ab, truth_lab[chosen, 1:]).square().mean()
        loss = PULL * F.relu(wanted[chosen].mean() - own) - psnr + STAIN * stains + decoding.held()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        told.append((psnr.item(), colour * own.item() / wanted[chosen].mean().item()))
    decoding.give(generator)
    psnr, share = np.mean(told[-20:], 0)
    facts = {"photographs": len(photos), "colour": colour, "psnr": float(psnr), "share": float(share)}
    return {k: round(v, 3) for k, v in facts.items()} | decoding.facts()


def wrong_chroma(ab: Tensor, truth: Tensor) -> Tensor:
    """Chroma beyond the truth's in the same direction, ``(N, h, w)``: a stain has much of it, a pale place none.

    PSNR alone likes every place equally strong, sure or not, because a bolder mean costs the same error everywhere.
    """
    size = (ab.square().sum(1) + 1e-3).sqrt()
    return (size - ((ab * truth).sum(1) / size).clamp_min(0.0)).clamp_min(0.0)


def small_truth(photos: Sequence[np.ndarray], stride: int) -> Tensor:
    """LAB of `photos`, every so many cells of the grid, as ``(N, 3, h, w)``; a*b* as they were before AVIF."""
    small = np.stack([_shrink(to_lab(p), stride)[::SPARSE, ::SPARSE] for p in photos])
    small[..., 1:] *= FADED
    return torch.from_numpy(small).permute(0, 3, 1, 2)


class Even(nn.Module):
    """A temperature, an offset and a colour for each bin: the same in every cell."""

    def __init__(self, generator: BinsGenerator) -> None:
        super().__init__()
        self.centres, self.log_prior = generator.centres.clone(), generator.log_prior.clone()
        # Nought and one are where the plain annealed mean with a mild correction stands.
        self.log_temperature = nn.Parameter(torch.tensor(math.log(0.6)))
        self.correction = nn.Parameter(torch.tensor(0.1))
        self.offset = nn.Parameter(torch.zeros_like(generator.offset))
        self.shift = nn.Parameter(torch.zeros_like(generator.colours))

    def few(self) -> list[nn.Parameter]:
        """The parameters that every cell depends on."""
        return [self.log_temperature, self.correction]

    def held(self) -> Tensor:
        """What keeps offsets and colours near to where they began."""
        return HOLD * ((self.shift / 10.0).square().mean() + self.offset.square().mean())

    def scores(self, logits: Tensor) -> Tensor:
        z = logits + (self.offset - self.correction * self.log_prior).view(1, -1, 1, 1)
        return z - z.detach().amax(1, keepdim=True)

    def forward(self, logits: Tensor, lightness: Tensor) -> Tensor:
        """Logits and L* of cells ``(N, 1, h, w)`` to a*b*, as `BinsGenerator.decode` gives them."""
        return self.mean(self.scores(logits) / self.log_temperature.exp())

    def mean(self, z: Tensor) -> Tensor:
        return torch.einsum("nkhw,kc->nchw", z.softmax(1), self.centres + self.shift)

    @torch.no_grad()
    def give(self, generator: BinsGenerator) -> None:
        """Have `generator` decode in this way."""
        generator.offset.copy_(self.offset - self.correction * self.log_prior)
        generator.colours.copy_(self.centres + self.shift)
        generator.config = dataclasses.replace(
            generator.config, temperature=self.log_temperature.exp().item(), prior_correction=0.0, saturation=1.0,
            sureness=None,
        )  # fmt: skip

    def facts(self) -> dict[str, float | list[float]]:
        temperature, correction = self.log_temperature.exp().item(), self.correction.item()
        return {"temperature": round(temperature, 4), "correction": round(correction, 4)}


class Sure(Even):
    """Temperature and strength of a cell by the entropy of its distribution and its L*: braver where it is sure."""

    def __init__(self, generator: BinsGenerator) -> None:
        super().__init__(generator)
        numbers = torch.zeros(2, 6)
        numbers[0, 0] = math.log(0.6)
        self.numbers = nn.Parameter(numbers)

    def few(self) -> list[nn.Parameter]:
        return [self.numbers, self.correction]

    def held(self) -> Tensor:
        """A quadratic form has little to go by at its ends, so its bends are held too."""
        return super().held() + 0.1 * HOLD * self.numbers[:, 1:].square().mean()

    def forward(self, logits: Tensor, lightness: Tensor) -> Tensor:
        z = self.scores(logits)
        temperature, strength = by_sureness(z, lightness, self.numbers).split(1, 1)
        return self.mean(z / temperature) * strength

    @torch.no_grad()
    def give(self, generator: BinsGenerator) -> None:
        super().give(generator)
        numbers = tuple(round(x, 5) for x in self.numbers.flatten().tolist())
        generator.config = dataclasses.replace(generator.config, temperature=1.0, sureness=numbers)

    def facts(self) -> dict[str, float | list[float]]:
        return {
            "correction": round(self.correction.item(), 4),
            "sureness": [round(x, 4) for x in self.numbers.flatten().tolist()],
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
