"""Checksums of frames: those that FFmpeg's own muxer writes."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vidcolor.video.framemd5 import framemd5


def make(path, stamps, *, pix_fmt="yuv420p", size=(34, 18), aspect=None):
    """A lossless film of noise whose frames begin at `stamps` milliseconds."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for stamp in stamps:
            frame = av.VideoFrame(*size, pix_fmt)
            for plane in frame.planes:
                plane.update(rng.bytes(plane.buffer_size) if "10" not in pix_fmt else bytes(plane.buffer_size))
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def by_ffmpeg(path, tick: Fraction, target) -> bytes:
    """FFmpeg's framemd5 muxer, given the frames as raw video."""
    with (
        av.open(str(path)) as film,
        av.open(str(target), "w", format="framemd5", options={"fflags": "+bitexact"}) as out,
    ):
        video = film.streams.video[0]
        raw = out.add_stream("rawvideo", rate=25)
        raw.width, raw.height, raw.pix_fmt = video.width, video.height, video.codec_context.pix_fmt
        raw.codec_context.time_base = raw.time_base = tick
        raw.codec_context.sample_aspect_ratio = video.sample_aspect_ratio or Fraction(0, 1)
        start = Fraction(film.start_time, av.time_base)
        for frame in film.decode(video):
            stamp, length = frame.pts * frame.time_base - start, (frame.duration or 0) * frame.time_base
            for packet in raw.codec_context.encode(frame):
                packet.pts = packet.dts = round(stamp / tick)
                packet.duration, packet.time_base, packet.stream = max(1, round(length / tick)), tick, raw
                out.mux(packet)
    return target.read_bytes()


@pytest.mark.parametrize(
    ("stamps", "tick"),
    [((0, 40, 80, 120), Fraction(1, 25)), ((120, 160, 201, 239), Fraction(1, 25)),
     ((0, 40, 55, 300, 301), Fraction(1, 1000)), ((0,), Fraction(1, 25))],
    ids=["steady", "rounded", "variable", "one"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [{}, {"pix_fmt": "yuv422p10le"}, {"pix_fmt": "gray", "aspect": Fraction(16, 15)}])
def test_they_are_those_of_ffmpegs_muxer(tmp_path, stamps, tick, kind):
    film = make(tmp_path / "film.mkv", stamps, **kind)
    found = framemd5(film)
    assert found == by_ffmpeg(film, tick, tmp_path / "other.framemd5")
    assert found.count(b"\n0, ") == len(stamps)


def test_another_sample_is_another_checksum(tmp_path):
    one, other = (framemd5(make(tmp_path / f"{n}.mkv", range(0, 40 * n, 40))) for n in (3, 4))
    assert other.startswith(one)
    assert len({line.split(b", ")[-1] for line in other.splitlines() if line.startswith(b"0")}) == 4
