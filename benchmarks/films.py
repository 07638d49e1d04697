"""Grey films to measure on, made from colour clips."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np

from vidcolor.atomic import AtomicFile

RATE = 24


def clip_frames(clip: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(clip)) as container:
        yield from container.decode(video=0)


def make_film(clips: list[Path], target: Path, *, width: int, height: int, seconds: float, grey: bool = True) -> Path:
    """The clips in turn, scaled (Lanczos) and grey unless told otherwise, as H.264 at crf 18; made once."""
    if target.exists():
        return target
    wanted = round(seconds * RATE)
    with AtomicFile(target, overwrite=True) as partial, av.open(str(partial), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = 1
        frames = (f for clip in cycle(clips) for f in clip_frames(clip))
        for i, frame in zip(range(wanted), frames, strict=False):
            scaled = frame.reformat(width, height, "yuv420p", interpolation="LANCZOS")
            scaled.make_writable()
            for plane in scaled.planes[1:] if grey else ():
                np.frombuffer(memoryview(plane), np.uint8)[:] = 128
            scaled.pts, scaled.time_base, scaled.pict_type = i, Fraction(1, RATE), 0
            out.mux(stream.encode(scaled))
        out.mux(stream.encode(None))
    return target
