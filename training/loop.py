"""The training loop: one run folder, resumed by the same command, stopped by steps or by time."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn import functional as F

from training.data import Feed, to_lab
from training.distributed import Group
from training.evaluate import evaluate
from training.export import export_safetensors
from training.losses import soft_cross_entropy
from training.perceptual import SqueezeNet
from training.pictures import Pictures
from training.presets import Preset
from training.runs import RunFolder
from training.sheet import contact_sheet, square
from training.trainer import Trainer, predictor
from training.weights import read_run
from vidcolor.models.generators import BinsGenerator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How a run is carried out; none of it changes what comes out, but for precision."""

    device: str = "cpu"
    bf16: bool = False
    compiled: bool = False
    resident: bool = False  # photographs on the device
    by_part: bool = False  # one part of the npy layout after the other
    time_limit: float = math.inf  # seconds
    save_every: float = 180.0  # seconds
    log_every: int = 50  # steps
    sample_every: int = 500  # steps
    keep: bool = False  # the averaged weights of every scoring, to choose from
    init: Path | None = None  # model file to start from
    anew: bool = False  # at step 0, where the file says another


def train(
    preset: Preset,
    photos: Pictures | Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    out: Path,
    options: Options | None = None,
    group: Group | None = None,
) -> bool:
    """Train into the folder `out`; True when the last step is done, False when the time limit came first.

    `out` gets options.json, stats.jsonl, samples, plots, TensorBoard's files and last.pt, from which the same call goes
    on. The averaged weights are scored on `held_out` every `preset.score_every` steps.

    Raises:
        FloatingPointError: a loss or a gradient is no longer finite; last.pt is still the last good state.
        ValueError: the folder is in use, holds another configuration or lacks space.
    """
    options, group = options or Options(), group or Group()
    with _folder(preset, out, options, group) as folder:
        return _train(preset, photos, held_out, folder, options, group)


@contextlib.contextmanager
def _folder(preset: Preset, out: Path, options: Options, group: Group) -> Iterator[RunFolder | None]:
    """The run folder, for the first process only."""
    if not group.first:
        yield None
        return
    facts: dict[str, Any] = asdict(preset)
    facts["init"] = str(options.init.name) if options.init else None
    with RunFolder(out, facts) as folder:
        yield folder


def _train(
    preset: Preset,
    photos: Pictures | Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    folder: RunFolder | None,
    options: Options,
    group: Group,
) -> bool:
    began = saved = time.monotonic()
    device = torch.device(options.device, group.local) if options.device == "cuda" else torch.device(options.device)
    trainer = Trainer(
        preset,
        photos,
        device=device,
        group=group,
        bf16=options.bf16,
        compiled=options.compiled,
        init=options.init,
        anew=options.anew,
    )
    features = SqueezeNet() if preset.adversary and folder else None
    state = _shared_state(folder, group)  # last, for it sets the random numbers
    if state:
        trainer.load(state)
    if folder:
        folder.forget_after(trainer.step_number)
        folder.check_space(size_of(trainer.state()))
    feed = Feed(
        photos,
        preset,
        trainer.stride,
        device=device,
        resident=options.resident,
        by_part=options.by_part,
        rank=group.rank,
        world=group.world,
    )
    means = Means(state["recent"] if state else None)
    every = max(1, len(photos) // len(held_out))
    seen = [square(photos[i], 256) for i in range(0, len(photos), every)][: len(held_out)]
    small = [square(p, min(256, preset.stages[-1].size)) for p in held_out[:8]]

    def save() -> None:
        if folder:
            folder.save(trainer.state() | {"recent": means.state()})
            run = read_run(folder.path, trainer.step_number)
            export_safetensors(trainer.average, folder.path / "average.safetensors", run)

    def score() -> dict[str, float]:
        row: dict[str, float] = {}
        if folder:
            predict = predictor(trainer.average, device, bf16=options.bf16)
            row = evaluate(held_out, predict, features=features).to_dict() | gap(trainer, held_out, seen)
            run = read_run(folder.path, trainer.step_number)
            run = replace(run, scored=[*run.scored, {"step": trainer.step_number} | row])
            export_safetensors(trainer.average, folder.path / "average.safetensors", run)
            if options.keep:
                (folder.path / "weights").mkdir(exist_ok=True)
                kept = folder.path / "weights" / f"{trainer.step_number:06}.safetensors"
                export_safetensors(trainer.average, kept, run)
        error = group.from_first(row.get("delta_ab", 0.0))
        judged = means.since_scoring("discriminator")
        trainer.scored(error, None if judged is None else group.mean(judged))
        return row

    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(_progress(preset, trainer)) if group.first else None
        if folder:
            stack.callback(folder.plot)
        try:
            for batch in feed.batches(trainer.step_number, preset.steps):
                means.add(trainer.step(batch))
                step = trainer.step_number
                if bar:
                    bar.update(bar.task_ids[0], completed=step, loss=means.newest)
                row: dict[str, float] = {}
                done = step == preset.steps
                if step % preset.score_every == 0 or done:
                    row = score()
                if step % options.log_every == 0 or step % preset.score_every == 0 or done:
                    losses = {k: float(f"{group.mean(v):.5g}") for k, v in means.take().items()}
                    row = {"step": step} | losses | row | {"seconds": round(time.monotonic() - began, 1)}
                    if folder:
                        folder.log(row)
                        log.info("%s", "  ".join(f"{k} {v:g}" for k, v in row.items()))
                if folder and (step % options.sample_every == 0 or done):
                    sheet = contact_sheet(small, predictor(trainer.average, device), columns=2, rows=4)
                    folder.sample(step, sheet)
                late = bool(group.from_first(float(time.monotonic() - began > options.time_limit)))
                if late or done or time.monotonic() - saved > options.save_every:
                    save()
                    saved = time.monotonic()
                    if folder and step % preset.score_every == 0:
                        folder.plot()
                if late:
                    break
        except FloatingPointError as error:
            where = f"; the last good state is in {folder.checkpoint}" if folder else ""
            raise FloatingPointError(f"{error}{where}") from None
    return trainer.step_number >= preset.steps


@torch.inference_mode()
def gap(trainer: Trainer, unseen: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> dict[str, float]:
    """Cross-entropy of the averaged weights on pictures that were not trained on, and on such that were.

    The further apart they are, the more is learnt by heart: it says when to stop, and when more data would help.
    """
    if trainer.encode is None or not isinstance(trainer.average, BinsGenerator):
        return {}
    found = {}
    for name, photos in (("unseen", unseen), ("seen", seen)):
        losses = []
        for i in range(0, len(photos), 20):
            lab = torch.from_numpy(np.stack([to_lab(p) for p in photos[i : i + 20]])).permute(0, 3, 1, 2)
            lab = lab.to(trainer.device, memory_format=torch.channels_last)
            with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.bf16):
                logits = trainer.average.logits(lab[:, :1])
            losses.append(soft_cross_entropy(logits, *trainer.encode(F.avg_pool2d(lab[:, 1:], trainer.stride))).item())
        found[name] = round(float(np.mean(losses)), 4)
    return found


def _shared_state(folder: RunFolder | None, group: Group) -> dict[str, Any] | None:
    """The checkpoint, as the first process reads it, for all."""
    state = folder.load() if folder else None
    if group.world > 1:
        box = [state]
        torch.distributed.broadcast_object_list(box, 0)
        state = box[0]
    return state


class Means:
    """Means of the losses since they were last logged, and since the last scoring."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.logged: dict[str, list[float]] = defaultdict(list, (state or {}).get("logged", {}))
        self.scored: dict[str, list[float]] = defaultdict(list, (state or {}).get("scored", {}))
        self.newest = math.nan

    def state(self) -> dict[str, Any]:
        return {"logged": dict(self.logged), "scored": dict(self.scored)}

    def add(self, told: dict[str, float]) -> None:
        self.newest = told.get("loss", told.get("l1", math.nan))
        for name, value in told.items():
            self.logged[name].append(value)
        if "discriminator" in told:
            self.scored["discriminator"].append(told["discriminator"])

    def take(self) -> dict[str, float]:
        """Means since the last call; counts and rates as they are now."""
        latest = ("rate", "discriminator_rate", "skipped")
        row = {k: float(v[-1] if k in latest else np.mean(v)) for k, v in self.logged.items()}
        self.logged.clear()
        return row

    def since_scoring(self, name: str) -> float | None:
        values = self.scored.pop(name, None)
        return float(np.mean(values)) if values else None


def size_of(state: Any) -> int:
    """Bytes of the tensors in a state."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    if isinstance(state, dict):
        return sum(size_of(v) for v in state.values())
    return sum(size_of(v) for v in state) if isinstance(state, list | tuple) else 0


def _progress(preset: Preset, trainer: Trainer) -> Progress:
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal)
    bar.add_task("training", total=preset.steps, completed=trainer.step_number, loss=math.nan)
    return bar
