"""The window's path: a camera's pipe, colour, and drawing on SDL's display without a screen."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import psutil

from benchmarks.live.camera import now_ms
from benchmarks.live.pattern import read
from vidcolor import ColorizeOptions, Colorizer
from vidcolor.errors import InputError
from vidcolor.live.capture import Capture
from vidcolor.live.colorizer import LiveColorizer
from vidcolor.live.controls import Controls
from vidcolor.live.newest import Closed, Newest
from vidcolor.live.session import LiveSession
from vidcolor.live.window import Status, Window

WIDTH, HEIGHT, RATE = 854, 480, 30.0  # of the camera
WARM_UP = 2.0  # seconds that are not counted: the network's first frames, the clocks of the processor


class PipeCamera(Capture):
    """`Capture` from the benchmark's camera instead of a device; all else is its own."""

    def __init__(self, pipe: Path) -> None:
        self.opened = False
        super().__init__(f"camera://{pipe}", Newest())

    def open(self):
        if self.opened:
            raise InputError(f"{self.source}: the camera is switched off")
        self.opened = True
        return av.open(self.source.removeprefix("camera://"), format="yuv4mpegpipe")


def window(clip: Path, seconds: float, *, rate: float = RATE) -> dict:
    """Latency in ms (capture to drawn), frames a second and memory."""
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    with tempfile.TemporaryDirectory() as folder, Colorizer(ColorizeOptions()) as colorizer:
        pipe = Path(folder) / "camera"
        os.mkfifo(pipe)
        size = [str(x) for x in (WIDTH, HEIGHT, rate, seconds + WARM_UP)]
        camera = subprocess.Popen([sys.executable, "-m", "benchmarks.live.camera", str(clip), str(pipe), *size])
        try:
            session = LiveSession(PipeCamera(pipe), LiveColorizer(colorizer.backend, colorizer.options))
            with session, Window("latency", Controls(mode="color"), (WIDTH, HEIGHT)) as screen:
                return watch(session, screen, rate) | {"backend": colorizer.backend.description}
        finally:
            camera.kill()
            camera.wait()


def watch(session: LiveSession, screen: Window, rate: float) -> dict:
    latencies, memory, lost = [], [], 0
    process, begun, sampled = psutil.Process(), time.monotonic(), 0.0
    first = None
    while True:
        try:
            shown = session.next(2.0)
        except Closed:
            break
        if shown is None:
            break
        screen.handle_events()
        screen.draw(shown, Status([]))
        drawn = now_ms()
        if time.monotonic() - begun < WARM_UP:
            dropped = session.dropped
            continue
        first = first or time.monotonic()
        last = time.monotonic()
        stamp = read(screen.pygame.surfarray.array_green(screen.surface).T)
        if stamp is None:
            lost += 1
        else:
            latencies.append(drawn - stamp)
        if last - sampled > 5.0:
            sampled = last
            memory.append(round(process.memory_info().rss / 1e6, 1))
    assert first is not None, "no frame came"
    return {
        "path": "window", "size": f"{WIDTH}x{HEIGHT}", "camera_fps": rate, "frames": len(latencies), "unreadable": lost,
        "fps": round((len(latencies) - 1) / (last - first), 2), "dropped": session.dropped - dropped,
        "latency_ms": percentiles(latencies), "memory_mb": memory,
    }  # fmt: skip


def percentiles(values: Sequence[float]) -> dict:
    found = np.percentile(values, [50, 95, 99])
    return {f"p{p}": round(float(v), 1) for p, v in zip((50, 95, 99), found, strict=True)}
