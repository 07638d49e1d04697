"""The architectures of published colourisers, written from the papers and public descriptions, with random weights.

Random weights are enough: the time of a network does not depend on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(cin: int, cout: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, kernel, stride, dilation * (kernel // 2), dilation)


def eccv16() -> nn.Sequential:
    """ECCV16 of Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016: L at 256 x 256 to a*b*.

    Seven VGG-like blocks, each ending in a batch norm, down to /8 with the fifth and sixth dilated; a transposed
    convolution to /4, logits of 313 colours, softmax, mean colour. Published: 32 M parameters, 42 GMAC.
    """
    layers: list[nn.Module] = []
    cin = 1
    blocks = ((64, 2, 2, 1), (128, 2, 2, 1), (256, 3, 2, 1), *((512, 3, 1, d) for d in (1, 2, 2, 1)))
    for cout, depth, stride, dilation in blocks:
        for i in range(depth):
            layers += [conv(cin, cout, stride=stride if i == depth - 1 else 1, dilation=dilation), nn.ReLU(True)]
            cin = cout
        layers.append(nn.BatchNorm2d(cout))
    layers += [nn.ConvTranspose2d(512, 256, 4, 2, 1), nn.ReLU(True)]
    layers += [conv(256, 256), nn.ReLU(True), conv(256, 256), nn.ReLU(True)]
    colours = [conv(256, 313, 1), nn.Softmax(1), nn.Conv2d(313, 2, 1, bias=False)]
    return nn.Sequential(*layers, *colours, nn.Upsample(scale_factor=4, mode="bilinear"))


class Shuffle(nn.Module):
    """Upsampling that DeOldify and DDColor share: 1x1 convolution, ReLU, PixelShuffle, blur over 2 x 2."""

    def __init__(self, cin: int, cout: int, scale: int = 2, *, norm: bool = True) -> None:
        super().__init__()
        self.conv = conv(cin, cout * scale**2, 1)
        self.norm = nn.BatchNorm2d(cout * scale**2) if norm else nn.Identity()
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shuffle(F.relu(self.norm(self.conv(x)), True))
        return F.avg_pool2d(F.pad(x, (1, 0, 1, 0), mode="replicate"), 2, 1)


class Up(nn.Module):
    """Their U-Net block: `Shuffle`, the encoder's features beside it, one 3x3 convolution."""

    def __init__(self, cin: int, skip: int, cout: int) -> None:
        super().__init__()
        self.up = Shuffle(cin, cout)
        self.norm = nn.BatchNorm2d(skip)
        self.conv = nn.Sequential(conv(cout + skip, cout), nn.ReLU(True), nn.BatchNorm2d(cout))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(x)
        if x.shape[-2:] != skip.shape[-2:]:
            x = F.interpolate(x, skip.shape[-2:])
        return self.conv(F.relu(torch.cat((x, self.norm(skip)), 1), True))


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of ``(N, C, h, w)``."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Liu et al., "A ConvNet for the 2020s", 2022: depthwise 7x7, norm, widen by 4, GELU, narrow, scale, add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 7, padding=3, groups=width)
        wide = 4 * width
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))
        self.scale = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.scale * self.mlp(self.mix(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class ConvNeXtTiny(nn.Module):
    """Features at /4, /8, /16 and /32, each normalised; 28 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stages, self.norms = nn.ModuleList(), nn.ModuleList()
        for width, depth in ((96, 3), (192, 3), (384, 9), (768, 3)):
            half = width // 2
            down = [ChannelNorm(half), nn.Conv2d(half, width, 2, 2)]
            if not self.stages:
                down = [nn.Conv2d(3, width, 4, 4), ChannelNorm(width)]
            self.stages.append(nn.Sequential(*down, *(ConvNeXtBlock(width) for _ in range(depth))))
            self.norms.append(ChannelNorm(width))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage, norm in zip(self.stages, self.norms, strict=True):
            x = stage(x)
            features.append(norm(x))
        return features


class QueryLayer(nn.Module):
    """One layer of the colour decoder: queries attend to the picture, then to one another, then a wide MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cross = nn.MultiheadAttention(width, 8, batch_first=True)
        self.own = nn.MultiheadAttention(width, 8, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2048), nn.ReLU(True), nn.Linear(2048, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, x: Tensor, position: Tensor, memory: Tensor, where: Tensor) -> Tensor:
        x = self.norms[0](x + self.cross(x + position, memory + where, memory)[0])
        x = self.norms[1](x + self.own(x + position, x + position, x)[0])
        return self.norms[2](x + self.mlp(x))


class DDColorTiny(nn.Module):
    """DDColor-tiny of Kang et al., "DDColor: Towards Photo-Realistic Image Colorization via Dual Decoders", ICCV 2023:
    grey as three channels at 256 x 256 to a*b*; the tool itself works at 512 x 512, four times this cost.

    ConvNeXt-Tiny; a pixel decoder of three U-Net blocks and a PixelShuffle by 4; a colour decoder of nine layers in
    which 100 queries look at three scales in turn; the product of both. Published: 55 M parameters, 25 GMAC.
    """

    def __init__(self, queries: int = 100, width: int = 256) -> None:
        super().__init__()
        self.encoder = ConvNeXtTiny()
        self.ups = nn.ModuleList((Up(768, 384, 512), Up(512, 192, 512), Up(512, 96, 256)))
        self.last = Shuffle(256, width, 4, norm=False)
        self.inputs = nn.ModuleList(conv(cin, width, 1) for cin in (512, 512, 256))
        self.levels = nn.Parameter(torch.randn(3, width, 1))
        self.query, self.position = (nn.Parameter(torch.randn(1, queries, width)) for _ in range(2))
        self.layers = nn.ModuleList(QueryLayer(width) for _ in range(9))
        hidden = [m for _ in range(2) for m in (nn.Linear(width, width), nn.ReLU(True))]
        self.embed = nn.Sequential(nn.LayerNorm(width), *hidden, nn.Linear(width, width))
        self.refine = conv(queries + 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        *skips, y = self.encoder(x)
        memories, places = [], []
        for up, project, level, skip in zip(self.ups, self.inputs, self.levels, reversed(skips), strict=True):
            y = up(y, skip)
            memories.append((project(y).flatten(2) + level).transpose(1, 2))
            places.append(sines(y.shape[-2], y.shape[-1], level.shape[0], y.device))
        query = self.query.expand(len(x), -1, -1)
        for i, layer in enumerate(self.layers):
            query = layer(query, self.position, memories[i % 3], places[i % 3])
        colours = torch.einsum("bqc,bchw->bqhw", self.embed(query), self.last(y))
        return self.refine(torch.cat((colours, x), 1))


def sines(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Position encoding of Vaswani et al. 2017 in both directions, ``(1, height * width, channels)``."""
    rates = 10000.0 ** -torch.linspace(0, 1, channels // 4, device=device)
    y, x = (torch.arange(n, device=device)[:, None] * (2 * math.pi / n) * rates for n in (height, width))
    both = torch.cat((y[:, None].expand(-1, width, -1), x[None].expand(height, -1, -1)), -1)
    return torch.cat((both.sin(), both.cos()), -1).flatten(0, 1)[None]


class Bottleneck(nn.Module):
    """He et al., "Deep Residual Learning", 2015, with the stride on the 3x3 convolution."""

    def __init__(self, cin: int, width: int, stride: int) -> None:
        super().__init__()
        cout = 4 * width
        narrow = [conv(cin, width, 1), nn.BatchNorm2d(width), nn.ReLU(True)]
        middle = [conv(width, width, stride=stride), nn.BatchNorm2d(width), nn.ReLU(True)]
        self.path = nn.Sequential(*narrow, *middle, conv(width, cout, 1), nn.BatchNorm2d(cout))
        plain = stride == 1 and cin == cout
        self.skip = nn.Identity() if plain else nn.Sequential(conv(cin, cout, 1, stride=stride), nn.BatchNorm2d(cout))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.skip(x) + self.path(x), True)


class SelfAttention(nn.Module):
    """Zhang et al., "Self-Attention GAN", 2018: every position looks at every other, keys of an eighth the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Conv1d(width, n, 1) for n in (width // 8, width // 8, width))
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        weight = torch.softmax(self.query(flat).transpose(1, 2) @ self.key(flat), 1)
        return x + self.scale * (self.value(flat) @ weight).view_as(x)


class DeOldifyVideo(nn.Module):
    """DeOldify "video" of Antic, 2018 (github.com/jantic/DeOldify): grey as three channels to RGB, 336 x 336 px at the
    default render_factor of 21.

    ResNet-101; two 3x3 convolutions at /32 by way of 4096 channels (151 M parameters); four U-Net blocks, the second
    with self-attention; PixelShuffle; a residual block over result and input. No paper, no published cost; the released
    ColorizeVideo_gen.pth has 874,066,230 bytes, so 218.5 M float32 numbers with buffers; here 218.3 M and 0.1 M, 246
    GMAC. The original divides weights by their spectral norms at each call, which is left out in its favour.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 64, 7, stride=2), nn.BatchNorm2d(64), nn.ReLU(True))
        self.stages = nn.ModuleList()
        for cin, width, depth in ((64, 64, 3), (256, 128, 4), (512, 256, 23), (1024, 512, 3)):
            first = [Bottleneck(cin, width, 2)] if self.stages else [nn.MaxPool2d(3, 2, 1), Bottleneck(cin, width, 1)]
            self.stages.append(nn.Sequential(*first, *(Bottleneck(4 * width, width, 1) for _ in range(depth - 1))))
        middle = [m for a, b in ((2048, 4096), (4096, 2048)) for m in (conv(a, b), nn.ReLU(True), nn.BatchNorm2d(b))]
        self.middle = nn.Sequential(nn.BatchNorm2d(2048), nn.ReLU(True), *middle)
        self.ups = nn.ModuleList((Up(2048, 1024, 512), Up(512, 512, 512), Up(512, 256, 512), Up(512, 64, 256)))
        self.attention = SelfAttention(512)
        self.last = nn.Sequential(conv(256, 1024, 1), nn.ReLU(True), nn.PixelShuffle(2))
        self.residual = nn.Sequential(conv(259, 259), nn.ReLU(True), conv(259, 259), nn.ReLU(True))
        self.head = conv(259, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        y = self.middle(features.pop())
        for i, up in enumerate(self.ups):
            y = up(y, features.pop())
            y = self.attention(y) if i == 1 else y
        y = torch.cat((self.last(y), x), 1)
        return torch.sigmoid(self.head(y + self.residual(y))) * 6.0 - 3.0


@dataclass(frozen=True)
class Peer:
    """A network to time: how to make it, and what it is given."""

    build: Callable[[], nn.Module]
    side: int  # of its square input, in pixels
    channels: int  # of its input


PEERS = {
    "ECCV16": Peer(eccv16, 256, 1),
    "DDColor-tiny": Peer(DDColorTiny, 256, 3),
    "DeOldify video": Peer(DeOldifyVideo, 336, 3),
}
