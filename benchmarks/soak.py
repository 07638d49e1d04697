"""Long runs: a film of two hours, and a live stream of a day by a fast clock. What a process holds must stay flat."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import psutil

WIDTH, HEIGHT, PIECE = 64, 36, 250  # frames of the piece that is encoded once and joined again and again
SETTLED, ENDING = 0.3, 0.95  # shares of a run between which what it holds is compared
LOOKS = 120  # at a process in a run, about
SMALL = ("--size", "32", "--preset", "ultrafast", "--json")


def soak(work: Path, *, hours: float, live_hours: float, rate: int = 25, live_rate: int = 1) -> dict[str, Any]:
    """Both runs, one after the other; figures as in README.md."""
    work.mkdir(parents=True, exist_ok=True)
    return {
        "film": soak_film(work, round(hours * 3600 * rate), rate),
        "live": soak_live(work, round(live_hours * 3600 * live_rate), live_rate),
    }


def piece() -> tuple[Any, list[bytes], bytes]:
    """A piece of a grey film in H.264 without B-frames: its packets, and what a decoder must know before."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt, context.time_base = WIDTH, HEIGHT, "yuv420p", Fraction(1, 25)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "50", "x264-params": "bframes=0"}
    context.flags |= 1 << 22  # the header in extradata
    columns, rows, packets = np.arange(WIDTH), np.arange(HEIGHT)[:, None], []
    for number in range(PIECE):
        turn = 2 * np.pi * number / PIECE
        luma = 120 + 60 * np.sin(columns / 9 + turn) + 40 * np.cos(rows / 5 - 2 * turn)
        planes = np.vstack([luma, np.full((HEIGHT // 2, WIDTH), 128)]).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts = number
        packets += [bytes(p) for p in context.encode(frame)]
    packets += [bytes(p) for p in context.encode(None)]
    return context, packets, bytes(context.extradata or b"")


def write_film(target: str | BinaryIO, format: str, frames: int, rate: int) -> None:
    """The piece again and again, by packets; only time stamps grow."""
    _, packets, header = piece()
    with av.open(target, "w", format=format) as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.extradata, stream.time_base = header, Fraction(1, rate)
        for number in range(frames):
            data = packets[number % PIECE]
            packet = av.Packet(header + data if number % 50 == 0 else data)
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = number
            packet.duration, packet.is_keyframe = 1, number % 50 == 0
            out.mux(packet)


def soak_film(work: Path, frames: int, rate: int) -> dict[str, Any]:
    """A film by its plan of segments, as a user has it."""
    source, target = work / "soak.mp4", work / "soaked.mp4"
    write_film(str(source), "mp4", frames, rate)
    with tempfile.TemporaryDirectory() as scratch:
        held = watch(["-m", "vidcolor", str(source), "-o", str(target), "-y", *SMALL], Path(scratch))
    with av.open(str(target)) as film:
        count = sum(p.size > 0 for p in film.demux(video=0))
    return {"frames": frames, "in_target": count, "hours": round(frames / rate / 3600, 2), **held}


def soak_live(work: Path, frames: int, rate: int) -> dict[str, Any]:
    """A stream through a pipe, whose time stamps go through the day as fast as it is coloured."""
    target = work / "live.ts"
    reading, writing = os.pipe()
    sender = threading.Thread(target=send, args=(writing, frames, rate))
    sender.start()
    arguments = ["-m", "vidcolor", "-", "-o", str(target), "-y", *SMALL]
    with tempfile.TemporaryDirectory() as scratch, os.fdopen(reading, "rb") as pipe:
        held = watch(arguments, Path(scratch), pipe)
    sender.join()
    with av.open(str(target)) as film:
        stamps = [p.pts * p.time_base for p in film.demux(video=0) if p.pts is not None]
    span = float(max(stamps) - min(stamps)) / 3600
    return {"frames": frames, "in_target": len(stamps), "hours": round(span, 2), **held}


def send(pipe: int, frames: int, rate: int) -> None:
    with os.fdopen(pipe, "wb") as file:
        write_film(file, "mpegts", frames, rate)


def watch(arguments: list[str], scratch: Path, stdin: BinaryIO | None = None) -> dict[str, Any]:
    """Run Python with `arguments` and look at it now and then: what it holds when settled and at its end."""
    environment = {**os.environ, "TMPDIR": str(scratch)}
    begun, looks, pause = time.monotonic(), [], 0.25
    with subprocess.Popen(
        [sys.executable, *arguments], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment
    ) as process:
        while process.poll() is None:
            time.sleep(pause)
            if (seen := look(process.pid, scratch)) is not None:
                looks.append(seen)
            pause = max(pause, (time.monotonic() - begun) / LOOKS)
        said = process.communicate()[0]
    told = json.loads(said)["files"][0]
    first, last = (looks[int(share * len(looks))] for share in (SETTLED, ENDING))
    names = ("memory_mb", "descriptors", "threads", "temporary_files")
    held = {name: {"settled": a, "end": b, "most": max(x[i] for x in looks)}
            for i, (name, a, b) in enumerate(zip(names, first, last, strict=True))}  # fmt: skip
    left = len(list(scratch.rglob("*")))
    return {"coloured": told["frames"], "dropped": told["dropped"], "seconds": round(time.monotonic() - begun),
            "looks": len(looks), **held, "left_files": left}  # fmt: skip


def look(pid: int, scratch: Path) -> tuple[float, int, int, int] | None:
    """Memory (MB), descriptors and threads of a process and those that it has started, and temporary files."""
    try:
        main = psutil.Process(pid)
        all_of = [main, *main.children(recursive=True)]
        memory = sum(p.memory_info().rss for p in all_of) / 2**20
        return (round(memory, 1), sum(p.num_fds() for p in all_of), sum(p.num_threads() for p in all_of),
                sum(path.is_file() for path in scratch.rglob("*")))  # fmt: skip
    except psutil.Error:
        return None
