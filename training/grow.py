"""A trained generator as the start of a larger one that gives the same output at first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vidcolor.models.generators import BinsGenerator, Generator, GeneratorConfig, build

FIXED = ("architecture", "encoder", "channels", "bins", "norm")


def grow(generator: Generator, config: GeneratorConfig, name: Path | str = "the generator") -> Generator:
    """`generator` with the shape of `config`: wider decoder levels, blocks and conditions that it lacks.

    What is new starts from its own random numbers, and what it says to what was there from nought (Net2Net, Chen et
    al. 2016, but for zeros instead of copies), so the output is the same until it is trained.

    Raises:
        ValueError: `config` is smaller in a part, or of another kind.
    """
    old = generator.config
    smaller = config.blocks < old.blocks or config.conditions < old.conditions
    smaller |= any(a < b for a, b in zip(config.decoder, old.decoder, strict=False))
    if smaller or any(getattr(old, k) != getattr(config, k) for k in FIXED):
        raise ValueError(f"{name}: holds a generator of another shape than the preset's")
    if replace(config, decoder=old.decoder, blocks=old.blocks, conditions=old.conditions) == config:
        generator.config = config
        return generator
    grown = build(config)
    assert isinstance(grown, BinsGenerator)
    state, source = grown.state_dict(), generator.state_dict()
    for key, values in source.items():
        state[key] = widened(values, state[key], joint(key, old.decoder, config.decoder))
    grown.load_state_dict(state)
    return grown


def joint(key: str, old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, int] | None:
    """Where a level's first convolution has its skip's channels among its inputs, before and after."""
    parts = key.split(".")
    if parts[0] == "levels" and parts[2:] == ["convs", "0", "weight"]:
        return old[int(parts[1])], new[int(parts[1])]
    return None


def widened(values: Tensor, fresh: Tensor, skip: tuple[int, int] | None = None) -> Tensor:
    """`fresh` with `values` in its first channels; new inputs of old outputs are nought."""
    if values.shape == fresh.shape:
        return values
    made = fresh.clone()
    rows = len(values)
    if values.ndim == 1:
        made[:rows] = values
        return made
    made[:rows] = 0.0
    columns = values.shape[1]
    if skip is None:
        made[:rows, :columns] = values
    else:
        made[:rows, : skip[0]] = values[:, : skip[0]]
        made[:rows, skip[1] :] = values[:, skip[0] :]
    return torch.as_tensor(made)
