"""How many frames are worth colouring, and what they buy where they are the truth: `python -m benchmarks cover`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.references import Trial
from benchmarks.temporal.clips import open_clip
from benchmarks.temporal.run import rounded
from vidcolor.api import Colorizer
from vidcolor.conditions.suggest import ShotStills
from vidcolor.film.stills import suggested, whole
from vidcolor.video.reader import Reader

COVERS = (0.5, 0.7, 0.8, 0.9, 0.95)  # shares of each shot's pixels
FILMS = (0.8, 0.9)  # the same, of grey films, of which stills are only counted


def cover(clips: list[Path], films: list[Path], *, frames: int) -> dict:
    """The curve over `COVERS` on the first `frames` frames of each clip, and stills a minute of `films`.

    The stills that `vidcolor references` would choose are given as the clip itself has them, in colour. A cover of 0 is
    without references.
    """
    each: dict[str, list[dict]] = {}
    lengths = {}
    with tempfile.TemporaryDirectory() as folder, Colorizer() as colorizer:
        for path in clips:
            clip = open_clip(path, frames=frames, whole=True)
            trial, known = Trial(clip, colorizer, Path(folder)), {}
            lengths[path.stem] = minutes(path, len(clip.truth.rgb))
            each[path.stem] = []
            for share in (0.0, *COVERS):
                shots = chosen(path, share, clip.span[1]) if share else []
                numbers = tuple(sorted(still.number for shot in shots for still in shot.stills))
                if numbers not in known:
                    known[numbers] = trial.psnr(trial.colored(tuple(trial.still(path, n) for n in numbers)))
                each[path.stem].append({
                    "cover": share, "stills": len(numbers), "covered": whole(shots) if shots else 0.0,
                    "psnr": rounded(known[numbers]),
                })  # fmt: skip
            print(path.stem, each[path.stem], file=sys.stderr)
    return {
        "frames": frames,
        "minutes": rounded(sum(lengths.values())),
        "mean": [mean(each, lengths, place) for place in range(len(COVERS) + 1)],
        "each": each,
        "films": {path.stem: [counted(path, share) for share in FILMS] for path in films},
    }


def mean(each: dict[str, list[dict]], lengths: dict[str, float], place: int) -> dict:
    """One point of the curve, over all clips."""
    rows = [found[place] for found in each.values()]
    stills = sum(row["stills"] for row in rows)
    return {
        "cover": rows[0]["cover"], "stills": stills, "a_minute": rounded(stills / sum(lengths.values())),
        "covered": rounded(float(np.mean([row["covered"] for row in rows]))),
        "psnr": rounded(float(np.mean([row["psnr"] for row in rows]))),
    }  # fmt: skip


def counted(path: Path, share: float) -> dict:
    """Stills of a film, and how long it took to find them."""
    began = time.perf_counter()
    shots = chosen(path, share, None)
    seconds = time.perf_counter() - began
    stills, frames = sum(len(shot.stills) for shot in shots), shots[-1].last + 1
    return {
        "cover": share, "shots": len(shots), "stills": stills, "frames": frames, "covered": whole(shots),
        "a_minute": rounded(stills / minutes(path, frames)), "fps": rounded(frames / seconds),
    }  # fmt: skip


def chosen(path: Path, share: float, end: float | None) -> list[ShotStills]:
    with Reader(path, end=end, packets=False) as reader:
        return suggested(reader, share, None, lambda: None)


def minutes(path: Path, frames: int) -> float:
    with Reader(path, packets=False) as reader:
        return frames / float(reader.info.rate or 24) / 60
