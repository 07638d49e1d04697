"""Parts of the decoders."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Up(nn.Module):
    """One decoder level: 1x1 convolution + PixelShuffle, skip, two 3x3 Conv-BN-LeakyReLU."""

    def __init__(self, cin: int, skip: int, cout: int, folded: bool) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Conv2d(cin, cout * 4, 1), nn.PixelShuffle(2))
        self.convs = nn.Sequential(*conv_block(cout + skip, cout, folded), *conv_block(cout, cout, folded))

    def forward(self, x: Tensor, skip: Tensor, known: Tensor | None = None) -> Tensor:
        """`known`, of the output's shape, is added between the two convolutions."""
        x = torch.cat((self.up(x), skip), 1)
        if known is None:
            done: Tensor = self.convs(x)
            return done
        for i, layer in enumerate(self.convs):
            x = layer(x)
            if 2 * (i + 1) == len(self.convs):
                x = x + known
        return x


def conv_block(cin: int, cout: int, folded: bool) -> tuple[nn.Module, ...]:
    return nn.Conv2d(cin, cout, 3, padding=1, bias=folded), norm(cout, folded), nn.LeakyReLU(0.1)


def norm(channels: int, folded: bool, kind: str = "batch") -> nn.Module:
    if kind == "instance":  # depends on each picture: nothing to fold
        return nn.InstanceNorm2d(channels, affine=True)
    if kind != "batch":
        raise ValueError(f"unknown norm {kind!r}; choose from batch, instance")
    return nn.Identity() if folded else nn.BatchNorm2d(channels)
