"""Discriminators: real or made up, from L* and a*b* on one grid. Both give logits; the Sigmoid is in the loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (32, 64, 128, 256)


class DCGAN(nn.Module):
    """The classic: Conv2d, LeakyReLU, MaxPool2d four times, then Flatten and Linear to one logit a picture.

    Its input has to be `size` pixels wide and high, a multiple of 16.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size % 16:
            raise ValueError(f"the dcgan discriminator takes sides that are multiples of 16, not {size}")
        layers: list[nn.Module] = []
        cin = 3
        for cout in WIDTHS:
            layers += [nn.Conv2d(cin, cout, 3, padding=1), nn.LeakyReLU(0.2), nn.MaxPool2d(2)]
            cin = cout
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(cin * (size // 16) ** 2, 1))

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Logits ``(N, 1)`` for L* in 0..100 ``(N, 1, h, w)`` and a*b* ``(N, 2, h, w)``."""
        return self.layers(join(lightness, ab))


class Patch(nn.Module):
    """PatchGAN (Isola et al. 2017) with spectral norm (Miyato et al. 2018): a logit for each patch of 34 pixels."""

    def __init__(self, size: int) -> None:
        super().__init__()
        w = WIDTHS[1:]
        self.layers = nn.Sequential(
            *(spectral_norm(nn.Conv2d(3, w[0], 4, 2, 1)), nn.LeakyReLU(0.2)),
            *(spectral_norm(nn.Conv2d(w[0], w[1], 4, 2, 1)), nn.LeakyReLU(0.2)),
            *(spectral_norm(nn.Conv2d(w[1], w[2], 4, 1, 1)), nn.LeakyReLU(0.2)),
            spectral_norm(nn.Conv2d(w[2], 1, 4, 1, 1)),
        )

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Logits ``(N, 1, h', w')`` for L* in 0..100 ``(N, 1, h, w)`` and a*b* ``(N, 2, h, w)``."""
        return self.layers(join(lightness, ab))


DISCRIMINATORS: dict[str, type[DCGAN] | type[Patch]] = {"dcgan": DCGAN, "patch": Patch}


def join(lightness: Tensor, ab: Tensor) -> Tensor:
    """L* and a*b*, each in -1..1 as the classic recipe normalises them."""
    return torch.cat((lightness / 50.0 - 1.0, ab / 110.0), 1)


def build_discriminator(kind: str, size: int) -> DCGAN | Patch:
    """A fresh discriminator for pictures of `size` pixels.

    Raises:
        ValueError: `kind` is unknown, or `size` does not suit it.
    """
    if kind not in DISCRIMINATORS:
        raise ValueError(f"unknown discriminator {kind!r}; choose from {', '.join(DISCRIMINATORS)}")
    return DISCRIMINATORS[kind](size)
