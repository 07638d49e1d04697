"""A small film with everything that can get lost: shots, variable frame rate, sound and subtitles."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 160, 96
TICK = Fraction(1, 1000)
RATE = 8000  # of the sound


def make_film(path: Path, *, shots: int, shot: float = 10.5) -> Path:
    """A grey film of so many shots of `shot` seconds, in which frames stand for 0.2 to 0.5 s; made once.

    A segment of a film ends at the first cut after ten seconds, so each shot is one.
    """
    if path.exists():
        return path
    partial, rng = path.with_name("making.mkv"), np.random.default_rng(0)
    srt = path.with_suffix(".srt")
    srt.write_text("".join(subtitle(n, shot) for n in range(shots)))
    with av.open(str(partial), "w") as out, av.open(str(srt)) as lines:
        video = out.add_stream("libx264", rate=4, options={"preset": "ultrafast", "crf": "10"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = video.time_base = TICK
        tone = out.add_stream("aac", rate=RATE, layout="mono")
        text = out.add_stream_from_template(lines.streams[0])
        for packet in lines.demux():
            if packet.dts is not None:
                packet.stream = text
                out.mux(packet)
        time, sample = 0, 0
        for number in range(shots):
            noise = rng.uniform(20, 230, (12, 20)).astype(np.float32)
            scene = np.kron(noise, np.ones((16, 16), np.float32))
            end, step = round((number + 1) * shot * 1000), 0
            while time < end:
                out.mux(video.encode(grey(scene[step % 90 :, step % 150 :], time)))
                time, step = time + int(rng.integers(200, 500)), step + 1
                while sample * 1000 < time * RATE:
                    out.mux(tone.encode(sound(sample)))
                    sample += 1024
        out.mux(video.encode(None))
        out.mux(tone.encode(None))
    partial.rename(path)
    return path


def grey(scene: np.ndarray, time: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
        rows[:, : plane.width] = 128 if number else scene[:HEIGHT, :WIDTH].astype(np.uint8)
    frame.pts, frame.time_base = time, TICK
    return frame


def sound(sample: int) -> av.AudioFrame:
    wave = np.sin(np.arange(sample, sample + 1024) * (0.1 + sample / 1e7)).astype(np.float32)[None] / 4
    frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, sample, Fraction(1, RATE)
    return frame


def subtitle(number: int, shot: float) -> str:
    def stamp(seconds: float) -> str:
        return f"00:{int(seconds // 60):02d}:{int(seconds % 60):02d},{round(seconds % 1 * 1000):03d}"

    at = number * shot + 1
    return f"{number + 1}\n{stamp(at)} --> {stamp(at + 2)}\nline {number}\n\n"
