"""The networks, their optimisers and one step of both."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

from training.bins import SoftEncoder, choose_bins
from training.data import Batch, to_lab
from training.depthwise import hasten
from training.discriminators import DCGAN, Patch, build_discriminator
from training.distributed import Group
from training.encoders import load_pretrained
from training.grow import grow
from training.knowledge import Knowledge
from training.losses import adversarial, disagreement, soft_cross_entropy
from training.presets import Preset, Stage, stage_at
from training.views import View
from training.weights import load_average
from vidcolor.backends.pytorch import load_generator
from vidcolor.models.files import open_model
from vidcolor.models.generators import BinsGenerator, Encoder, Generator, InvertedResidual, build


class Head(nn.Module):
    """What of a generator the losses need: logits where it has them, else a*b*. DDP and compile work on `forward`."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, lightness: Tensor, conditions: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Logits or a*b*, and the encoder's pooled features where there are any."""
        g = self.generator
        if not isinstance(g, BinsGenerator):
            return g(lightness), None
        features, pooled = g.encoder(lightness)
        return g.logits_from(features, pooled, conditions), pooled


class Trainer:
    """Generator, averaged generator and discriminator of a run, at some step of it."""

    def __init__(
        self,
        preset: Preset,
        photos: Iterable[np.ndarray],
        *,
        device: torch.device | str = "cpu",
        group: Group | None = None,
        bf16: bool = False,
        compiled: bool = False,
        init: Path | None = None,
        anew: bool = False,
    ) -> None:
        self.preset, self.device, self.group = preset, torch.device(device), group or Group()
        self.bf16, self.compiled = bf16, compiled
        torch.manual_seed(preset.seed)
        generator, step = prepare(preset, photos, init)
        self.began = 0 if anew else step
        self.step_number = self.began
        if bf16 and self.device.type == "cpu":
            hasten(generator)
        if self.group.world > 1 and self.device.type == "cuda":
            generator = nn.SyncBatchNorm.convert_sync_batchnorm(generator)
        self.generator: Generator = generator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = prepare_average(self.generator)
        self.optimiser = torch.optim.AdamW(parameter_groups(self.generator, preset), betas=preset.betas, fused=True)
        self.knowledge: Knowledge | None = None
        if preset.knowledge:
            self.knowledge = Knowledge(preset.generator.encoder).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.encode = SoftEncoder(generator.centres.cpu().numpy()) if isinstance(generator, BinsGenerator) else None
        self.discriminator: DCGAN | Patch | None = None
        self.opponent: torch.optim.Optimizer | None = None
        if preset.adversary:
            sizes = {s.size // generator.stride for s in preset.stages}
            if preset.adversary.kind == "dcgan" and len(sizes) > 1:
                raise ValueError("the dcgan discriminator ends in a Linear layer: all stages need one size")
            made = build_discriminator(preset.adversary.kind, max(sizes))
            self.discriminator = made.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.opponent = torch.optim.AdamW(
                made.parameters(),
                preset.adversary.learning_rate,
                betas=(0.5, 0.999),
                weight_decay=preset.adversary.weight_decay,
                fused=True,
            )
        self.plateaus: list[ReduceLROnPlateau] = []
        if preset.plateau:
            for optimiser in (self.optimiser, self.opponent):
                if optimiser is not None:
                    p = preset.plateau
                    self.plateaus.append(ReduceLROnPlateau(optimiser, factor=p.factor, patience=p.patience))
        self.stage: Stage | None = None
        self.head: nn.Module = Head(self.generator)
        self.judge: nn.Module | None = None
        self.skipped = 0  # steps of the discriminator, because it was too accurate

    @property
    def stride(self) -> int:
        return self.generator.stride

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        parts = {
            "generator": self.generator,
            "average": self.average,
            "optimiser": self.optimiser,
            "discriminator": self.discriminator,
            "opponent": self.opponent,
        }
        state: dict[str, Any] = {k: v.state_dict() for k, v in parts.items() if v is not None}
        state["plateaus"] = [p.state_dict() for p in self.plateaus]
        state |= {"step": self.step_number, "began": self.began, "skipped": self.skipped, "rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["rng_cuda"] = torch.cuda.get_rng_state(self.device)
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            ValueError: it is of another configuration.
        """
        try:
            for name in ("generator", "average", "optimiser", "discriminator", "opponent"):
                if (part := getattr(self, name)) is not None:
                    part.load_state_dict(state[name])
            for plateau, saved in zip(self.plateaus, state["plateaus"], strict=True):
                plateau.load_state_dict(saved)
            self.step_number, self.skipped = state["step"], state["skipped"]
            self.began = state.get("began", 0)
            torch.set_rng_state(state["rng"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"the checkpoint is of another configuration: {str(error).splitlines()[0]}") from error
        if self.device.type == "cuda" and "rng_cuda" in state:
            torch.cuda.set_rng_state(state["rng_cuda"], self.device)

    def enter(self, stage: Stage) -> None:
        """Freeze what `stage` freezes."""
        if stage is self.stage:
            return
        self.stage = stage
        set_trainable(self.generator, stage)
        head: nn.Module = Head(self.generator)
        if self.compiled:
            head = torch.compile(head, dynamic=False)  # type: ignore[assignment]
        self.head = self.group.wrap(head, self.device)
        if self.discriminator is not None:
            self.judge = self.group.wrap(self.discriminator, self.device)

    def step(self, batch: Batch) -> dict[str, float]:
        """One step on this process's share of a batch; gives the losses.

        Raises:
            FloatingPointError: a loss or a gradient is no longer finite; the weights are untouched.
        """
        preset, parts = self.preset, self.preset.accumulate
        self.enter(stage_at(preset, self.step_number))
        if not self.plateaus:
            rate = learning_rate(preset, self.step_number, self.began)
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group["scale"]
        fights = preset.adversary is not None and self.step_number >= preset.adversary.begin * preset.steps
        told: dict[str, float] = {}
        for part in range(parts):
            last = part == parts - 1
            lightness = batch.lightness.chunk(parts)[part].contiguous(memory_format=torch.channels_last)
            with contextlib.nullcontext() if last or self.group.world == 1 else self.head.no_sync():  # type: ignore[operator]
                conditions = None if batch.conditions is None else batch.conditions.chunk(parts)[part]
                told_part = self._backward(lightness, batch.ab.chunk(parts)[part], conditions, fights, last)
                for name, value in told_part.items():
                    told[name] = told.get(name, 0.0) + value / parts
        for name, value in told.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"{name} is {value} at step {self.step_number}")
        norm = float(nn.utils.clip_grad_norm_(self.generator.parameters(), preset.clip))
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient is {norm} at step {self.step_number}")
        if fights:
            told |= self._step_discriminator(told["accuracy"])
        self.optimiser.step()
        self.optimiser.zero_grad()
        update_average(self.average, self.generator, min(preset.ema, (1 + self.step_number) / (10 + self.step_number)))
        self.step_number += 1
        return told | {"norm": norm, "rate": self.optimiser.param_groups[-1]["lr"]}

    def _backward(
        self, lightness: Tensor, truth: Tensor, conditions: Tensor | None, fights: bool, last: bool
    ) -> dict[str, float]:
        """Losses of one part of a batch, their gradients added up."""
        preset, generator = self.preset, self.generator
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            out, pooled = self.head(lightness, conditions)
            out = out.float()
        total = out.new_zeros(())
        told: dict[str, float] = {}
        if self.knowledge is not None:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                loss = self.knowledge(lightness, pooled)
            total = total + preset.knowledge * loss
            told["knowledge"] = loss.item()
        ab = out
        if isinstance(generator, BinsGenerator):
            assert self.encode is not None
            loss = soft_cross_entropy(out, *self.encode(truth))
            total = total + preset.cross_entropy * loss
            told["loss"] = loss.item()
            if preset.consistency:
                view = View.draw(preset.seed, self.step_number)
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                    again = self.head(view.of(lightness, self.stride))[0].float()
                loss = disagreement(*view.overlap(out, again))
                total = total + preset.consistency * loss
                told["consistency"] = loss.item()
            ab = generator.decode(out) if fights or preset.l1 else out
        if preset.l1:
            loss = (ab - truth).abs().mean() / 110.0
            total = total + preset.l1 * loss
            told["l1"] = loss.item()
        if fights:
            assert self.discriminator is not None
            assert preset.adversary is not None
            small = F.avg_pool2d(lightness, self.stride) if self.stride > 1 else lightness
            told |= self._judge(small, ab.detach(), truth, last)
            self.discriminator.requires_grad_(False)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                verdict = self.discriminator(small, ab)
            loss = adversarial(verdict, 1.0)
            self.discriminator.requires_grad_(True)
            total = total + preset.adversary.weight * loss
            told["adversarial"] = loss.item()
        (total / preset.accumulate).backward()
        return told

    def _judge(self, small: Tensor, made: Tensor, truth: Tensor, last: bool) -> dict[str, float]:
        """The discriminator's loss and accuracy on one part of a batch, its gradient added up."""
        assert self.judge is not None
        assert self.preset.adversary is not None
        quiet = contextlib.nullcontext() if last or self.group.world == 1 else self.judge.no_sync()  # type: ignore[operator]
        with quiet:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                verdict = self.judge(torch.cat((small, small)), torch.cat((truth, made))).float()
            real, fake = verdict.chunk(2)
            loss = (adversarial(real, 1.0 - self.preset.adversary.smoothing) + adversarial(fake, 0.0)) / 2
            (loss / self.preset.accumulate).backward()
        right = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
        return {"discriminator": loss.item(), "accuracy": right.item()}

    def _step_discriminator(self, accuracy: float) -> dict[str, float]:
        """Step the discriminator unless it is not its turn, or it is too far ahead."""
        adversary, opponent = self.preset.adversary, self.opponent
        assert adversary is not None
        assert opponent is not None
        assert self.discriminator is not None
        ahead = self.group.mean(accuracy) > adversary.bound
        self.skipped += ahead
        if not ahead and self.step_number % adversary.every == 0:
            norm = float(nn.utils.clip_grad_norm_(self.discriminator.parameters(), self.preset.clip))
            if not math.isfinite(norm):
                raise FloatingPointError(f"the discriminator's gradient is {norm} at step {self.step_number}")
            opponent.step()
        opponent.zero_grad()
        return {"skipped": float(self.skipped), "discriminator_rate": opponent.param_groups[0]["lr"]}

    def scored(self, error: float, discriminator_loss: float | None) -> None:
        """Let the learning rates fall where the validation error or the discriminator's loss no longer does."""
        for plateau, value in zip(self.plateaus, (error, discriminator_loss), strict=False):
            if value is not None:
                plateau.step(value)


def prepare(preset: Preset, photos: Iterable[np.ndarray], init: Path | None = None) -> tuple[Generator, int]:
    """A generator to train, and the step of the run that it stands at.

    It is fresh, with its pretrained encoder, its bins and a head that starts at the prior; or, with `init`, the one of
    a model file (ONNX), whose batch norms are folded away and stay so, made larger where the preset's is; or a run's
    averaged weights (safetensors), and then the run goes on from their step.

    Raises:
        ValueError: the file at `init` holds another generator.
    """
    if init is not None:
        generator, step = load_average(init) if init.suffix == ".safetensors" else (load_generator(open_model(init)), 0)
        generator = grow(generator, replace(preset.generator, folded=generator.config.folded), init)
        if isinstance(generator, BinsGenerator):
            generator.set_bins(generator.centres, generator.log_prior)
        return generator.requires_grad_(True).train(), step
    generator = build(preset.generator)
    if isinstance(generator, BinsGenerator):
        load_pretrained(generator.encoder, preset.generator.encoder)
        sample = [to_lab(p[4::8, 4::8])[..., 1:].reshape(-1, 2) for p in photos]
        centres, log_prior = choose_bins(np.concatenate(sample), preset.generator.bins)
        generator.set_bins(torch.from_numpy(centres), torch.from_numpy(log_prior))
        head = generator.head[1]
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        nn.init.normal_(head.weight, std=0.01)
        head.bias.data.copy_(generator.log_prior)
    return generator, 0


def set_trainable(generator: nn.Module, stage: Stage) -> None:
    """Freeze what `stage` freezes."""
    generator.train()
    if not isinstance(generator, BinsGenerator):
        return
    encoder = generator.encoder
    encoder.requires_grad_(stage.encoder != "frozen")
    if stage.encoder in ("deep", "pointwise"):  # below /8 lie edges and textures: a third of the cost, little to learn
        for module in (encoder.stem, *encoder.blocks[: encoder.taps[0] + 1]):
            module.requires_grad_(False)
    if stage.encoder == "pointwise":  # less to overfit with
        for block in encoder.blocks:
            if isinstance(block, InvertedResidual):
                block.depthwise.requires_grad_(False)


def parameter_groups(generator: nn.Module, preset: Preset) -> list[dict]:
    """Encoder and decoder, each split into what decays (weights) and what does not (norms, biases)."""
    encoder = getattr(generator, "encoder", None)
    slow = {id(p) for p in encoder.parameters()} if isinstance(encoder, Encoder) else set()
    groups = []
    for is_slow in (True, False):
        for decays in (True, False):
            chosen = [p for p in generator.parameters() if (id(p) in slow) == is_slow and (p.ndim > 1) == decays]
            scale = preset.encoder_rate if is_slow else 1.0
            decay = preset.weight_decay if decays else 0.0
            rate = preset.learning_rate * scale
            groups.append({"params": chosen, "lr": rate, "scale": scale, "weight_decay": decay})
    return [g for g in groups if g["params"]]


def learning_rate(preset: Preset, step: int, began: int = 0) -> float:
    """Linear warm-up from step `began` on, where the optimiser knows nothing yet; then a cosine to 1 % of the peak, or
    the peak held and a straight fall to nought over the share `cooldown` of the run (Hu et al. 2024, MiniCPM)."""
    if step - began < preset.warmup:
        return preset.learning_rate * (step - began + 1) / preset.warmup
    if preset.cooldown is not None:
        return preset.learning_rate * min(1.0, (preset.steps - step) / (preset.cooldown * preset.steps))
    share = (step - preset.warmup) / max(1, preset.steps - preset.warmup)
    return preset.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def prepare_average(generator: Generator) -> Generator:
    average = build(generator.config).to(next(generator.parameters()).device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average.load_state_dict(generator.state_dict())
    return average.eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, generator: nn.Module, keep: float) -> None:
    """Exponential moving average of weights and norm statistics."""
    ours, theirs = average.state_dict(), generator.state_dict()
    moving = [k for k, v in ours.items() if v.is_floating_point()]
    torch._foreach_lerp_([ours[k] for k in moving], [theirs[k] for k in moving], 1.0 - keep)


def predictor(generator: nn.Module, device: torch.device | str, *, bf16: bool = False):
    """`generator` as a function of numpy arrays."""
    kind = torch.device(device).type

    @torch.inference_mode()
    def predict(lightness: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(lightness).to(device, memory_format=torch.channels_last)
        with torch.autocast(kind, torch.bfloat16, enabled=bf16):
            return generator(x).float().cpu().numpy()

    return predict


def wants_bf16(device: torch.device | str) -> bool:
    """Whether bf16 autocast is faster than fp32 on `device`: with tensor cores, or a CPU that multiplies bf16."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    told = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
    return any(bool(has and has()) for has in told)
