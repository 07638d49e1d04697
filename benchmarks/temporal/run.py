"""Every way of colouring on every clip: `python -m benchmarks temporal`."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from benchmarks.temporal.clips import Clip, Footage, open_clip, read
from benchmarks.temporal.score import Row, score
from vidcolor.api import Colorizer
from vidcolor.frames.summary import Summary
from vidcolor.options import ColorizeOptions
from vidcolor.temporal.stabilizer import Stabilizer

WAYS = {
    "unsmoothed": ColorizeOptions(every=1, smoothing=0.0),
    "ema": ColorizeOptions(smoother="ema"),
    "flow, every frame": ColorizeOptions(smoother="flow", every=1),
    "flow": ColorizeOptions(smoother="flow"),
    "lookahead, every frame": ColorizeOptions(smoother="lookahead", every=1),
    "lookahead": ColorizeOptions(),
}
SIZE = (448, 256)
GOAL = 0.8  # of the truth's flicker, both relative to their colour


def temporal(clips: list[Path], ways: Mapping[str, ColorizeOptions] = WAYS, *, frames: int = 60) -> dict:
    """Scores of the truth and of each way, for at most `frames` frames of each clip; the keys are those of `score`,
    and the share of frames predicted. Model and backend are the default ones in every way.
    """
    rows: dict[str, list[Row]] = {name: [] for name in ("truth", *ways)}
    with tempfile.TemporaryDirectory() as folder, Colorizer() as colorizer:
        for path in clips:
            clip = open_clip(path, frames=frames)
            rows["truth"].append(score(clip.truth, clip))
            for name, options in ways.items():
                seen, done = colour(clip, colorizer, options, Path(folder) / "out.mkv")
                rows[name].append(score(seen, clip, rows["truth"][-1]) | work(done))
            print(path.stem, {k: rounded(v[-1]["flicker_to_truth"]) for k, v in rows.items()}, file=sys.stderr)
    ms = {name: smoother_ms(options, clip) for name, options in ways.items()}
    return {
        "clips": [c.stem for c in clips],
        "frames": frames,
        "smoother_ms": {"size": SIZE[::-1], **ms},
        "mean": {name: means(found) for name, found in rows.items()},
        "each": {name: [{k: rounded(v) for k, v in row.items()} for row in found] for name, found in rows.items()},
    }


def smoother_ms(options: ColorizeOptions, clip: Clip) -> float:
    """Milliseconds a frame of deflicker and smoother with a luma proxy of `SIZE`, one core, without the network."""
    frames = [cv2.resize(lab[..., 0], SIZE, interpolation=cv2.INTER_AREA) for lab in clip.truth.lab]
    ab = cv2.resize(clip.truth.ab[0], (SIZE[0] // 4, SIZE[1] // 4), interpolation=cv2.INTER_AREA)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    stabilizer = Stabilizer(lambda _, x: np.stack([ab] * len(x)), options)
    began = time.process_time()
    for number, lightness in enumerate(frames):
        stabilizer.push(number, lightness, "" if number else "first")
    stabilizer.finish()
    took = time.process_time() - began
    cv2.setNumThreads(threads)
    return round(1000.0 * took / len(frames), 2)


def colour(clip: Clip, colorizer: Colorizer, options: ColorizeOptions, out: Path) -> tuple[Footage, Summary]:
    """The coloured frames of the clip's window; its chroma is not read, so a colour clip serves as its grey version."""
    start, end = clip.span
    colorizer.options = dataclasses.replace(options, codec="ffv1", overwrite=True, start=start, end=end)
    done = colorizer.file(clip.path, out)
    return read(out, frames=len(clip.truth.rgb)), done


def work(done: Summary) -> Row:
    return {
        "predicted": done.predicted / done.frames,
    }


def means(rows: list[Row]) -> Row:
    """Means over the clips that have the figure, and the number of clips that reach the goal."""
    found: Row = {}
    for key in rows[0]:
        values = [v for row in rows if (v := row[key]) is not None]
        found[key] = rounded(float(np.mean(values)) if values else None)
    return found | {"steady_clips": sum((row["flicker_to_truth"] or 0.0) <= GOAL for row in rows)}


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
