"""The classic generator: a U-Net that regresses a*b*."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidcolor.models.config import GeneratorConfig
from vidcolor.models.layers import norm


class UNet(nn.Module):
    """The classic: Conv-BN-LeakyReLU down, ConvTranspose-BN-LeakyReLU up, skips, tanh x 110."""

    stride = 1

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        down, up = [], []
        cin = 1
        for cout in config.channels:
            layers = [nn.Conv2d(cin, cout, 4, 2, 1), norm(cout, config.folded, config.norm), nn.LeakyReLU(0.2)]
            down.append(nn.Sequential(*layers))
            cin = cout
        outs = (*reversed(config.channels[:-1]), 32)
        for i, cout in enumerate(outs):
            layers = [nn.ConvTranspose2d(cin, cout, 4, 2, 1), norm(cout, config.folded, config.norm), nn.LeakyReLU(0.2)]
            up.append(nn.Sequential(*layers, nn.Dropout(config.dropout if i < 3 else 0.0)))
            cin = cout * 2 if i < len(outs) - 1 else cout + 1
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.head = nn.Conv2d(cin, 2, 3, padding=1)

    def forward(self, lightness: Tensor) -> Tensor:
        x = lightness / 50.0 - 1.0
        skips = []
        for step in self.down:
            skips.append(x)
            x = step(x)
        for step, skip in zip(self.up, reversed(skips), strict=True):
            x = torch.cat((step(x), skip), 1)
        return torch.tanh(self.head(x)) * 110.0
