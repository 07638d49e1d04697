"""Distances on the features of SqueezeNet 1.1, a small network that never saw our training: what an eye would notice.

The weights are the original Caffe release's (BSD-2, Iandola et al. 2016) in fp16.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).parent / "squeezenet" / "squeezenet1_1_caffe_fp16.safetensors"
MEAN = (103.939, 116.779, 123.68)  # B, G, R in 0..255
SQUEEZE = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
TAPS = (3, 5, 6, 7, 8, 9)  # fires that are tapped, after conv1
POOLED = (3, 5)  # fires after which the picture is halved


class Fire(nn.Module):
    def __init__(self, cin: int, squeeze: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(cin, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, squeeze * 4, 1)
        self.expand3x3 = nn.Conv2d(squeeze, squeeze * 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze1x1(x))
        return F.relu(torch.cat((self.expand1x1(x), self.expand3x3(x)), 1))


class SqueezeNet(nn.Module):
    """Frozen feature taps of sRGB ``(N, 3, h, w)`` in 0..1.

    Raises:
        FileNotFoundError: the weights are missing.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2)
        cin = 64
        for i, squeeze in SQUEEZE.items():
            setattr(self, f"fire{i}", Fire(cin, squeeze))
            cin = squeeze * 8
        if not weights.exists():
            raise FileNotFoundError(f"{weights}: the feature network is missing; restore it from the repository")
        stored = {k: v.float() for k, v in load_file(weights).items()}
        self.load_state_dict({k: stored[k] for k in self.state_dict()})
        self.eval().requires_grad_(False)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        x = rgb.flip(1) * 255.0 - rgb.new_tensor(MEAN).view(1, 3, 1, 1)
        x = F.relu(self.conv1(x))
        found = [x]
        x = halve(x)
        for i in SQUEEZE:
            x = getattr(self, f"fire{i}")(x)
            if i in TAPS:
                found.append(x)
            if i in POOLED:
                x = halve(x)
        return found


def halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


def distance(ours: list[Tensor], truth: list[Tensor]) -> Tensor:
    """Perceptual distance ``(N,)``: at each tap the features of a position are normalised to length 1; their squared
    difference is summed over channels, averaged over positions, and the taps are added up (Zhang et al. 2018 without
    learnt weights)."""
    total = torch.zeros(len(ours[0]))
    for a, b in zip(ours, truth, strict=True):
        a, b = (x / x.norm(dim=1, keepdim=True).clamp_min(1e-8) for x in (a, b))
        total = total + ((a - b) ** 2).sum(1).mean((1, 2))
    return total


def pooled(features: list[Tensor]) -> np.ndarray:
    """What the Frechet distance compares: the last tap, averaged over the picture, ``(N, 512)``."""
    return features[-1].mean((2, 3)).numpy()
