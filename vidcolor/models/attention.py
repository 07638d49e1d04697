"""Attention over a grid of features, so that places which look alike agree, near or far."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEAD = 32  # channels of one head
SHARPNESS = 10.0  # what the cosine of query and key is multiplied by at first; learnt


class Attend(nn.Module):
    """Multi-head attention whose logits are scaled cosines (Liu et al. 2022, Swin V2, section 3.2): large features
    cannot saturate it, which matters in bf16. Its output starts at nought.

    Queries ``(N, h, w, c)`` look at `keys` ``(N, h', w', c)``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % HEAD:
            raise ValueError(f"{channels} channels do not split into heads of {HEAD}")
        self.heads = channels // HEAD
        self.query, self.key, self.value, self.out = (nn.Linear(channels, channels) for _ in range(4))
        self.sharpness = nn.Parameter(torch.full((self.heads, 1, 1), SHARPNESS))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        n, h, w, c = queries.shape
        q = F.normalize(self._split(self.query(queries)), dim=-1) * self.sharpness.clamp(max=50.0)
        k = F.normalize(self._split(self.key(keys)), dim=-1)
        found = (q @ k.transpose(-1, -2)).softmax(-1) @ self._split(self.value(keys))
        mixed: Tensor = self.out(found.transpose(1, 2).reshape(n, h, w, c))
        return mixed

    def _split(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        return x.reshape(n, h * w, self.heads, c // self.heads).transpose(1, 2)


class Block(nn.Module):
    """A transformer block over ``(N, c, h, w)``: position by a depthwise convolution (Chu et al. 2023, CPVT: any size
    of grid), attention of all places to all, two linear layers. Starts as the identity."""

    def __init__(self, channels: int, expansion: int = 3) -> None:
        super().__init__()
        self.place = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.before = nn.LayerNorm(channels)
        self.attend = Attend(channels)
        self.between = nn.LayerNorm(channels)
        wide, back = nn.Linear(channels, channels * expansion), nn.Linear(channels * expansion, channels)
        self.mix = nn.Sequential(wide, nn.GELU(), back)
        for parameter in (*self.place.parameters(), *back.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.place(x)
        tokens: Tensor = x.permute(0, 2, 3, 1)
        seen = self.before(tokens)
        tokens = tokens + self.attend(seen, seen)
        tokens = tokens + self.mix(self.between(tokens))
        return tokens.permute(0, 3, 1, 2)


class Recall(nn.Module):
    """Every place of a fine grid ``(N, c, h, w)`` looks at the same grid in halves: a quarter of the keys, and nearly
    as much to be seen. Starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = nn.LayerNorm(channels)
        self.attend = Attend(channels)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = x.permute(0, 2, 3, 1)
        coarse = F.avg_pool2d(x, 2).permute(0, 2, 3, 1)
        tokens = tokens + self.attend(self.before(tokens), self.before(coarse))
        return tokens.permute(0, 3, 1, 2)


class Known(nn.Module):
    """What is known of the colour, as features of one level; starts at nought."""

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        last = nn.Conv2d(width, channels, 1, bias=False)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(nn.Conv2d(4, width, 3, padding=1, bias=False), nn.LeakyReLU(0.1), last)

    def forward(self, conditions: Tensor, factor: int) -> Tensor:
        """Conditions ``(N, 3, h, w)`` (a*, b*, confidence) to ``(N, channels, h / factor, w / factor)``.

        Four maps of the level's grid: a* and b* over 50, means weighted by confidence; mean and greatest confidence.
        Nothing known gives nought: no layer has a bias.
        """
        ab, trust = conditions[:, :2] * 0.02, conditions[:, 2:]
        weighted, mean, most = ab * trust, trust, trust
        if factor > 1:
            weighted, mean = F.avg_pool2d(weighted, factor), F.avg_pool2d(trust, factor)
            most = F.max_pool2d(trust, factor)
        features: Tensor = self.layers(torch.cat((weighted / (mean + 1e-4), mean, most), 1))
        return features
