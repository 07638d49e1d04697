"""How well a clip's own frames carry through it as references: `python -m benchmarks references`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.temporal.clips import CUTS, Clip, Footage, open_clip, read
from benchmarks.temporal.distribution import histogram
from benchmarks.temporal.run import means, rounded
from benchmarks.temporal.score import Row, score
from training.metrics import psnr
from vidcolor.api import Colorizer
from vidcolor.color.proxy import ProxySize
from vidcolor.options import ColorizeOptions
from vidcolor.temporal.motion import Motion, to_grid, warp_planes

STRIDE = 4  # of the network: pixels of the luma proxy to a cell of the a*b* grid
LATER = (10, 25)  # frames that are given instead of the first
SCORED = ("truth", "automatic", "chain", "reference")


def references(clips: list[Path], *, frames: int) -> dict:
    """Scores of the first `frames` frames of each clip; the keys are those of `score`.

    automatic: without a reference. chain: the first frame's true colour carried by a chain of Dense Inverse Search from
    frame to frame on the a*b* grid, and nothing else. reference: the first frame given as a picture.

    Of other references only PSNR: a later frame; the first with its right half transparent, on the two halves; the
    first frame of another clip.
    """
    rows: dict[str, list[Row]] = {name: [] for name in SCORED}
    other: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, Colorizer() as colorizer:
        for i, path in enumerate(clips):
            clip = open_clip(path, frames=frames, whole=True)
            trial = Trial(clip, colorizer, Path(folder))
            rows["truth"].append(score(clip.truth, clip))
            rows["chain"].append(score(chain(clip), clip, rows["truth"][-1]))
            automatic = trial.colored(())
            for name, seen in (("automatic", automatic), ("reference", trial.colored((trial.still(path, 0),)))):
                rows[name].append(score(seen, clip, rows["truth"][-1]))
            for name, value in trial.others(automatic, clips[i - 1]).items():
                other.setdefault(name, []).append(value)
            print(path.stem, {k: rounded(v[-1]["psnr"]) for k, v in rows.items()}, file=sys.stderr)
    names = [c.stem for c in clips]
    uncut = [i for i, name in enumerate(names) if name not in CUTS]
    return {
        "clips": names,
        "frames": frames,
        "mean": {name: means(found) for name, found in rows.items()},
        "without_cuts": {name: means([found[i] for i in uncut]) for name, found in rows.items()},
        "others": {name: rounded(float(np.mean(values))) for name, values in other.items()},
        "each": {name: [{k: rounded(v) for k, v in row.items()} for row in found] for name, found in rows.items()},
        "others_each": {name: [rounded(x) for x in values] for name, values in other.items()},
    }


class Trial:
    """One clip, coloured by the whole program again and again."""

    def __init__(self, clip: Clip, colorizer: Colorizer, folder: Path) -> None:
        self.clip, self.colorizer, self.folder = clip, colorizer, folder

    def colored(self, given: tuple[Path, ...]) -> Footage:
        """The clip in colour; its chroma is not read, so a colour clip serves as its grey version."""
        self.colorizer.options = ColorizeOptions(
            codec="ffv1", overwrite=True, references=given, end=self.clip.span[1]
        )  # fmt: skip
        out = self.folder / "out.mkv"
        self.colorizer.file(self.clip.path, out)
        return read(out, frames=len(self.clip.truth.rgb))

    def others(self, automatic: Footage, another: Path) -> dict[str, float]:
        """PSNR with other references."""
        found = {"automatic": self.psnr(automatic)}
        for number in LATER:
            found[f"frame {number}"] = self.psnr(self.colored((self.still(self.clip.path, number),)))
        half = self.colored((self.still(self.clip.path, 0, half=True),))
        middle = self.clip.truth.rgb[0].shape[1] // 2
        for name, side in (("given", slice(0, middle)), ("not given", slice(middle, None))):
            found[f"half {name}"] = self.psnr(half, side)
            found[f"half {name}, automatic"] = self.psnr(automatic, side)
        return found | {"another clip's": self.psnr(self.colored((self.still(another, 0),)))}

    def psnr(self, seen: Footage, columns: slice = slice(None)) -> float:
        pairs = zip(seen.rgb, self.clip.truth.rgb, strict=True)
        return float(np.mean([psnr(a[:, columns], b[:, columns]) for a, b in pairs]))

    def still(self, path: Path, number: int, *, half: bool = False) -> Path:
        """A frame of a clip as PNG; of a `half` the right side is transparent."""
        with av.open(str(path)) as container:
            frame = next(f for i, f in enumerate(container.decode(video=0)) if i == number)
        alpha = np.full((frame.height, frame.width), 255, np.uint8)
        picture: np.ndarray = np.dstack((frame.to_ndarray(format="bgr24"), alpha))
        if half:
            picture[:, frame.width // 2 :, 3] = 0
        target = self.folder / f"{path.stem}_ref_{number:06d}.png"
        cv2.imwrite(str(target), picture)
        return target


def chain(clip: Clip) -> Footage:
    """The first frame's a*b* moved from frame to frame by flow on the a*b* grid; the luma is the clip's own."""
    motion, lab = Motion(), clip.truth.lab
    height, width = lab[0].shape[:2]
    rows, columns = ProxySize.fit(width, height, ColorizeOptions().size).grid(STRIDE)
    ab = cv2.resize(lab[0][..., 1:], (columns, rows), interpolation=cv2.INTER_AREA)
    past, found = None, []
    for picture in lab:
        grey = motion.grey(to_grid(np.ascontiguousarray(picture[..., 0]), columns, rows))
        if past is not None:
            ab = warp_planes(ab, motion.find_warp(grey, past, columns, rows))
        past = grey
        found.append(np.dstack((picture[..., 0], cv2.resize(ab, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR))))
    rgb = [cv2.cvtColor(x, cv2.COLOR_LAB2RGB).clip(0.0, 1.0) for x in found]
    codes = [np.rint(x * 255.0).astype(np.uint8) for x in rgb]
    return Footage(rgb, found, np.stack([histogram(x) for x in codes]))
