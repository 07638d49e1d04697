"""A film that is read back: what is right is said, and what is wrong is found."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import SAMPLE
from tests.films import luma_of
from tests.video.test_sideways import make as make_turned
from vidcolor.errors import OutputError
from vidcolor.film.run import colorize_film
from vidcolor.film.verify import verify
from vidcolor.options import ColorizeOptions
from vidcolor.video.encoder import video_settings
from vidcolor.video.reader import Reader


def color(colorizer, source, target, **options):
    return colorize_film(source, target, colorizer.backend, ColorizeOptions(size=64, verify=True, **options))


@pytest.mark.parametrize(
    ("ending", "options", "luma"),
    [("mkv", {"codec": "ffv1"}, "every luma sample as in the source"), ("mp4", {"preset": "ultrafast"}, "luma at"),
     ("mp4", {"preset": "ultrafast", "compare": True}, "luma at")],
)  # fmt: skip
def test_the_summary_says_what_was_found(colorizer, short_film, tmp_path, ending, options, luma):
    summary = color(colorizer, short_film, tmp_path / f"out.{ending}", **options)
    (note,) = [n for n in summary.notes if n.startswith("verified")]
    assert note.startswith("verified: 12 frames at their times, ")
    assert luma in note


@pytest.mark.parametrize("turn", [0, 1, 3])
def test_the_coloured_half_is_compared(colorizer, tmp_path, turn):
    """Of a film that is shown turned, it lies above, below or beside the other."""
    source = make_turned(tmp_path, turn)
    summary = color(colorizer, source, tmp_path / "out.mkv", codec="ffv1", compare=True)
    assert "every luma sample as in the source" in summary.notes[-1]


def test_sound_is_compared_packet_by_packet(colorizer, tmp_path):
    summary = color(colorizer, SAMPLE, tmp_path / "out.mkv", preset="ultrafast", end=1.0)
    (note,) = [n for n in summary.notes if n.startswith("verified")]
    assert int(note.split()[-5]) > 20


@pytest.fixture(scope="module")
def made(colorizer, tmp_path_factory):
    """A coloured second of the sample, lossless, as frames and sound packets."""
    target = tmp_path_factory.mktemp("made") / "out.mkv"
    color(colorizer, SAMPLE, target, codec="ffv1", end=1.0)
    with av.open(str(target)) as container:
        frames, sound = [], []
        for packet in container.demux():
            if packet.stream.type == "video":
                frames += packet.decode()
            elif packet.dts is not None:
                sound.append((packet.pts, packet.dts, bytes(packet)))
    return target, frames, sound


def write(made, path: Path, *, frames=None, change=lambda i, frame: None, sound=None) -> Path:
    """The film again, changed."""
    target, ours, packets = made
    with av.open(str(target)) as source, av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=30)
        first = ours[0]
        video.width, video.height, video.pix_fmt = first.width, first.height, first.format.name
        video.codec_context.time_base = video.time_base = first.time_base
        copy = out.add_stream_from_template(source.streams.audio[0])
        for i, frame in enumerate(ours if frames is None else frames):
            again = av.VideoFrame.from_ndarray(frame.to_ndarray(), frame.format.name)
            again.pts, again.time_base = frame.pts, frame.time_base
            change(i, again)
            out.mux(video.encode(again))
        out.mux(video.encode(None))
        for pts, dts, data in packets if sound is None else sound:
            packet = av.Packet(data)
            packet.pts, packet.dts, packet.time_base = pts, dts, source.streams.audio[0].time_base
            packet.stream = copy
            out.mux(packet)
    return path


def check(path: Path):
    def open_source(*, frames, packets):
        return Reader(SAMPLE, end=1.0, frames=frames, packets=packets)

    with open_source(frames=True, packets=False) as reader:
        settings = video_settings(reader.info, ColorizeOptions(codec="ffv1"), "ffv1")
    return verify(open_source, path, Path("film.mkv"), settings, {0: 1})


def test_the_same_film_written_again_is_right(made, tmp_path):
    found = check(write(made, tmp_path / "a.mkv"))
    assert found.luma.exact
    assert found.frames == len(made[1])
    assert found.streams.count == len(made[2])


def one_sample(i, frame):
    if i == 7:
        luma_of(frame)  # it has luma
        np.frombuffer(memoryview(frame.planes[0]), np.uint8)[1000] ^= 1


def late(i, frame):
    if i >= 5:
        frame.pts += round(Fraction(1, 50) / frame.time_base)


WRONG = {
    "a luma sample differs": {"change": one_sample},
    "frame 5 is 0.0": {"change": late},
    "lacks frames, from number": {"frames": slice(0, -1)},
    "does not show": {"frames": "backwards"},
    "has more frames": {"frames": "more"},
    "stream 0 is not passed on": {"sound": slice(0, -1)},
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_found(made, tmp_path, fault):
    changes, (_, frames, sound) = dict(WRONG[fault]), made
    if fault.startswith("lacks"):
        changes["frames"] = frames[:-1]
    if changes.get("frames") == "backwards":
        changes = {"change": lambda i, frame: np.frombuffer(memoryview(frame.planes[0]), np.uint8).__ixor__(255)}
    if changes.get("frames") == "more":
        extra = av.VideoFrame.from_ndarray(frames[-1].to_ndarray(), frames[-1].format.name)
        extra.pts, extra.time_base = frames[-1].pts + frames[-1].pts - frames[-2].pts, frames[-1].time_base
        changes["frames"] = [*frames, extra]
    if "sound" in changes:
        changes["sound"] = sound[:-1]
    with pytest.raises(OutputError, match=fault):
        check(write(made, tmp_path / "wrong.mkv", **changes))


def test_a_wrong_film_gets_no_name(colorizer, short_film, tmp_path, monkeypatch):
    def broken(*args, **named):
        raise OutputError("out.mkv: frame 3 does not show what the source's does; colour it again")

    monkeypatch.setattr("vidcolor.film.run.verify", broken)
    with pytest.raises(OutputError, match="frame 3"):
        color(colorizer, short_film, tmp_path / "out.mkv", codec="ffv1")
    assert not (tmp_path / "out.mkv").exists()
