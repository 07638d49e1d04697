"""Colour and steadiness on real clips made grey, beside the truth: one row for each amount of smoothing."""

from __future__ import annotations

import dataclasses
import itertools
import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.temporal.flicker import chroma_change, flicker
from benchmarks.temporal.motion import agrees, flow
from training.metrics import colourfulness, psnr
from vidcolor.api import Colorizer
from vidcolor.options import ColorizeOptions

FRAMES = 40  # of each clip
LIGHTNESS_ONLY = np.array([1, 0, 0], np.float32)


def lab_frames(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Frames as float32 RGB in 0..1 and as LAB, at most `FRAMES` of them."""
    rgb: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            rgb.append(frame.to_ndarray(format="rgb24").astype(np.float32) / 255.0)
            if len(rgb) == FRAMES:
                break
    return rgb, [cv2.cvtColor(x, cv2.COLOR_RGB2LAB) for x in rgb]


def measure(rgb: list[np.ndarray], lab: list[np.ndarray], truth, came: list[tuple]) -> dict:
    """`came` is the flow back to the frame before and where the luma agrees along it, for each frame but the first."""
    ab = [x[..., 1:] for x in lab]
    found = {
        "psnr": float(np.mean([psnr(a, b) for a, b in zip(rgb, truth[0], strict=True)])),
        "colourfulness_abs": float(np.mean([colourfulness(x)[1] for x in rgb])),
        "flicker": flicker([chroma_change(*pair, *c) for pair, c in zip(itertools.pairwise(ab), came, strict=True)]),
    }
    found["flicker_per_colour"] = found["flicker"] / max(found["colourfulness_abs"], 1e-6)
    return {k: round(v, 4) for k, v in found.items()}


def quality(clips: list[Path], *, smoothings: list[float], sizes: list[int], paces: list[str]) -> dict:
    """Scores of the truth, of grey, of the coloured clips: for each smoothing and each size of the network's picture
    with the network on every frame, and for each pace (`--every`); the other options at their defaults. The chroma
    alone differs.
    """
    base = ColorizeOptions(codec="ffv1", overwrite=True, end=2.1, every=1)
    ways = {f"smoothing {s:g}": dataclasses.replace(base, smoothing=s) for s in smoothings}
    ways |= {f"size {s}": dataclasses.replace(base, size=s) for s in sizes}
    ways |= {f"every {p}": dataclasses.replace(base, every=None if p == "auto" else int(p)) for p in paces}
    rows: dict[str, list[dict]] = {name: [] for name in ("truth", "grey", *ways)}
    with tempfile.TemporaryDirectory() as folder, Colorizer(ColorizeOptions()) as colorizer:
        out = Path(folder) / "out.mkv"
        for clip in clips:
            truth = lab_frames(clip)
            lightness = [x[..., 0] for x in truth[1]]
            came = [(back := flow(b, a), agrees(a, b, back)) for a, b in itertools.pairwise(lightness)]
            rows["truth"].append(measure(*truth, truth, came) | {"predicted": 0.0})
            plain = [x * LIGHTNESS_ONLY for x in truth[1]]
            grey = [cv2.cvtColor(x, cv2.COLOR_LAB2RGB) for x in plain]
            rows["grey"].append(measure(grey, plain, truth, came) | {"predicted": 0.0})
            for name, options in ways.items():
                colorizer.options = options
                done = colorizer.file(clip, out)  # its chroma is not read, so a colour clip serves as its grey version
                seen = {"predicted": round(done.predicted / done.frames, 4)}
                rows[name].append(measure(*lab_frames(out), truth, came) | seen)
            print(clip.stem, {k: v[-1] for k, v in rows.items()}, file=sys.stderr)
    means = {k: {m: round(float(np.mean([r[m] for r in v])), 4) for m in v[0]} for k, v in rows.items()}
    return {"clips": [c.stem for c in clips], "frames": FRAMES, "mean": means, "each": rows}
