"""How well a film's own first frame carries through it as a reference: `python -m benchmarks references`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.temporal.clips import CUTS, Clip, Footage, open_clip, read
from benchmarks.temporal.run import means, rounded
from benchmarks.temporal.score import Row, score
from vidcolor.api import Colorizer
from vidcolor.color.proxy import ProxySize
from vidcolor.options import ColorizeOptions
from vidcolor.temporal.motion import Motion, to_grid, warp_planes

STRIDE = 4  # of the network: pixels of the luma proxy to a cell of the a*b* grid


def references(clips: list[Path], *, frames: int) -> dict:
    """Scores of the first `frames` frames of each clip in three ways; the keys are those of `score`, and the seconds.

    automatic: without a reference. chain: the reference carried by a chain of Dense Inverse Search from frame to frame
    on the a*b* grid, and nothing else, shown at the size of the frames. reference: the clip's first frame given.
    """
    rows: dict[str, list[Row]] = {name: [] for name in ("truth", "automatic", "chain", "reference")}
    with tempfile.TemporaryDirectory() as folder, Colorizer() as colorizer:
        for path in clips:
            clip = open_clip(path, frames=frames, whole=True)
            rows["truth"].append(score(clip.truth, clip))
            still = first_frame(path, Path(folder) / f"{path.stem}_ref_000000.png")
            for name, given in (("automatic", ()), ("reference", (still,))):
                rows[name].append(colored(clip, colorizer, given, Path(folder) / "out.mkv", rows["truth"][-1]))
            rows["chain"].append(score(chain(clip), clip, rows["truth"][-1]))
            print(path.stem, {k: rounded(v[-1]["psnr"]) for k, v in rows.items()}, file=sys.stderr)
    names = [c.stem for c in clips]
    uncut = [i for i, name in enumerate(names) if name not in CUTS]
    return {
        "clips": names,
        "frames": frames,
        "mean": {name: means(found) for name, found in rows.items()},
        "without_cuts": {name: means([found[i] for i in uncut]) for name, found in rows.items()},
        "each": {name: [{k: rounded(v) for k, v in row.items()} for row in found] for name, found in rows.items()},
    }


def colored(clip: Clip, colorizer: Colorizer, given: tuple[Path, ...], out: Path, truth: Row) -> Row:
    """The clip coloured by the whole program; its chroma is not read, so a colour clip serves as its grey version."""
    colorizer.options = ColorizeOptions(codec="ffv1", overwrite=True, references=given, end=clip.span[1])
    began = time.perf_counter()
    colorizer.file(clip.path, out)
    seconds = time.perf_counter() - began
    return score(read(out, frames=len(clip.truth.rgb)), clip, truth) | {"seconds": seconds}


def first_frame(path: Path, target: Path) -> Path:
    """A clip's first frame as PNG."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    cv2.imwrite(str(target), frame.to_ndarray(format="bgr24"))
    return target


def chain(clip: Clip) -> Footage:
    """The first frame's a*b* moved from frame to frame by flow on the a*b* grid; the luma is the clip's own."""
    motion, lab = Motion(), clip.truth.lab
    rows, columns = ProxySize.fit(*lab[0].shape[1::-1], ColorizeOptions().size).grid(STRIDE)
    past, found = None, []
    for picture in lab:
        grey = motion.grey(to_grid(np.ascontiguousarray(picture[..., 0]), columns, rows))
        if past is None:
            ab = cv2.resize(picture[..., 1:], (columns, rows), interpolation=cv2.INTER_AREA)
        else:
            ab = warp_planes(ab, motion.find_warp(grey, past, columns, rows))
        past = grey
        enlarged = cv2.resize(ab, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        found.append(np.dstack((picture[..., 0], enlarged)))
    rgb = [cv2.cvtColor(x, cv2.COLOR_LAB2RGB).clip(0.0, 1.0) for x in found]
    return Footage(rgb, found, np.zeros((len(rgb), 3, 256)))
