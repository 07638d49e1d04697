"""Presets as data: everything a run is made of, in one frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass

from vidcolor.model import CONFIGS, GeneratorConfig


@dataclass(frozen=True)
class Stage:
    """A stretch of the run, up to `until` (share of all steps), at one picture size."""

    until: float
    size: int  # side of the square crops, in pixels
    encoder: str  # "frozen"; "pointwise": 1x1 convolutions only, from /8 on; "all"


@dataclass(frozen=True)
class Preset:
    generator: GeneratorConfig
    stages: tuple[Stage, ...]
    steps: int
    batch: int = 32
    learning_rate: float = 1e-3
    encoder_rate: float = 0.3  # times learning_rate
    weight_decay: float = 0.05
    warmup: int = 200  # steps
    clip: float = 1.0  # norm of the gradient
    ema: float = 0.999
    min_crop: float = 0.3  # smallest crop, share of the photo's area
    degrade: float = 0.5  # probability of each harsher change to L (film stock, grain, blur, cut-out), times its own
    seed: int = 1


PRESETS = {
    "default": Preset(
        generator=CONFIGS["default"],
        stages=(
            Stage(0.20, 160, "frozen"),
            Stage(0.80, 160, "pointwise"),
            Stage(1.00, 192, "pointwise"),
        ),
        steps=5000,
    ),
    "unet": Preset(
        generator=CONFIGS["unet"],
        stages=(Stage(1.0, 128, "all"),),
        steps=20000,
        learning_rate=2e-4,
        weight_decay=0.0,
    ),
}
