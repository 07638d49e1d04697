"""Films to broadcast, processes that send and receive them, and what came of it."""

from __future__ import annotations

import dataclasses
import itertools
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.conftest import ROOT, SAMPLE
from tests.films import chroma_spread, read
from vidcolor.frames.summary import Summary
from vidcolor.live.streams.options import StreamOptions
from vidcolor.live.streams.stream import StreamHooks, colorize_stream

WIDTH, HEIGHT = 192, 144


def make_cast(
    target: Path, *, width: int = WIDTH, height: int = HEIGHT, form: str = "mp4", codec: str = "libx264"
) -> Path:
    """Six seconds of grey H.264 without B-frames, a key frame every twelve, and the sample's own AAC."""
    with av.open(str(SAMPLE)) as film, av.open(str(target), "w", format=form) as out:
        video = film.streams.video[0]
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": "12", "crf": "20"}
        made = out.add_stream(codec, rate=video.average_rate, options=options if codec == "libx264" else {"g": "12"})
        made.width, made.height, made.pix_fmt = width, height, "yuv420p"
        made.codec_context.time_base = made.time_base = video.time_base
        audio = out.add_stream_from_template(film.streams.audio[0], opaque=True)
        for packet in film.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                packet.stream = audio
                out.mux(packet)
                continue
            for frame in packet.decode():
                grey = frame.reformat(width, height, "yuv420p")
                for plane in grey.planes[1:]:
                    np.frombuffer(memoryview(plane), np.uint8)[:] = 128
                grey.pict_type = 0
                out.mux(made.encode(grey))
        out.mux(made.encode(None))
    return target


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def peer(*words: object):
    """One of tests.live.peer's processes, which is gone afterwards."""
    process = subprocess.Popen([sys.executable, "-m", "tests.live.peer", *map(str, words)], cwd=ROOT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


class Running:
    """colorize_stream in a thread; what it says is in `notes`."""

    def __init__(self, colorizer, source: str, target: str, options, **stream) -> None:
        self.stop, self.notes, self.pool = threading.Event(), [], ThreadPoolExecutor(1)
        self.counted = threading.Condition()
        self.frames = 0
        self.future: Future[Summary] = self.pool.submit(
            colorize_stream, source, target, colorizer.backend, options, StreamOptions(**stream),
            hooks=StreamHooks(stop=self.stop, note=self.note, progress=self.progress),
        )  # fmt: skip

    def note(self, text: str) -> None:
        with self.counted:
            self.notes.append(text)
            self.counted.notify_all()

    def progress(self, summary: Summary, _: int) -> None:
        with self.counted:
            self.frames = summary.frames
            self.counted.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something has happened."""
        with self.counted:
            assert self.counted.wait_for(lambda: condition() or self.future.done(), 60)
        assert condition(), self.future.exception() if self.future.done() else "it did not happen"

    def result(self) -> Summary:
        return self.future.result(60)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.pool.shutdown()


def times(path: Path) -> dict[str, list[Fraction]]:
    """Decoding times of each kind of stream, in seconds."""
    found: dict[str, list[Fraction]] = {}
    with av.open(str(path)) as film:
        for packet in film.demux():
            if packet.dts is not None:
                found.setdefault(packet.stream.type, []).append(packet.dts * packet.time_base)
    return found


def sound(path: Path) -> list[bytes]:
    """The packets of sound, without the header that MPEG-TS puts before AAC."""
    with av.open(str(path)) as film:
        packets = [bytes(p) for p in film.demux(audio=0) if p.size]
    return [p[7:] if p[:1] == b"\xff" and p[1] & 0xF0 == 0xF0 else p for p in packets]


def rising(values: list) -> bool:
    return all(b > a for a, b in itertools.pairwise(values))


def within(part: list[bytes], whole: list[bytes]) -> bool:
    """Whether `part` is an unbroken run of the packets of `whole`, sent over and over."""
    first = whole.index(part[0])
    return part == [whole[(first + i) % len(whole)] for i in range(len(part))]


def running(colorizer, source, target, *, changes=None, **stream):
    options = dataclasses.replace(colorizer.options, **(changes or {"preset": "ultrafast"}))
    return Running(colorizer, str(source), str(target), options, **stream)


def coloured(path) -> bool:
    frames = read(path).frames
    return chroma_spread(frames[len(frames) // 2]) > 1
