"""Flicker for the eye: its course over a clip, and one row of pixels over time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from matplotlib.figure import Figure

from benchmarks.temporal.clips import Clip, Footage, open_clip
from benchmarks.temporal.flicker import changes, flicker_by_frame
from benchmarks.temporal.run import WAYS, colour
from vidcolor.api import Colorizer
from vidcolor.options import ColorizeOptions

SHOWN_LIGHTNESS = 65.0  # L* at which the colours of a slice are shown without their luma
GAIN = 2.0  # of those colours
PAGE = {"dpi": 96, "pil_kwargs": {"optimize": True}}


DRAWN = {name: WAYS[name] for name in ("unsmoothed", "flow", "lookahead")}


def draw(
    path: Path, folder: Path, ways: Mapping[str, ColorizeOptions] = DRAWN, *, frames: int = 60, row: int | None = None
) -> list[Path]:
    """Write `flicker-CLIP.png` and `xt-CLIP.png` of the truth and each way into `folder`, and the film
    `side-CLIP.mp4`, from left to right the truth's luma and each way.

    `row` is counted at half the clip's height; None takes the one with the most colour and motion.
    """
    clip = open_clip(path, frames=frames)
    shown = {"truth": clip.truth}
    with tempfile.TemporaryDirectory() as work, Colorizer() as colorizer:
        for name, options in ways.items():
            shown[name], _ = colour(clip, colorizer, options, Path(work) / "out.mkv")
    folder.mkdir(parents=True, exist_ok=True)
    if row is None:
        row = liveliest_row(shown.values())
    pages = {f"flicker-{path.stem}.png": over_time(clip, shown), f"xt-{path.stem}.png": slices(clip, shown, row)}
    for name, page in pages.items():
        page.savefig(folder / name, **PAGE)  # type: ignore[arg-type]
    side_by_side(clip, [shown[name] for name in ways], folder / f"side-{path.stem}.mp4")
    return [folder / name for name in (*pages, f"side-{path.stem}.mp4")]


def side_by_side(clip: Clip, shown: Sequence[Footage], target: Path) -> None:
    """A film of grey and `shown` beside each other, at half the clip's size."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=clip.rate, options={"crf": "20", "preset": "slow"})
        stream.pix_fmt = "yuv420p"
        height, width = clip.truth.lab[0].shape[:2]
        stream.height, stream.width = height // 2 * 2, (1 + len(shown)) * width // 2 * 2
        for i, lab in enumerate(clip.truth.lab):
            grey = to_rgb(lab * np.array([1, 0, 0], np.float32))
            wide = np.hstack([grey, *(seen.rgb[i] for seen in shown)])
            codes = np.rint(255 * wide[: stream.height, : stream.width]).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(codes), "rgb24")))
        out.mux(stream.encode(None))


def over_time(clip: Clip, shown: Mapping[str, Footage]) -> Figure:
    """Flicker of each frame, a curve for each of `shown`."""
    page = Figure(figsize=(9, 3.2), layout="constrained")
    axes = page.add_subplot()
    for i, (name, seen) in enumerate(shown.items()):
        curve = flicker_by_frame(changes(seen.ab, clip.pairs))
        frames = clip.start + np.arange(1, len(curve) + 1)
        axes.plot(frames, curve, label=name, color="black" if i == 0 else f"C{i - 1}", linewidth=1.5)
    for cut in clip.cuts:
        axes.axvline(clip.start + cut, color="grey", linestyle=":")
    axes.set(xlabel="frame", ylabel="RMS change of a*b*", ylim=(0, None))
    note = " (dotted: cuts)" if clip.cuts else ""
    axes.set_title(f"{clip.path.stem}: change of a*b* along motion{note}", fontsize=11)
    page.legend(loc="outside lower center", ncols=5, fontsize=9, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return page


def slices(clip: Clip, shown: Mapping[str, Footage], row: int) -> Figure:
    """One row of pixels, time running down: on the left as seen, on the right the colour alone."""
    page = Figure(figsize=(9, 0.5 + 1.3 * len(shown)), layout="constrained")
    grid = page.subplots(len(shown), 2, squeeze=False)
    last = clip.start + len(clip.truth.lab) - 1
    for line, (name, seen) in zip(grid, shown.items(), strict=True):
        lab = np.stack([x[row] for x in seen.lab])
        for axes, picture in zip(line, (lab, alone(lab)), strict=True):
            axes.imshow(to_rgb(picture), aspect="auto", interpolation="nearest")
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize=9)
    grid[0][0].set_title(f"{clip.path.stem}: row {2 * row}, frames {clip.start} to {last} downwards", fontsize=9)
    grid[0][1].set_title(f"its colour alone, {GAIN:g} times as strong: flicker is bands across", fontsize=9)
    return page


def liveliest_row(shown: Iterable[Footage]) -> int:
    """The row with the most of change of luma times chroma, of the way that has the least there."""
    shown = list(shown)
    luma = np.stack([x[..., 0] for x in shown[0].lab])
    chroma = [np.stack([np.hypot(*cv2.split(x)).mean(-1) for x in seen.ab]).mean(0) for seen in shown]
    lively = np.minimum.reduce(chroma) * np.abs(np.diff(luma, axis=0)).mean((0, 2))
    return int(cv2.GaussianBlur(lively[:, None], (1, 0), 1.0, sigmaY=2.0).argmax())


def alone(lab: np.ndarray) -> np.ndarray:
    """Its a*b* at one lightness, `GAIN` times as strong."""
    return np.dstack([np.full(lab.shape[:2], SHOWN_LIGHTNESS, np.float32), GAIN * lab[..., 1:]])


def to_rgb(lab: np.ndarray) -> np.ndarray:
    return np.clip(cv2.cvtColor(np.ascontiguousarray(lab), cv2.COLOR_LAB2RGB), 0.0, 1.0)
