"""What is needed to build a generator again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape and the decoding of a generator; stored whole in a model file's metadata."""

    architecture: str = "bins"  # "bins" (distribution over colours) or "unet" (direct regression)
    encoder: str = "lite2"  # bins only: a key of ENCODERS
    decoder: tuple[int, ...] = (160, 112, 96)  # bins only: channels at /16, /8, /4
    blocks: int = 0  # bins only: transformer blocks over the /16 grid
    conditions: bool = False  # bins only: takes what is known of the colour as a second input
    channels: tuple[int, ...] = ()  # unet only: channels of each step down
    bins: int = 211  # bins only: cells of a 10 x 10 a*b* grid that photographs reach, see training/bins.py
    norm: str = "batch"  # unet only: "batch" or "instance"
    dropout: float = 0.1  # bins: before the head; unet: in the three deepest steps up
    temperature: float = 1.0  # annealed mean: softmax((z - g log prior) / T), Zhang et al. 2016, eq. 5
    prior_correction: float = 0.0  # the g above: 0 trusts the prior, 1 forgets that grey is common
    saturation: float = 1.0  # multiplies the decoded a*b*
    sureness: tuple[float, ...] | None = None  # 12 numbers: temperature and strength by entropy and L*, see bins.py
    folded: bool = False  # batch norms are folded into the convolutions, as in every shipped model

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GeneratorConfig:
        """Read a config written by `to_dict`; unknown keys are an error, so a newer file is not half understood."""
        known = {f.name for f in fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"unknown generator options {sorted(unknown)}; known: {sorted(known)}")
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**made)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


CONFIGS = {
    "default": GeneratorConfig(),
    "conditioned": GeneratorConfig(decoder=(192, 128, 96), blocks=4, conditions=True, dropout=0.05),
    "classic": GeneratorConfig(architecture="unet", channels=(64, 128, 256, 512, 512), dropout=0.0),
}
