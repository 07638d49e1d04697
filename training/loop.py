"""The training loop: one run folder, resumed by the same command, stopped by steps or by time."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training import checkpoint
from training.bins import SoftEncoder, choose_bins
from training.data import batches, stage_at, to_lab
from training.encoders import load_pretrained
from training.evaluate import evaluate
from training.losses import soft_cross_entropy
from training.presets import Preset, Stage
from vidcolor.model import BinsGenerator, Encoder, InvertedResidual, UNet, build

SAVE_EVERY = 180.0  # seconds
LOG_EVERY = 50  # steps
SCORE_EVERY = 500  # steps


def train(
    preset: Preset,
    photos: list[np.ndarray],
    held_out: list[np.ndarray],
    out: Path,
    *,
    device: str = "cpu",
    time_limit: float = math.inf,
) -> bool:
    """Train into the folder `out`; True when the last step is done, False when `time_limit` (seconds) came first.

    `out` gets options.json, stats.jsonl (a line every `LOG_EVERY` steps, scores of the averaged weights on
    `held_out` every `SCORE_EVERY`) and last.pt, from which the same call goes on.

    Raises:
        FloatingPointError: the loss is no longer finite; last.pt is still the last good state.
    """
    began = saved = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    (out / "options.json").write_text(json.dumps(asdict(preset), indent=2))
    torch.manual_seed(preset.seed)
    generator = prepare(preset, photos).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = prepare_average(generator)
    optimiser = torch.optim.AdamW(parameter_groups(generator, preset), fused=True)
    step = 0
    if state := checkpoint.load(out / "last.pt"):
        generator.load_state_dict(state["generator"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["rng"])
        step = state["step"]
    encode = SoftEncoder(generator.centres.cpu().numpy()) if isinstance(generator, BinsGenerator) else None

    def save() -> None:
        state = {"generator": generator, "average": average, "optimiser": optimiser}
        state = {k: v.state_dict() for k, v in state.items()}
        checkpoint.save(out / "last.pt", state | {"step": step, "rng": torch.get_rng_state()})

    stage: Stage | None = None
    losses: list[float] = []
    for batch in batches(photos, preset, step, generator.stride):
        if stage is not stage_at(preset, step):
            stage = stage_at(preset, step)
            set_trainable(generator, stage)
        rate = learning_rate(preset, step)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        lightness = torch.from_numpy(batch.lightness).to(device, memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16):
            loss = generator_loss(generator, lightness, batch.ab, encode)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; the last good state is in {out}")
        loss.backward()
        norm = nn.utils.clip_grad_norm_(generator.parameters(), preset.clip)
        optimiser.step()
        optimiser.zero_grad()
        update_average(average, generator, min(preset.ema, (1 + step) / (10 + step)))
        step += 1

        losses.append(loss.item())
        late = time.monotonic() - began > time_limit
        if step % LOG_EVERY == 0 or step == preset.steps:
            row = {"step": step, "loss": round(float(np.mean(losses)), 4), "rate": rate, "norm": round(float(norm), 3)}
            row["seconds"] = round(time.monotonic() - began, 1)
            if step % SCORE_EVERY == 0 or step == preset.steps:
                row |= evaluate(held_out, predictor(average, device)).to_dict()
            with open(out / "stats.jsonl", "a") as log:
                log.write(json.dumps(row) + "\n")
            losses.clear()
        if late or step == preset.steps or time.monotonic() - saved > SAVE_EVERY:
            save()
            saved = time.monotonic()
        if late:
            break
    return step >= preset.steps


def prepare(preset: Preset, photos: list[np.ndarray]) -> BinsGenerator | UNet:
    """A fresh generator; the default one with its pretrained encoder, its bins and a head that starts at the prior."""
    generator = build(preset.generator)
    if isinstance(generator, BinsGenerator):
        load_pretrained(generator.encoder, preset.generator.encoder)
        sample = [to_lab(p)[4::8, 4::8, 1:].reshape(-1, 2) for p in photos]
        centres, log_prior = choose_bins(np.concatenate(sample), preset.generator.bins)
        generator.centres.copy_(torch.from_numpy(centres))
        generator.log_prior.copy_(torch.from_numpy(log_prior))
        head = generator.head[1]
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        nn.init.normal_(head.weight, std=0.01)
        head.bias.data.copy_(generator.log_prior)
    return generator


def generator_loss(
    generator: BinsGenerator | UNet, lightness: Tensor, ab: np.ndarray, encode: SoftEncoder | None
) -> Tensor:
    """Cross-entropy against softly encoded bins, or L1 on a*b* for a generator that regresses."""
    if encode is None or isinstance(generator, UNet):
        return (generator(lightness) - torch.from_numpy(ab).to(lightness.device)).abs().mean()
    index, weight = (torch.from_numpy(x).to(lightness.device) for x in encode(ab.transpose(0, 2, 3, 1)))
    return soft_cross_entropy(generator.logits(lightness), index, weight)


def set_trainable(generator: nn.Module, stage: Stage) -> None:
    """Freeze what `stage` freezes."""
    generator.train()
    if not isinstance(generator, BinsGenerator):
        return
    encoder = generator.encoder
    encoder.requires_grad_(stage.encoder != "frozen")
    if stage.encoder == "pointwise":  # half the cost of "all" on a CPU, and less to overfit with
        for module in (encoder.stem, *encoder.blocks[: encoder.taps[0] + 1]):
            module.requires_grad_(False)
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
            groups.append({"params": chosen, "scale": scale, "weight_decay": decay})
    return [g for g in groups if g["params"]]


def learning_rate(preset: Preset, step: int) -> float:
    """Linear warm-up, then a cosine to 1 % of the peak."""
    if step < preset.warmup:
        return preset.learning_rate * (step + 1) / preset.warmup
    share = (step - preset.warmup) / max(1, preset.steps - preset.warmup)
    return preset.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def prepare_average(generator: BinsGenerator | UNet) -> BinsGenerator | UNet:
    average = build(generator.config).to(next(generator.parameters()).device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average.load_state_dict(generator.state_dict())
    return average.eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, generator: nn.Module, keep: float) -> None:
    """Exponential moving average of weights and norm statistics."""
    ours, theirs = average.state_dict(), generator.state_dict()
    moving = [k for k, v in ours.items() if v.is_floating_point()]
    torch._foreach_lerp_([ours[k] for k in moving], [theirs[k] for k in moving], 1.0 - keep)


def predictor(generator: nn.Module, device: str):
    """`generator` as a function of numpy arrays, in bf16 where autocast allows it."""

    @torch.inference_mode()
    def predict(lightness: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(lightness).to(device, memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16):
            return generator(x).float().cpu().numpy()

    return predict
