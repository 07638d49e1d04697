"""Checksums of every decoded frame, in the format of FFmpeg's framemd5 muxer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

MAGIC = "#format: frame checksums"


@dataclass(frozen=True)
class Digest:
    """A frame as it is played."""

    time: Fraction  # seconds from the start of the file
    length: Fraction  # seconds that it is shown
    size: int  # bytes
    md5: str


def framemd5(path: Path) -> bytes:
    """What ``ffmpeg -i path -map 0:v:0 -bitexact -f framemd5 -`` prints of the first video stream.

    Frames are as the file holds them: of one that is turned for display, FFmpeg gives the same with -noautorotate.
    Where frames come at no steady rate, ticks are the container's, and FFmpeg gives the same with
    ``-fps_mode passthrough -enc_time_base demux``; by itself it would leave frames out.
    """
    with av.open(f"file:{path}") as film:
        stream = film.streams.video[0]
        digests = list(digests_of(film, stream))
        tick = tick_of(stream, digests)
        aspect = stream.sample_aspect_ratio or Fraction(0)
        width, height = stream.codec_context.width, stream.codec_context.height
    head = (
        MAGIC[1:], "version: 2", "hash: MD5", f"tb 0: {tick.numerator}/{tick.denominator}",
        "media_type 0: video", "codec_id 0: rawvideo", f"dimensions 0: {width}x{height}",
        f"sar 0: {aspect.numerator}/{aspect.denominator}",
        "stream#, dts,        pts, duration,     size, hash",
    )  # fmt: skip
    lines = [f"#{line}" for line in head] + [line_of(digest, tick) for digest in digests]
    return "".join(f"{line}\n" for line in lines).encode()


def line_of(digest: Digest, tick: Fraction) -> str:
    stamp, length = round(digest.time / tick), max(1, round(digest.length / tick))
    return f"0, {stamp:10}, {stamp:10}, {length:8}, {digest.size:8}, {digest.md5}"


def digests_of(film: InputContainer, stream: VideoStream) -> Iterator[Digest]:
    """Every frame of a stream."""
    start = Fraction(film.start_time or 0, av.time_base)
    usual = 1 / (stream.guessed_rate or Fraction(25))
    raw = av.CodecContext.create("rawvideo", "w")
    assert isinstance(raw, VideoCodecContext)
    raw.time_base = Fraction(1)
    for frame in film.decode(stream):
        if not raw.is_open:
            raw.width, raw.height, raw.pix_fmt = frame.width, frame.height, frame.format.name
        base, stamp = frame.time_base, frame.pts
        assert base is not None
        assert stamp is not None
        time, length = stamp * base - start, Fraction(frame.duration * base) if frame.duration else usual
        data = b"".join(bytes(packet) for packet in raw.encode(frame))  # which changes the frame's times
        yield Digest(time, length, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


def tick_of(stream: VideoStream, digests: Sequence[Digest]) -> Fraction:
    """The length of a frame where each begins at a tick of its own, else the container's tick."""
    assert stream.time_base is not None
    rate = stream.guessed_rate
    if rate and all(round(a.time * rate) < round(b.time * rate) for a, b in pairwise(digests)):
        return 1 / rate
    return stream.time_base
