"""Colouring a film against a plain transcode of the same film at the same crf and preset, side by side."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from benchmarks.films import make_film
from vidcolor.api import Colorizer
from vidcolor.options import ColorizeOptions

SIZES = {"480p": (854, 480), "1080p": (1920, 1080), "4k": (3840, 2160)}
CLIPS = ("juggling_lawn", "dog_park", "bmx_fast_pan", "bear")
SHORTER = {"4k": 1 / 6}  # of the length asked for
CRF = 18
HELD = 48  # decoded frames in memory for the encoder alone


def transcode(source: Path, target: Path, preset: str) -> dict:
    """Decode and encode, nothing else: what the colouring is measured against."""
    began = time.perf_counter()
    count = 0
    with av.open(str(source)) as inp, av.open(str(target), "w", container_options={"movflags": "+faststart"}) as out:
        video = inp.streams.video[0]
        video.thread_type = "AUTO"
        options = {"crf": str(CRF), "preset": preset}
        stream = out.add_stream("libx264", rate=video.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, video.pix_fmt
        assert video.time_base is not None
        stream.codec_context.time_base = stream.time_base = video.time_base
        stream.codec_context.thread_type = "AUTO"
        for frame in inp.decode(video):
            frame.pict_type = 0
            out.mux(stream.encode(frame))
            count += 1
        out.mux(stream.encode(None))
    return {"seconds": time.perf_counter() - began, "frames": count}


def colorize(source: Path, target: Path, preset: str) -> dict:
    """The whole of `vidcolor source -o target`; loading the model is told apart."""
    began = time.perf_counter()
    options = ColorizeOptions(codec="x264", crf=CRF, preset=preset, overwrite=True)
    with Colorizer(options) as colorizer:
        load = time.perf_counter() - began
        summary = colorizer.file(source, target)
        return {
            "seconds": time.perf_counter() - began,
            "load": load,
            "frames": summary.frames,
            "predicted": summary.predicted,
            "busy": summary.busy,
            "backend": colorizer.backend.description,
        }


def decode(source: Path, target: Path, preset: str) -> dict:
    """Decode only: one limit of any way."""
    began = time.perf_counter()
    with av.open(str(source)) as inp:
        video = inp.streams.video[0]
        video.thread_type = "AUTO"
        count = sum(1 for _ in inp.decode(video))
    return {"seconds": time.perf_counter() - began, "frames": count}


def encode(source: Path, target: Path, preset: str) -> dict:
    """Encode only, frames that are decoded already, over and over: the other limit."""
    with av.open(str(source)) as inp:
        video = inp.streams.video[0]
        frames = list(itertools.islice(inp.decode(video), HELD))
        total, rate, base = video.frames, video.average_rate, video.time_base
    assert base is not None
    assert rate is not None
    began = time.perf_counter()
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": str(CRF), "preset": preset})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        stream.codec_context.thread_type = "AUTO"
        for i in range(total):
            frame = frames[i % len(frames)]
            frame.pts, frame.time_base, frame.pict_type = i, 1 / rate, 0  # type: ignore[assignment]
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return {"seconds": time.perf_counter() - began, "frames": total}


WORK = {"transcode": transcode, "colorize": colorize, "decode": decode, "encode": encode}
IN_COLOUR = "transcode in colour"  # the same clips with their own colour: an encoder has more to do then


def in_process(name: str, source: Path, preset: str) -> dict:
    """One measurement in a process of its own, for clean memory figures."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.throughput", name, str(source), f"{folder}/out.mp4", preset]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def throughput(clips: Path, work: Path, *, sizes: list[str], presets: list[str], seconds: float, runs: int) -> dict:
    """Ratios for each size and preset: each run does all, one after the other; the medians count."""
    rows = []
    for size in sizes:
        width, height = SIZES[size]
        length = seconds * SHORTER.get(size, 1.0)
        film, coloured = (
            make_film(
                [clips / f"{c}.mp4" for c in CLIPS], work / f"{size}-{length:g}s{name}.mp4",
                width=width, height=height, seconds=length, grey=not name,
            )
            for name in ("", "-colour")
        )  # fmt: skip
        for preset in presets:
            limits = {n: in_process(n, film, preset) for n in ("decode", "encode")}
            films = {"transcode": film, "colorize": film, IN_COLOUR: coloured}
            pairs = []
            for i in range(runs):  # in turn forwards and backwards: a machine that slows down favours neither
                order = list(films) if i % 2 == 0 else list(reversed(films))
                pairs.append({n: in_process(n.split()[0], films[n], preset) for n in order})
            rows.append(row(size, preset, pairs, limits))
            print(f"{size} {preset}: {rows[-1]['ratio']:.2f}", file=sys.stderr)
    return {"film": "clips at 24 fps, grey, H.264", "rows": rows}


def row(size: str, preset: str, pairs: list[dict], limits: dict[str, dict]) -> dict:
    def ratios_to(name: str, unit: str) -> list[float]:
        return [p["colorize"][unit] / p[name][unit] for p in pairs]

    ratios = ratios_to("transcode", "seconds")
    middle = pairs[ratios.index(statistics.median_low(ratios))]
    frames = middle["colorize"]["frames"]
    return {
        "size": size,
        "preset": preset,
        "frames": frames,
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(r, 3) for r in ratios],
        "cpu_ratio": round(statistics.median(ratios_to("transcode", "cpu")), 3),
        "ratio_in_colour": round(statistics.median(ratios_to(IN_COLOUR, "seconds")), 3),
        "transcode_fps": round(middle["transcode"]["frames"] / middle["transcode"]["seconds"], 2),
        "limits_fps": {n: round(x["frames"] / x["seconds"], 2) for n, x in limits.items()},
        "predicted": round(middle["colorize"]["predicted"] / frames, 3),
        "colorize_fps": round(frames / middle["colorize"]["seconds"], 2),
        "load_seconds": round(middle["colorize"]["load"], 2),
        "backend": middle["colorize"]["backend"],
        "ms_per_frame": {k: round(1000 * v / frames, 2) for k, v in middle["colorize"]["busy"].items()},
        "peak_mb": {n: round(x["peak_mb"]) for n, x in (limits | middle).items() if n in WORK},
    }


def memory(clips: Path, work: Path, *, lengths: tuple[float, float] = (10, 60), preset: str = "veryfast") -> dict:
    """Peak memory for a short and a long film of the same kind."""
    rows = []
    for seconds in lengths:
        film = make_film(
            [clips / f"{c}.mp4" for c in CLIPS], work / f"1080p-{seconds:g}s.mp4",
            width=1920, height=1080, seconds=seconds,
        )  # fmt: skip
        found = in_process("colorize", film, preset)
        rows.append({"seconds": seconds, "frames": found["frames"], "peak_mb": round(found["peak_mb"])})
        rows[-1]["fps"] = round(found["frames"] / found["seconds"], 2)
        print(rows[-1], file=sys.stderr)
    return {"rows": rows, "growth": round(rows[1]["peak_mb"] / rows[0]["peak_mb"], 3)}


def peak_mb() -> float:
    """The most memory this process has had, in MB; `ru_maxrss` would count its parent's before the start as well."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status says nothing of VmHWM")


def main(name: str, source: str, target: str, preset: str) -> None:
    began = time.process_time()
    result = WORK[name](Path(source), Path(target), preset)
    result["cpu"] = time.process_time() - began
    result["peak_mb"] = peak_mb()
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
