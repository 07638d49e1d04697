"""The generators: one definition that training, export and every backend share.

All take CIE L* as float32 ``(N, 1, h, w)`` in 0..100, h and w multiples of 32, and give CIE a*b* as float32
``(N, 2, h / stride, w / stride)``. One that `takes_conditions` has a second, optional input: what is known of the
colour, float32 ``(N, 3, h / 4, w / 4)``: a*, b* and a confidence of 0..1; all nought, or None, is nothing known.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vidcolor.models.bins import BinsGenerator
from vidcolor.models.config import CONFIGS, GeneratorConfig
from vidcolor.models.encoder import Encoder, InvertedResidual, SameConv
from vidcolor.models.unet import UNet

Generator = BinsGenerator | UNet

__all__ = [
    "CONFIGS", "BinsGenerator", "Encoder", "Generator", "GeneratorConfig", "InvertedResidual", "SameConv", "UNet",
    "build", "fold",
]  # fmt: skip


def build(config: GeneratorConfig) -> Generator:
    """A generator with fresh weights for `config`.

    Raises:
        ValueError: `config` names an unknown architecture, encoder or norm.
    """
    architectures: dict[str, type[BinsGenerator] | type[UNet]] = {"bins": BinsGenerator, "unet": UNet}
    if config.architecture not in architectures:
        raise ValueError(f"unknown architecture {config.architecture!r}; choose from {', '.join(architectures)}")
    return architectures[config.architecture](config)


def fold(generator: Generator) -> Generator:
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
