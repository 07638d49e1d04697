"""Middle frames of clips, grey | coloured | truth, for the eye."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from vidcolor.api import Colorizer
from vidcolor.options import ColorizeOptions

BEFORE = 12  # frames that the smoothing sees before the one shown
HEIGHT = 200  # of each view, in pixels


def middle_frames(path: Path) -> list[np.ndarray]:
    """The frames up to the middle one, at most `BEFORE` before it, as uint8 RGB."""
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    middle = len(frames) // 2
    return frames[max(0, middle - BEFORE) : middle + 1]


def gallery(clips: list[Path], out: Path, model: Path | None = None) -> None:
    """One row for each of `clips`, written to the JPEG file `out`; a grey clip has no truth to show.

    `model` is an ONNX file, the shipped one by default.
    """
    rows = []
    with Colorizer(ColorizeOptions(model=model)) as colorizer:
        for clip in clips:
            frames = middle_frames(clip)
            grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
            coloured = list(colorizer.frames(grey))[-1]
            views = [np.repeat(grey[-1][..., None], 3, 2), coloured]
            if np.ptp(frames[-1].astype(int), axis=-1).mean() > 3.0:
                views.append(frames[-1])
            width = round(HEIGHT * grey[-1].shape[1] / grey[-1].shape[0])
            rows.append(np.hstack([cv2.resize(v, (width, HEIGHT), interpolation=cv2.INTER_AREA) for v in views]))
    widest = max(r.shape[1] for r in rows)
    rows = [np.pad(r, ((0, 4), (0, widest - r.shape[1]), (0, 0)), constant_values=255) for r in rows]
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(rows)).save(out, quality=85)
