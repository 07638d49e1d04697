"""The curve of PSNR over colourfulness that one network spans by plain decodings: how networks are compared."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from training.decoding import sweep
from training.evaluate import evaluate
from training.trainer import predictor, wants_bf16
from vidcolor.models.generators import BinsGenerator, Generator

# Temperature and prior correction, from the safest to the most colourful.
POINTS = ((0.7, 0.0), (0.55, 0.1), (0.55, 0.2), (0.55, 0.3), (0.55, 0.4))


def curve(generator: Generator, sets: Mapping[str, Sequence[np.ndarray]]) -> dict:
    """Scores at each of `POINTS` on each of `sets` (uint8 RGB, of one size within a set), and with the generator's own
    decoding.

    Raises:
        ValueError: the generator predicts no distribution.
    """
    if not isinstance(generator, BinsGenerator):
        raise ValueError("the generator predicts no distribution, so there are no decodings to compare")
    began, bf16 = time.perf_counter(), wants_bf16("cpu")
    rows: dict[str, dict] = {}
    for name, photos in sets.items():
        own = evaluate(photos, predictor(generator.eval(), "cpu", bf16=bf16))
        plain = sweep(generator, photos, POINTS, bf16=bf16)
        rows[name] = {"pictures": len(photos), "own": own.to_dict(), "plain": [p.to_dict() for p in plain]}
    return {"sets": rows, "seconds": round(time.perf_counter() - began, 1)}


def table(found: dict) -> str:
    """PSNR / colourfulness (abs) of each set, for people."""
    lines = ["PSNR dB / colourfulness (abs): own decoding, then T, g " + "  ".join(f"{t:g} {g:g}" for t, g in POINTS)]
    for name, row in found["sets"].items():
        scores = [row["own"], *row["plain"]]
        lines.append(f"{name}: " + "  ".join(f"{s['psnr']:.2f}/{s['colourfulness_abs']:.1f}" for s in scores))
    return "\n".join([*lines, f"{found['seconds']} s"])
