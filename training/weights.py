"""Trained weights wherever they lie: a run's averaged ones (safetensors) or a model file (ONNX)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vidcolor.backends.pytorch import load_generator
from vidcolor.models.files import open_model
from vidcolor.models.generators import Generator, GeneratorConfig, build


@dataclass(frozen=True)
class Run:
    """What weights were trained by, for a model file's metadata and its card."""

    step: int = 0
    preset: dict = field(default_factory=dict)  # options.json of the run; empty where it is not known
    scored: list[dict] = field(default_factory=list)  # rows of stats.jsonl that hold figures


def load_weights(path: Path | None) -> Generator:
    """The generator in a run's average.safetensors or in a model file, in eval mode; None: the shipped model.

    Raises:
        ValueError: the file at `path` holds no generator of ours (ModelError for an ONNX file).
    """
    if path is not None and path.suffix == ".safetensors":
        return load_average(path)[0].eval()
    return load_generator(open_model(path))


def load_average(path: Path) -> tuple[Generator, int]:
    """The generator in a run's average.safetensors, and its step.

    Raises:
        ValueError: it is no such file.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        generator = build(GeneratorConfig.from_dict(json.loads(facts["config"])))
        generator.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
        return generator, int(facts.get("step", 0))
    except (SafetensorError, OSError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: not the averaged weights of a run ({str(error).splitlines()[0]})") from error


def run_of(weights: Path, folder: Path | None = None) -> Run:
    """What the run of the averaged `weights` was, as its `folder` tells, the folder they lie in, or they themselves.

    Raises:
        ValueError: none of the three tells.
    """
    step = load_facts(weights).get("step", "0")
    for place in (folder, weights.parent, weights.parent.parent):
        if place and (place / "options.json").exists():
            return read_run(place, int(step))
    facts = load_facts(weights)
    if "preset" not in facts:
        raise ValueError(f"{weights}: does not tell how it was trained; give --run-folder")
    return Run(int(step), json.loads(facts["preset"]), json.loads(facts.get("scored", "[]")))


def load_facts(weights: Path) -> dict[str, str]:
    """The metadata of a safetensors file."""
    try:
        with safe_open(weights, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{weights}: cannot be read ({str(error).splitlines()[0]})") from error


def read_run(folder: Path, step: int) -> Run:
    """The run in `folder`, up to `step`."""
    stats = folder / "stats.jsonl"
    rows = [json.loads(line) for line in stats.read_text().splitlines()] if stats.exists() else []
    scored = [{k: v for k, v in row.items() if k != "rate"} for row in rows if "psnr" in row and row["step"] <= step]
    return Run(step, json.loads((folder / "options.json").read_text()), scored)
