"""A small generator that takes conditions, with random weights: for tests of everything that carries them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidcolor.models.files import ModelFile, open_model


def make_generator():
    """Its encoder is random, so its logits are scaled to some colour; what starts at nought is given weights."""
    import torch

    from vidcolor.models.generators import CONFIGS, GeneratorConfig, build

    torch.manual_seed(0)
    settings = CONFIGS["conditioned"].to_dict() | {
        "encoder": "lite0", "decoder": (64, 64, 32), "blocks": 1, "temperature": 0.7, "folded": True
    }  # fmt: skip
    made = build(GeneratorConfig.from_dict(settings)).eval()
    for name, values in made.named_parameters():
        if name.endswith("sharpness"):
            values.data += torch.rand_like(values) * 3
        elif not values.any() or "known" in name:
            torch.nn.init.normal_(values, std=0.1)
    sound = torch.nn.init.kaiming_normal_
    for module in made.modules():
        if isinstance(module, torch.nn.Conv2d) and module.groups == 1:
            sound(module.weight, a=0.5)
    made.set_bins(torch.randint(-9, 10, made.centres.shape) * 10.0, torch.randn(made.log_prior.shape) * 0.1)
    with torch.no_grad():
        logits = made.logits(torch.linspace(0, 100, 96).expand(1, 1, 64, 96))
        made.head[1].weight *= 1.5 / logits.std(1).mean()
    return made


def make_model(folder: Path) -> ModelFile:
    """The generator exported as a model file."""
    from training.export import export_onnx

    path = folder / "conditioned.onnx"
    export_onnx(make_generator(), path, {"name": "vidcolor-conditioned", "licence": "none"})
    return open_model(path)


def some_conditions(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """Colours with some confidence in a third of the cells, for L* of `shape`."""
    rng = np.random.default_rng(seed)
    n, _, h, w = shape
    ab = rng.normal(0, 30, (n, 2, h // 4, w // 4))
    trust = rng.random((n, 1, h // 4, w // 4)) * (rng.random((n, 1, h // 4, w // 4)) < 0.3)
    return np.concatenate((ab * (trust > 0), trust), 1).astype(np.float32)
