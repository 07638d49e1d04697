"""Checkpoints of a run: written whole or not at all, read without unpickling code."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def save(path: Path, state: dict) -> None:
    """Write `state` (tensors, numbers, strings and containers of them) beside `path`, then rename."""
    partial = path.with_name(path.name + ".part")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict | None:
    """The checkpoint at `path`, or None where there is none yet."""
    return torch.load(path, weights_only=True, map_location="cpu") if path.exists() else None
