"""A camera in a process of its own: raw pictures down a pipe, each with the time at which it was taken burnt in."""

from __future__ import annotations

import os
import sys
import time
from itertools import cycle
from pathlib import Path

import av
import numpy as np

from benchmarks.live.pattern import burn
from vidcolor.video.formats import plane

CLIP_FRAMES = 90  # kept decoded, so that the camera itself costs little


def now_ms() -> int:
    """Milliseconds of the clock that all processes of a machine share."""
    return time.monotonic_ns() // 1_000_000 % 2**32


def load(clip: Path, width: int, height: int) -> list[tuple[np.ndarray, bytes]]:
    """Luma and neutral chroma of the first frames, at the camera's size."""
    with av.open(str(clip)) as film:
        frames = [
            f.reformat(width, height, "yuv420p") for _, f in zip(range(CLIP_FRAMES), film.decode(video=0), strict=False)
        ]
    grey = bytes([128]) * (width * height // 2)
    return [(np.ascontiguousarray(plane(f, 0)), grey) for f in frames]


def main(clip: str, pipe: str, width: int, height: int, rate: float, seconds: float) -> None:
    """Y4M into `pipe` at `rate` frames a second; a frame that the reader has no room for is left out, as cameras do."""
    pictures = cycle(load(Path(clip), width, height))
    with open(pipe, "wb", buffering=0) as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F{round(rate * 1000)}:1000 Ip A1:1 C420jpeg\n".encode())
        begin, number = time.monotonic(), 0
        while number < seconds * rate:
            wait = begin + number / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            luma, chroma = next(pictures)
            taken = luma.copy()
            burn(taken, now_ms())
            out.write(b"FRAME\n")
            write_all(out.fileno(), taken.tobytes() + chroma)
            number = max(number + 1, int((time.monotonic() - begin) * rate))


def write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


if __name__ == "__main__":
    film, pipe, *numbers = sys.argv[1:]
    main(film, pipe, int(numbers[0]), int(numbers[1]), float(numbers[2]), float(numbers[3]))
