"""Sound that a container cannot hold: every channel in its place, and as many bits."""

import io
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from tests.conftest import SAMPLE
from vidcolor.options import EncodeOptions
from vidcolor.video.convert import AudioConverter, layout_for, without_place
from vidcolor.video.encoder import Encoder, video_settings
from vidcolor.video.muxer import Muxer
from vidcolor.video.reader import Reader

RATE = 48000


def film(path, codec, layout, samples, form):
    """A second of grey with sound: `samples` of each channel in turn."""
    with av.open(str(path), "w") as out:
        picture = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream(codec, rate=RATE, layout=layout)
        sound.codec_context.format = form
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(picture.encode(frame))
        made = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), form, layout)
        made.sample_rate, made.pts, made.time_base = RATE, 0, Fraction(1, RATE)
        fifo = av.AudioFifo()
        fifo.write(made)
        for piece in fifo.read_many(1024, partial=True):
            out.mux(sound.encode(piece))
        out.mux(picture.encode(None))
        out.mux(sound.encode(None))
    return path


def remuxed(source, target):
    """The film's sound in another container."""
    with Reader(source) as reader:
        settings = video_settings(reader.info, EncodeOptions(), "vp9" if target.suffix == ".webm" else "x264")
        codec = "vp9" if target.suffix == ".webm" else "x264"
        muxer = Muxer(target, reader.info, settings, codec=codec, others=reader.others)
        encoder = Encoder(settings, muxer.video.codec_context)
        for item in reader:
            if isinstance(item, av.VideoFrame):
                muxer.mux_video(encoder.encode(item))
            else:
                muxer.mux_other(item)
        muxer.mux_video(encoder.finish())
        muxer.finish()
    return muxer.warnings


def sound(path):
    with av.open(str(path)) as made:
        stream = made.streams.audio[0]
        names = [c.name for c in stream.codec_context.layout.channels]
        packed = stream.codec_context.format.packed.name
        resampler = av.AudioResampler(packed, stream.codec_context.layout, RATE)  # PyAV fails on eight planes
        frames = [out.to_ndarray() for frame in made.decode(stream) for out in resampler.resample(frame)]
        samples = np.concatenate(frames, axis=1).reshape(-1, len(names))
        return stream.codec_context.name, names, samples.T


@pytest.mark.parametrize("layout", ["2.1", "3.0", "5.0", "5.0(side)", "5.1(side)", "6.1", "7.1"])
@pytest.mark.parametrize("suffix", [".webm", ".mov"])
def test_every_channel_stays_in_its_place(tmp_path, layout, suffix):
    """Each channel has the sound for itself in turn; it must come out of the loudspeaker of that name."""
    names = [c.name for c in av.AudioLayout(layout).channels]
    length = RATE // len(names)
    tone = 8000 * np.sin(np.arange(length) * 2 * np.pi * 100 / RATE)  # 100 Hz, which the low channel has too
    samples = np.zeros((len(names), length * len(names)), np.int16)
    for i in range(len(names)):
        samples[i, i * length : (i + 1) * length] = tone
    warnings = remuxed(film(tmp_path / "in.mkv", "flac", layout, samples, "s16"), tmp_path / f"out{suffix}")
    codec, found, heard = sound(tmp_path / f"out{suffix}")
    codec_said = "libopus" if suffix == ".webm" else "aac"
    loss = "; without a place there, BC is shared by the others" if (layout, suffix) == ("6.1", ".mov") else ""
    assert warnings == [f"audio stream 1 (flac) converted to {codec_said}: {suffix} cannot hold it{loss}"]
    assert codec in ("opus", "aac")
    alike = {"SL": "BL", "SR": "BR"} | ({"BC": "BL"} if suffix == ".mov" else {})
    for i, name in enumerate(names):
        middle = heard[:, i * length + length // 3 : i * length + length * 2 // 3]
        loudest = found[int(np.abs(middle).mean(1).argmax())]
        assert loudest in (name, alike.get(name)), f"{name} is heard from {loudest}"


class Untimed:
    """A stream whose decoder gives several frames of a packet, and stamps only the first of them, as WMA Pro's does."""

    def __init__(self, stream, stamp):
        self.stream, self.stamp, self.count = stream, stamp, 0
        self.codec_context, self.metadata, self.disposition = stream.codec_context, {}, stream.disposition

    def decode(self, packet):
        frames = self.stream.decode(packet)
        for frame in frames:
            self.stamp(self.count, frame)
            self.count += 1
        return frames


def unstamped(number, frame):
    frame.pts = frame.pts if number % 4 == 0 else None


def never_stamped(number, frame):
    frame.pts = None


def stamped_alike(number, frame):
    frame.pts -= number % 4 * frame.samples


@pytest.mark.parametrize("stamp", [unstamped, never_stamped, stamped_alike])
@pytest.mark.parametrize(("codec", "form"), [("flac", "matroska"), ("libopus", "webm"), ("aac", "mp4")])
def test_frames_without_a_time_of_their_own_follow_each_other(stamp, codec, form):
    with av.open(str(SAMPLE)) as film, av.open(io.BytesIO(), "w", format=form) as out:
        stream = film.streams.audio[0]
        converter = AudioConverter(Untimed(stream, stamp), out, codec)
        packets = [p for source in film.demux(stream) if source.dts is not None for p in converter.convert(source)]
        packets += converter.finish()
        times = [p.pts * p.time_base for p in packets if p.size]
        length = 265 * Fraction(1024, 44100)
        assert all(a < b for a, b in pairwise(times))
        assert abs(times[-1] - length) < Fraction(1, 5)
        assert all(p.pts is not None for p in packets)


def test_what_is_refused_at_the_end_does_not_cost_the_film(tmp_path, monkeypatch):
    def finish(self):
        bad = av.Packet(b"x")
        bad.stream, bad.pts, bad.dts, bad.time_base = self.target, 0, 1000, Fraction(1, RATE)
        yield bad

    monkeypatch.setattr(AudioConverter, "finish", finish)
    samples = np.zeros((2, RATE), np.int16)
    warnings = remuxed(film(tmp_path / "in.mkv", "flac", "stereo", samples, "s16"), tmp_path / "out.webm")
    assert "stream 1: 1 packets refused by .webm and left out" in warnings
    assert sound(tmp_path / "out.webm")[0] == "opus"


def test_24_bits_stay_24_bits(tmp_path):
    samples = (np.random.default_rng(1).integers(-(2**23), 2**23, (2, RATE)) << 8).astype(np.int32)
    source = film(tmp_path / "in.m2ts", "pcm_bluray", "stereo", samples, "s32")
    assert "converted to flac" in remuxed(source, tmp_path / "out.mkv")[0]
    codec, _, heard = sound(tmp_path / "out.mkv")
    assert codec == "flac"
    assert np.array_equal(heard[:, :RATE], samples)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [("2.1", "5.1"), ("3.0", "3.0"), ("5.0(side)", "5.0"), ("5.1(side)", "5.1"), ("4.0", "6.1"), ("7.1(wide)", "7.1")],
)
def test_layouts_of_opus(source, wanted):
    """Those without a place are said."""
    missing = without_place(av.AudioLayout(source), av.AudioLayout(wanted))
    assert missing == (["FLC", "FRC"] if source == "7.1(wide)" else [])
    assert layout_for("libopus", av.AudioLayout(source)) == wanted
