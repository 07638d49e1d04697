"""The generators: one definition that training, export and every backend share.

Both take CIE L* as float32 ``(N, 1, h, w)`` in 0..100, h and w multiples of 32, and give CIE a*b* as
float32 ``(N, 2, h / stride, w / stride)``.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

# (kernel, stride, expansion, in, out, repeats) of EfficientNet-Lite (Tan & Le 2019, Google's Lite release),
# the blocks after which features are tapped at /2 /4 /8 /16 /32, and their channels.
ENCODERS = {
    "lite0": (
        ((3, 1, 1, 32, 16, 1), (3, 2, 6, 16, 24, 2), (5, 2, 6, 24, 40, 2), (3, 2, 6, 40, 80, 3),
         (5, 1, 6, 80, 112, 3), (5, 2, 6, 112, 192, 4), (3, 1, 6, 192, 320, 1)),
        {0: 16, 2: 24, 4: 40, 10: 112, 15: 320},
    ),
    "lite2": (
        ((3, 1, 1, 32, 16, 1), (3, 2, 6, 16, 24, 3), (5, 2, 6, 24, 48, 3), (3, 2, 6, 48, 88, 4),
         (5, 1, 6, 88, 120, 4), (5, 2, 6, 120, 208, 5), (3, 1, 6, 208, 352, 1)),
        {0: 16, 3: 24, 6: 48, 14: 120, 20: 352},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class GeneratorConfig:
    """What is needed to build a generator again; stored whole in a model file's metadata."""

    architecture: str = "bins"  # "bins" (distribution over colours) or "unet" (direct regression)
    encoder: str = "lite2"  # bins only: a key of ENCODERS
    decoder: tuple[int, ...] = (160, 112, 96)  # bins only: channels at /16, /8, /4
    channels: tuple[int, ...] = ()  # unet only: channels of each step down
    bins: int = 211  # bins only: cells of a 10 x 10 a*b* grid that photographs reach, see training/bins.py
    norm: str = "batch"  # unet only: "batch" or "instance"
    dropout: float = 0.1  # bins: before the head; unet: in the three deepest steps up
    temperature: float = 1.0  # annealed mean: softmax((z - g log prior) / T), Zhang et al. 2016, eq. 5
    prior_correction: float = 0.0  # the g above: 0 trusts the prior, 1 forgets that grey is common
    saturation: float = 1.0  # multiplies the decoded a*b*
    folded: bool = False  # batch norms are folded into the convolutions, as in every shipped model

    @classmethod
    def from_dict(cls, values: dict) -> GeneratorConfig:
        """Read a config written by `to_dict`; unknown keys are an error, so a newer file is not half understood."""
        known = {f.name for f in fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"unknown generator options {sorted(unknown)}; known: {sorted(known)}")
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**made)

    def to_dict(self) -> dict:
        return asdict(self)


CONFIGS = {
    "default": GeneratorConfig(),
    "classic": GeneratorConfig(architecture="unet", channels=(64, 128, 256, 512, 512), dropout=0.0),
}


def build(config: GeneratorConfig) -> BinsGenerator | UNet:
    """A generator with fresh weights for `config`."""
    architectures: dict[str, type[BinsGenerator] | type[UNet]] = {"bins": BinsGenerator, "unet": UNet}
    if config.architecture not in architectures:
        raise ValueError(f"unknown architecture {config.architecture!r}; choose from {', '.join(architectures)}")
    return architectures[config.architecture](config)


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "SAME" padding: where it is odd, the extra pixel goes bottom and right."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return self._conv_forward(x, self.weight, self.bias)
        total = kernel - stride  # exact for sizes that are multiples of the stride
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def same_conv(cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1) -> SameConv:
    padding = kernel // 2 if stride == 1 else 0
    return SameConv(cin, cout, kernel, stride, padding, groups=groups)


class InvertedResidual(nn.Module):
    """EfficientNet-Lite's block: expand, depthwise, project; ReLU6, no squeeze-excite; norms are in the weights."""

    def __init__(self, kernel: int, stride: int, expansion: int, cin: int, cout: int) -> None:
        super().__init__()
        mid = cin * expansion
        self.expand = nn.Sequential(same_conv(cin, mid, 1), nn.ReLU6()) if expansion > 1 else nn.Identity()
        self.depthwise = nn.Sequential(same_conv(mid, mid, kernel, stride, mid), nn.ReLU6())
        self.project = same_conv(mid, cout, 1)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class Encoder(nn.Module):
    """EfficientNet-Lite on grey: the stem's three input channels see the same values.

    The pretrained batch norms are folded into the convolutions: their statistics stay ImageNet's, and it is faster.

    Gives the features at /4, /8, /16, /32 and the pooled 1280-channel head ``(N, 1280, 1, 1)``, which carries
    what the scene is (a global prior as in Iizuka et al. 2016).
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        stages, taps = ENCODERS[name]
        self.taps = tuple(taps)[1:]
        self.widths = tuple(taps.values())[1:]
        self.stem = nn.Sequential(same_conv(3, 32, 3, 2), nn.ReLU6())
        blocks = [
            InvertedResidual(kernel, stride if i == 0 else 1, expansion, cin if i == 0 else cout, cout)
            for kernel, stride, expansion, cin, cout, repeats in stages
            for i in range(repeats)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(same_conv(self.widths[-1], 1280, 1), nn.ReLU6())

    def forward(self, lightness: Tensor) -> tuple[list[Tensor], Tensor]:
        x = (lightness * 2.55 - 127.0) / 128.0  # L* is close to an sRGB code value's share of 255
        x = self.stem(x.expand(-1, 3, -1, -1))
        features = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.taps:
                features.append(x)
        return features, self.head(x).mean((2, 3), keepdim=True)


class Up(nn.Module):
    """One decoder level: 1x1 convolution + PixelShuffle, skip, two 3x3 Conv-BN-LeakyReLU."""

    def __init__(self, cin: int, skip: int, cout: int, folded: bool) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Conv2d(cin, cout * 4, 1), nn.PixelShuffle(2))
        self.convs = nn.Sequential(*conv_block(cout + skip, cout, folded), *conv_block(cout, cout, folded))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.convs(torch.cat((self.up(x), skip), 1))


def conv_block(cin: int, cout: int, folded: bool) -> tuple[nn.Module, ...]:
    return nn.Conv2d(cin, cout, 3, padding=1, bias=folded), norm(cout, folded), nn.LeakyReLU(0.1)


def norm(channels: int, folded: bool, kind: str = "batch") -> nn.Module:
    if kind == "instance":  # depends on each picture: nothing to fold
        return nn.InstanceNorm2d(channels, affine=True)
    if kind != "batch":
        raise ValueError(f"unknown norm {kind!r}; choose from batch, instance")
    return nn.Identity() if folded else nn.BatchNorm2d(channels)


def fold(generator: BinsGenerator | UNet) -> BinsGenerator | UNet:
    """A copy of a trained `generator` whose batch norms are folded into the convolutions before them."""
    copy = deepcopy(generator).eval()
    for module in list(copy.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        for i in range(len(module) - 1):
            before, after = module[i], module[i + 1]
            if isinstance(before, nn.Conv2d | nn.ConvTranspose2d) and isinstance(after, nn.BatchNorm2d):
                module[i] = fuse_conv_bn_eval(before, after, isinstance(before, nn.ConvTranspose2d))
                module[i + 1] = nn.Identity()
    folded = build(replace(generator.config, folded=True)).eval()
    folded.load_state_dict(copy.state_dict())
    return folded


class BinsGenerator(nn.Module):
    """The default: logits over colour bins on a quarter grid, decoded to a*b* inside the network.

    The decoded a*b* lie in the convex hull of the bins, times `saturation`.
    """

    stride = 4
    centres: Tensor  # a*, b* of each bin, (bins, 2): what the head is trained on
    log_prior: Tensor  # of the training photographs, (bins,)
    colours: Tensor  # a*, b* that each bin is decoded to, (bins, 2): its centre, or learnt
    offset: Tensor  # added to the logits for decoding, (bins,): nought, or learnt

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        if config.encoder not in ENCODERS:
            raise ValueError(f"unknown encoder {config.encoder!r}; choose from {', '.join(ENCODERS)}")
        self.config = config
        self.encoder = Encoder(config.encoder)
        *skips, bottom = self.encoder.widths
        context = nn.Conv2d(1280, bottom, 1)
        for parameter in context.parameters():
            nn.init.zeros_(parameter)  # starts as if absent
        self.context = nn.Sequential(nn.Dropout(0.2), context)
        levels, cin = [], bottom
        for cout, skip in zip(config.decoder, reversed(skips), strict=True):
            levels.append(Up(cin, skip, cout, config.folded))
            cin = cout
        self.levels = nn.ModuleList(levels)
        self.head = nn.Sequential(nn.Dropout2d(config.dropout), nn.Conv2d(cin, config.bins, 1))
        self.register_buffer("centres", torch.zeros(config.bins, 2))
        self.register_buffer("log_prior", torch.zeros(config.bins))
        self.register_buffer("colours", torch.zeros(config.bins, 2))
        self.register_buffer("offset", torch.zeros(config.bins))

    def set_bins(self, centres: Tensor, log_prior: Tensor) -> None:
        """Set the bins; the decoding is the plain one again."""
        self.centres.copy_(centres)
        self.colours.copy_(centres)
        self.log_prior.copy_(log_prior)
        self.offset.zero_()

    def logits(self, lightness: Tensor) -> Tensor:
        """Unnormalised log probabilities of the colour bins, ``(N, bins, h / 4, w / 4)``."""
        (*skips, x), pooled = self.encoder(lightness)
        x = x + self.context(pooled)
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            x = level(x, skip)
        return self.head(x)

    def decode(self, logits: Tensor) -> Tensor:
        """Logits to a*b* by the prior-corrected annealed mean of Zhang et al. 2016, with learnt offsets and colours.

        A softmax and a weighted mean in one: its numerators and its sum are three outputs of one 1x1 convolution,
        so an engine need not transpose for a softmax over channels.
        """
        cfg = self.config
        shift = self.offset - cfg.prior_correction * self.log_prior
        z = (logits + shift.view(1, -1, 1, 1)) * (1.0 / cfg.temperature)
        e = torch.exp(z - z.amax(1, keepdim=True))
        weight = torch.cat((cfg.saturation * self.colours, torch.ones_like(self.colours[:, :1])), 1)
        sums = F.conv2d(e, weight.t().reshape(3, -1, 1, 1))
        return sums[:, :2] / sums[:, 2:]

    def forward(self, lightness: Tensor) -> Tensor:
        return self.decode(self.logits(lightness))


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
