"""Presets as data: everything a run is made of, in one frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from training.augment import Degrade
from training.reveal import Reveal
from vidcolor.models.generators import CONFIGS, GeneratorConfig


@dataclass(frozen=True)
class Stage:
    """A stretch of the run, up to `until` (share of all steps), at one picture size."""

    until: float
    size: int  # side of the square crops, in pixels
    encoder: str  # "frozen"; "pointwise": 1x1 convolutions only, from /8 on; "deep": all from /8 on; "all"


@dataclass(frozen=True)
class Adversary:
    """The discriminator, and what keeps it from winning."""

    kind: str  # "dcgan": convolutions, MaxPool, Flatten, Linear, Sigmoid; "patch": spectrally normalised PatchGAN
    weight: float = 1.0  # of the adversarial term in the generator's loss
    begin: float = 0.0  # share of the run after which it takes part
    learning_rate: float = 2e-4
    smoothing: float = 0.1  # real is labelled 1 - smoothing
    every: int = 1  # train it every so many steps
    bound: float = 1.0  # skip its step while its accuracy on the batch is above this
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Plateau:
    """ReduceLROnPlateau, on the generator's validation error and on the discriminator's loss."""

    factor: float = 0.5
    patience: int = 3  # scorings without progress


@dataclass(frozen=True)
class Preset:
    generator: GeneratorConfig
    stages: tuple[Stage, ...]
    steps: int
    batch: int = 32  # over all processes
    accumulate: int = 1  # parts that a process splits its share into
    learning_rate: float = 1e-3
    encoder_rate: float = 0.3  # times learning_rate
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.05
    warmup: int = 200  # steps
    cooldown: float | None = None  # share of the run at whose end the rate falls to nought; None: a cosine over all
    plateau: Plateau | None = None  # instead of a cosine to 1 % of the peak
    score_every: int = 500  # steps; the plateaus count in scorings
    clip: float = 1.0  # norm of the gradient
    ema: float = 0.999
    cross_entropy: float = 1.0  # weight; for generators that predict a distribution
    l1: float = 0.0  # weight of the mean absolute error of a*b* / 110
    consistency: float = 0.0  # weight of the disagreement between two views of a picture; see views.py
    knowledge: float = 0.0  # weight of what the encoder is to keep of ImageNet; see knowledge.py
    adversary: Adversary | None = None
    reveal: Reveal | None = None  # what of the truth is told; for generators with conditions
    weights: dict[str, float] = field(default_factory=dict)  # of the sources by label, 1 where not named
    min_crop: float = 0.3  # smallest crop, share of the photo's area
    degrade: Degrade = field(default_factory=Degrade)
    seed: int = 1


# People and film are what the product is for; textures, flowers and aligned faces are narrow.
FILM_WEIGHTS = {
    "humanoi": 1.5, "humanmisc": 1.5, "humanimg": 1.5, "cinemanet": 2.0, "filmguns": 2.0, "smoking": 1.5, "cigseg": 1.5,
    "lifevideo": 2.0, "utkml": 2.0, "fsacolor": 2.0, "documerica": 2.0, "filmphotos": 2.0, "demos": 1.5,
    "cheapfake": 1.5, "ccp": 1.5, "clothing": 1.5, "actors": 2.0, "videos": 2.0,
    "flowers102": 0.5, "utkface": 0.5, "dtd": 0.5, "afhqwild": 0.5, "nscene": 0.5, "flowers": 0.5,
}  # fmt: skip

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
    "refine": Preset(  # the default's later runs, from its model file and with more photographs
        generator=replace(CONFIGS["default"], temperature=0.7),
        stages=(Stage(0.60, 160, "pointwise"), Stage(0.85, 192, "pointwise"), Stage(1.00, 224, "pointwise")),
        steps=6000,
        learning_rate=4e-4,
        warmup=100,
        min_crop=0.2,
        degrade=Degrade(stock=0.36, blur=0.24, grain=0.36, scratches=0.1, cut_out=0.36),
        seed=11,
    ),
    "conditioned": Preset(  # the long run: with attention and conditions, from the default's model file
        generator=replace(CONFIGS["conditioned"], temperature=0.7),
        stages=(Stage(0.35, 128, "deep"), Stage(0.85, 160, "deep"), Stage(1.00, 192, "deep")),
        steps=64_000,
        learning_rate=5e-4,
        encoder_rate=0.2,
        warmup=500,
        cooldown=0.2,
        score_every=1000,
        ema=0.9995,
        knowledge=0.02,
        reveal=Reveal(),
        weights=FILM_WEIGHTS,
        min_crop=0.15,
        degrade=Degrade(stock=0.3, blur=0.15, grain=0.25, scratches=0.05, cut_out=0.1),
        seed=41,
    ),
    "adversarial": Preset(  # a short phase on the decoded a*b*, from a trained model file, weights kept to choose from
        generator=replace(CONFIGS["default"], temperature=0.7),
        stages=(Stage(1.00, 160, "pointwise"),),
        steps=400,
        learning_rate=1e-4,
        warmup=20,
        ema=0.99,
        score_every=100,
        adversary=Adversary("patch", weight=0.1, begin=0.05, learning_rate=4e-4),
        min_crop=0.2,
        seed=21,
    ),
    "steady": Preset(  # a short phase for less flicker, from a trained model file
        generator=replace(CONFIGS["default"], temperature=0.7),
        stages=(Stage(1.00, 160, "pointwise"),),
        steps=500,
        learning_rate=1e-4,
        warmup=20,
        ema=0.99,
        score_every=250,
        consistency=1.0,
        min_crop=0.2,
        seed=31,
    ),
    "classic": Preset(
        generator=CONFIGS["classic"],
        stages=(Stage(1.0, 128, "all"),),
        steps=20_000,
        batch=16,
        learning_rate=2e-4,
        betas=(0.5, 0.999),  # Radford et al. 2016
        weight_decay=0.0,
        warmup=0,
        plateau=Plateau(),
        clip=10.0,
        l1=100.0,  # Isola et al. 2017
        adversary=Adversary("dcgan", every=2, bound=0.9),
    ),
}

PRESETS["gpu"] = replace(  # the same for minutes on a large card; the rate falls in a run of its own, `cooldown`
    PRESETS["conditioned"],
    stages=(Stage(0.4, 128, "all"), Stage(0.8, 160, "all"), Stage(1.0, 192, "all")),
    steps=12_000,
    batch=256,
    learning_rate=1e-3,
    warmup=300,
    cooldown=1e-6,
    score_every=1500,
    ema=0.999,
)
PRESETS["cooldown"] = replace(
    PRESETS["gpu"], stages=(Stage(1.0, 192, "all"),), steps=2000, cooldown=1.0, warmup=20, score_every=500
)


def stage_at(preset: Preset, step: int) -> Stage:
    """The stage that `step` lies in."""
    return next(s for s in preset.stages if step < s.until * preset.steps or s is preset.stages[-1])
