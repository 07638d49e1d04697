"""Reading and making films for the tests, with PyAV alone, independent of the code under test."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    """The luma (or grey) samples of a frame of any format that has them, as decoded."""
    first = frame.format.components[0]
    dtype = np.dtype(np.uint8 if first.bits == 8 else np.uint16)
    plane = frame.planes[first.plane]
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    step = 2 if frame.format.name in ("ya8", "ya16le", "yuyv422") else 1
    return rows[:, : frame.width * step : step].copy()


@dataclass
class Film:
    times: list[Fraction]
    luma: list[np.ndarray]
    frames: list[av.VideoFrame]
    packets: list[list[tuple[Fraction | None, bytes]]]  # of each audio, subtitle and data stream, in stream order


def read(path: Path) -> Film:
    """All frames of the film's picture and all packets of the other streams."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        others = [s for s in container.streams if s.index != video.index and s.type != "attachment"]
        packets: dict[int, list] = {s.index: [] for s in others}
        frames = []
        for packet in container.demux():
            if packet.stream.index == video.index:
                frames += packet.decode()
            elif packet.dts is not None:
                time = packet.pts * packet.time_base if packet.pts is not None else None
                packets[packet.stream.index].append((time, bytes(packet)))
        times = [f.pts * video.time_base for f in frames]
        return Film(times, [luma_of(f) for f in frames], frames, list(packets.values()))


def make_grey(source: Path, target: Path, *, frames: int | None = None, aspect: Fraction | None = None) -> Path:
    """A grey copy of `source` in lossless H.264: its luma, neutral chroma, its time stamps, its other streams."""
    with av.open(str(source)) as inp, av.open(str(target), "w", format="mp4") as out:
        video = inp.streams.video[0]
        copy = out.add_stream("libx264", rate=video.average_rate, options={"qp": "0", "preset": "ultrafast"})
        ctx = video.codec_context
        copy.width, copy.height, copy.pix_fmt = ctx.width, ctx.height, "yuv420p"
        if aspect is not None:
            copy.codec_context.sample_aspect_ratio = aspect
        copy.codec_context.time_base = copy.time_base = video.time_base
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(copy.codec_context, name, getattr(ctx, name))
        audio = {s.index: out.add_stream_from_template(s) for s in inp.streams.audio}
        last = None
        count = 0
        for packet in inp.demux():
            if packet.dts is None and packet.stream.index != video.index:
                continue
            if packet.stream.index in audio:
                if last is None or packet.pts * packet.time_base < last:
                    packet.stream = audio[packet.stream.index]
                    out.mux(packet)
                continue
            for frame in packet.decode():
                count += 1
                if frames is not None and count > frames:
                    break
                if count == frames:
                    last = frame.pts * frame.time_base
                frame.make_writable()
                for plane in frame.planes[1:]:
                    np.frombuffer(memoryview(plane), np.uint8)[:] = 128
                frame.pict_type = 0
                out.mux(copy.encode(frame))
            if frames is not None and count > frames:
                break
        out.mux(copy.encode(None))
    return target


def make_mpegts(target: Path, *, frames: int = 25, aspect: Fraction | None = None, size=(320, 240)) -> Path:
    """A grey MPEG-2 film as cameras send it: a gradient that moves; 25 frames a second."""
    with av.open(str(target), "w", format="mpegts") as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", 5
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for i, part in enumerate(frame.planes):
                rows = np.frombuffer(memoryview(part), np.uint8).reshape(part.height, -1)
                rows[:] = 128 if i else (np.arange(rows.shape[1]) + 3 * number) % 200
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


def chroma_spread(frame: av.VideoFrame) -> float:
    """Standard deviation of the two chroma planes together, in codes of 8 bits: 0 for grey."""
    depth = frame.format.components[0].bits
    kind = np.uint8 if depth == 8 else np.uint16
    planes = [np.frombuffer(memoryview(p), kind).reshape(p.height, -1)[:, : p.width] for p in frame.planes[1:3]]
    return float(np.hypot(*(plane.astype(float).std() for plane in planes))) / 2 ** (depth - 8)
