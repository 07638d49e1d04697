"""Bad input: one line with the file, the fault and the remedy; what can be saved is saved."""

import dataclasses
import io
import itertools
import os
import shutil
import threading
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from tests.conftest import ODD, SAMPLE
from tests.films import luma_of, make_mpegts, read
from vidcolor.color.encoding import Encoding
from vidcolor.errors import InputError
from vidcolor.film.run import colorize_film
from vidcolor.video.reader import Reader
from vidcolor.video.sidedata import display_matrix, quarter_turns, rotation_matrix


def empty(folder):
    (folder / "bad.mp4").touch()


def truncated(folder):
    """Cut before its index, which stands at the end of this film."""
    with av.open(str(SAMPLE)) as inp, av.open(str(folder / "whole.mp4"), "w") as out:
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in inp.streams}
        for packet in inp.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    data = (folder / "whole.mp4").read_bytes()
    (folder / "bad.mp4").write_bytes(data[: len(data) // 2])


def audio_only(folder):
    with wave.open(str(folder / "bad.mp4"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))


def noise(folder):
    (folder / "bad.mp4").write_bytes(np.random.default_rng(0).bytes(50_000))


def encrypted(folder):
    """Common Encryption, as stores use it."""
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0" * 32, "encryption_kid": "1" * 32}
    with av.open(str(SAMPLE)) as inp, av.open(str(folder / "bad.mp4"), "w", container_options=options) as out:
        video = inp.streams.video[0]
        copy = out.add_stream_from_template(video, opaque=True)
        for packet in inp.demux(video):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)


def undecodable(folder):
    """A sound header over noise where the pictures should be."""
    data = bytearray(SAMPLE.read_bytes())
    start = data.index(b"mdat")
    body = slice(start + 4, len(data)) if data.index(b"moov") < start else slice(start + 4, data.index(b"moov") - 4)
    data[body] = np.random.default_rng(0).bytes(body.stop - body.start)
    (folder / "bad.mp4").write_bytes(data)


def a_folder(folder):
    (folder / "bad.mp4").mkdir()


FAULTS = {
    empty: "is empty",
    truncated: "cut off",
    audio_only: "only audio",
    noise: "not a film",
    encrypted: "encrypted",
    undecodable: "can ?not be decoded|can be decoded",
    a_folder: "is a folder",
    lambda folder: None: "no such file",
}


@pytest.mark.parametrize(("make", "text"), FAULTS.items(), ids=lambda x: getattr(x, "__name__", x))
def test_bad_input_is_one_line(colorizer, tmp_path, make, text):
    make(tmp_path)
    bad, target = tmp_path / "bad.mp4", tmp_path / "out.mp4"
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(InputError, match=text) as caught:
        colorize_film(bad, target, colorizer.backend, colorizer.options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(bad) in message
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path):
    shutil.copy(SAMPLE, tmp_path / "bad.mp4")
    (tmp_path / "bad.mp4").chmod(0)
    with pytest.raises(InputError, match="permission"):
        Reader(tmp_path / "bad.mp4")


def test_a_film_with_corrupt_frames_is_coloured_to_its_end(colorizer, tmp_path):
    source = tmp_path / "corrupt.mkv"
    rng = np.random.default_rng(3)
    with av.open(str(SAMPLE)) as inp, av.open(str(source), "w") as out:
        video = inp.streams.video[0]
        copy = out.add_stream_from_template(video, opaque=True)
        for i, packet in enumerate(p for p in inp.demux(video) if p.dts is not None):
            if i in (40, 41, 90):
                data = bytearray(bytes(packet))
                data[8:] = rng.bytes(len(data) - 8)
                broken = av.Packet(bytes(data))
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                broken.duration = packet.duration
                packet = broken
            packet.stream = copy
            out.mux(packet)
    summary = colorize_film(source, tmp_path / "out.mp4", colorizer.backend, colorizer.options)
    assert summary.damaged >= 1
    after = read(tmp_path / "out.mp4")
    assert summary.frames == len(after.frames) > 150
    assert after.times[-1] > 6.0


def test_what_the_reader_tells_of_a_film():
    with Reader(SAMPLE) as reader:
        info = reader.info
        assert (info.width, info.height, info.pix_fmt, info.frames) == (640, 480, "yuv420p", 185)
        assert info.encoding == Encoding(matrix=6, full_range=False, depth=8)
        assert [s.type for s in reader.others] == ["audio"]
        assert reader.info.display_matrix is None


@pytest.mark.skipif(not ODD, reason="needs the odd files")
@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("vfr_slow_motion.mp4", Encoding(matrix=6, full_range=True)),
        ("hevc_10bit.mp4", Encoding(matrix=6, depth=10)),
        ("prores4444_alpha.mov", Encoding(matrix=1, depth=12)),
        ("gray_alpha_muybridge.apng", Encoding(matrix=6, full_range=True)),
    ],
)
def test_encoding_of_odd_files(name, encoding):
    with Reader(next(p for p in ODD if p.name == name)) as reader:
        assert reader.info.encoding == encoding


def splice(folder, suffix):
    """The same two seconds twice, one file after the other, as recordings are joined with `cat`."""
    part = folder / f"part{suffix}"
    with av.open(str(SAMPLE)) as inp, av.open(str(part), "w") as out:
        video, sound = inp.streams.video[0], inp.streams.audio[0]
        picture = out.add_stream("mpeg2video", rate=25)
        picture.width, picture.height, picture.pix_fmt = 640, 480, "yuv420p"
        audio = out.add_stream("mp2", rate=44100)
        last = -1
        for frame in inp.decode(video, sound):
            if frame.time >= 2:
                continue
            if isinstance(frame, av.VideoFrame):
                frame.pict_type, frame.pts, frame.time_base = 0, round(frame.time * 25), Fraction(1, 25)
                if frame.pts > last:  # 30 pictures a second become 25
                    last = frame.pts
                    out.mux(picture.encode(frame))
            else:
                frame.pts = None
                out.mux(audio.encode(frame))
        out.mux(picture.encode(None))
        out.mux(audio.encode(None))
    whole = folder / f"whole{suffix}"
    whole.write_bytes(part.read_bytes() * 2)
    return part, whole


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_joined_recordings_play_one_after_the_other(colorizer, tmp_path, suffix):
    part, whole = splice(tmp_path, suffix)
    summary = colorize_film(whole, tmp_path / "out.mp4", colorizer.backend, colorizer.options)
    times, once = read(tmp_path / "out.mp4").times, len(read(part).frames)
    assert summary.frames == len(times) >= 2 * once - 2
    steps = [float(b - a) for a, b in itertools.pairwise(times)]
    assert min(steps) > 0.01
    assert max(steps) < 0.3
    assert 3.5 < float(times[-1] - times[0]) < 4.5


def recording(path, seconds=3, sound_ahead=0.0):
    """A broadcast: H.264 with B-frames and AC-3, which may be longer than the picture."""
    with av.open(str(path), "w", format="mpegts") as out:
        picture = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "bf": "2"})
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sound = out.add_stream("ac3", rate=48000, layout="stereo")
        for number in range(25 * seconds):
            frame = av.VideoFrame.from_ndarray(np.full((96, 96), 40 + number, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(picture.encode(frame))
            if number % 25 == 0:
                samples = 48000 + round(48000 * sound_ahead) * (number // 25 == seconds - 1)
                noise = av.AudioFrame.from_ndarray(np.zeros((2, samples), np.float32), "fltp", "stereo")
                noise.sample_rate, noise.pts, noise.time_base = 48000, None, Fraction(1, 48000)
                out.mux(sound.encode(noise))
        out.mux(picture.encode(None))
        out.mux(sound.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("ahead", [0.0, 0.05])
def test_joined_recordings_leave_no_hole(tmp_path, parts, ahead):
    whole = tmp_path / "whole.ts"
    whole.write_bytes(recording(tmp_path / "part.ts", sound_ahead=ahead) * parts)
    times = {"video": [], "audio": []}
    with Reader(whole) as reader:
        for item in reader:
            kind, stamp = ("video", item.pts) if isinstance(item, av.VideoFrame) else ("audio", item.dts)
            times[kind].append(float(stamp * item.time_base))
    for stamps in times.values():
        steps = np.diff(stamps)
        assert steps.max() < (0.2 if ahead else 0.1)
        assert steps.min() > 0
        assert stamps[-1] - stamps[0] == pytest.approx(3 * parts, abs=0.2 + 2 * parts * ahead)
    assert len(times["video"]) == 75 * parts
    assert times["video"][-1] == pytest.approx(times["audio"][-1], abs=0.15)


def test_cover_art_goes_along(colorizer, tmp_path):
    cover = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(cover, "JPEG")
    source = tmp_path / "covered.mp4"
    with av.open(str(SAMPLE)) as inp, av.open(str(source), "w") as out:
        film = out.add_stream_from_template(inp.streams.video[0], opaque=True)
        art = out.add_stream("mjpeg", rate=1)
        art.width, art.height, art.pix_fmt = 64, 64, "yuvj420p"
        art.disposition = Disposition.attached_pic
        out.start_encoding()
        packet = av.Packet(cover.getvalue())
        packet.pts, packet.dts, packet.stream = 0, 0, art
        out.mux(packet)
        for packet in inp.demux(video=0):
            if packet.dts is not None:
                packet.stream = film
                out.mux(packet)
    options = dataclasses.replace(colorizer.options, end=0.5)
    for suffix in (".mp4", ".mkv"):
        target = tmp_path / f"out{suffix}"
        assert colorize_film(source, target, colorizer.backend, options).warnings == []
        with av.open(str(target)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            arts = [s for s in container.streams if s.disposition & Disposition.attached_pic]
            assert len(arts) == 1
            packet = next(p for p in container.demux(arts[0]) if p.size)
            assert bytes(packet) == cover.getvalue()


def test_end_flushes_the_decoder(tmp_path):
    """With many decoder threads the last frames are still inside when the end is reached."""
    source = tmp_path / "slow.mp4"
    with av.open(str(SAMPLE)) as inp, av.open(str(source), "w") as out:
        stream = out.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for i, frame in zip(range(40), inp.decode(video=0), strict=False):
            frame.pts, frame.time_base, frame.pict_type = i, Fraction(1), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with Reader(source, end=10.0) as reader:
        assert len(list(reader)) == 10


def test_bottom_field_first_stays_so(colorizer, tmp_path):
    source = tmp_path / "pal.mp4"
    with av.open(str(SAMPLE)) as inp, av.open(str(source), "w") as out:
        options = {"x264-params": "bff=1", "flags": "+ildct+ilme"}
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for i, frame in zip(range(12), inp.decode(video=0), strict=False):
            frame.pts, frame.time_base, frame.pict_type = i, Fraction(1, 25), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with Reader(source) as reader:
        assert reader.info.field_order == "bff"
    colorize_film(source, tmp_path / "out.mp4", colorizer.backend, colorizer.options)
    with Reader(tmp_path / "out.mp4") as reader:
        assert reader.info.field_order == "bff"


def test_full_range_rgb_keeps_its_white(tmp_path):
    source = tmp_path / "rgb.mov"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255, np.uint8), format="rgb24")
        frame.color_range = 2
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with Reader(source) as reader:
        assert not reader.info.encoding.full_range
        frame = next(f for f in reader if isinstance(f, av.VideoFrame))
        assert luma_of(frame).min() == luma_of(frame).max() == 235


def test_a_film_cut_off_after_its_index_is_coloured_and_told(colorizer, tmp_path):
    data = SAMPLE.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    summary = colorize_film(tmp_path / "cut.mp4", tmp_path / "out.mp4", colorizer.backend, colorizer.options)
    assert 60 < summary.frames < 180
    assert len(read(tmp_path / "out.mp4").frames) == summary.frames
    assert any("promises 185 frames" in w for w in summary.warnings)


@pytest.mark.parametrize("name", ["Film: part 2.mp4", "12:30.mkv", "concat:other.mp4", "http://host/film.mp4", "-.mp4"])
def test_a_name_like_a_protocol_is_a_file(colorizer, tmp_path, monkeypatch, short_film, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.mp4").write_bytes(b"the wrong one")
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(short_film.read_bytes())
    with Reader(name) as reader:
        assert sum(isinstance(item, av.VideoFrame) for item in reader) == 12
    colorize_film(name, tmp_path / "to: out.mp4", colorizer.backend, colorizer.options)
    assert len(read(tmp_path / "to: out.mp4").frames) == 12


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read_once(tmp_path):
    pipe, film = tmp_path / "pipe", make_mpegts(tmp_path / "film.ts", size=(96, 64))
    os.mkfifo(pipe)
    sender = threading.Thread(target=lambda: pipe.write_bytes(film.read_bytes()))
    sender.start()
    with Reader(pipe) as reader:
        assert sum(isinstance(item, av.VideoFrame) for item in reader) == 25
    sender.join()


def exif_jpeg() -> bytes:
    """A grey JPEG that says it lies on its side."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    Image.linear_gradient("L").resize((96, 64)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_side_data_without_a_name_is_passed_over(colorizer, tmp_path):
    """Frames of cameras' motion JPEG carry EXIF, which PyAV has no name for."""
    source = tmp_path / "camera.avi"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        stream.codec_context.open()
        for number in range(3):
            packet = av.Packet(exif_jpeg())
            packet.pts = packet.dts = number
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 10), stream, True
            out.mux(packet)
    with av.open(str(source)) as film, pytest.raises(ValueError, match="not a valid"):
        next(film.decode(video=0)).side_data  # noqa: B018 - what is tested is needed as long as this raises
    with Reader(source) as reader:
        assert reader.info.turn == 3  # by the EXIF orientation, which FFmpeg makes a display matrix of
    summary = colorize_film(source, tmp_path / "out.mp4", colorizer.backend, colorizer.options)
    assert summary.frames == 3


def with_second_view(film: bytes) -> bytes:
    """An HEVC film that says it is stereo: a box lhvC behind hvcC, as Apple's spatial video has it."""
    data = bytearray(film)
    at = data.index(b"hvcC")
    assert data.index(b"mdat") < at, "the index must stand behind, or its offsets would change"
    end = at - 4 + int.from_bytes(data[at - 4 : at], "big")
    parameters = bytes(data[at + 26 : end])  # arrays of parameter sets
    box = b"lhvC\x01\xf0\x00\xfc\xcb" + parameters
    data[end:end] = (len(box) + 4).to_bytes(4, "big") + box
    for name in (b"hvc1", b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        size = slice(data.rindex(name, 0, at) - 4, data.rindex(name, 0, at))
        data[size] = (int.from_bytes(data[size], "big") + len(box) + 4).to_bytes(4, "big")
    return bytes(data)


def test_the_second_view_of_a_stereo_film_is_named(colorizer, tmp_path):
    with av.open(str(tmp_path / "one.mp4"), "w") as out:
        stream = out.add_stream("libx265", rate=25, options={"x265-params": "log-level=error"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.codec_tag = "hvc1"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((96, 96), 60 + number, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    (tmp_path / "two.mp4").write_bytes(with_second_view((tmp_path / "one.mp4").read_bytes()))
    for name, said in (("one", []), ("two", ["further views (stereo) dropped: only the first is coloured"])):
        target = tmp_path / f"{name}-color.mp4"
        summary = colorize_film(tmp_path / f"{name}.mp4", target, colorizer.backend, colorizer.options)
        assert summary.warnings == said
        assert summary.frames == 3
        with av.open(str(target)) as film:
            assert film.streams.video[0].disposition == Disposition.default


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90, 360])
def test_display_matrices_are_read_as_they_are_made(degrees):
    frame = av.VideoFrame(16, 16, "gray")
    assert display_matrix(frame) is None
    matrix = rotation_matrix(degrees)
    assert quarter_turns(matrix) == degrees // 90 % 4
    assert quarter_turns(None) == quarter_turns((0,) * 9) == 0


def test_the_largest_picture_is_the_film(colorizer, tmp_path):
    """Two programmes in one broadcast, the small one first; a default one comes before a larger one that is none.

    The other is kept, and that it stays grey is said.
    """
    for form, default in (("mpegts", None), ("matroska", 0)):
        path = tmp_path / form
        with av.open(str(path), "w", format=form) as out:
            streams = [out.add_stream("mpeg2video", rate=25) for _ in range(2)]
            for number, (stream, size) in enumerate(zip(streams, ((96, 64), (192, 128)), strict=True)):
                (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
                stream.disposition = Disposition.default if number == default else Disposition(0)
            for number in range(25):
                for stream in streams:
                    frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                    out.mux(stream.encode(frame))
            for stream in streams:
                out.mux(stream.encode(None))
        with Reader(path) as reader:
            assert reader.info.width == (192 if default is None else 96)
        other, size = (0, "96x64") if default is None else (1, "192x128")
        summary = colorize_film(path, tmp_path / f"{form}.mkv", colorizer.backend, colorizer.options)
        assert summary.warnings == [
            f"video stream {other} (mpeg2video, {size}) stays grey: the largest picture is coloured"
        ]
        with av.open(str(tmp_path / f"{form}.mkv")) as film:
            assert [s.codec_context.name for s in film.streams] == ["h264", "mpeg2video"]


def test_sound_that_begins_late_is_kept(colorizer, tmp_path):
    source = tmp_path / "late.vob"
    with av.open(str(source), "w", format="vob") as out:
        picture = out.add_stream("mpeg2video", rate=25)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sound = out.add_stream("ac3", rate=48000, layout="stereo")
        for number in range(25 * 14):
            frame = av.VideoFrame.from_ndarray(np.full((96, 96), 40 + number % 100, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(picture.encode(frame))
            if number >= 25 * 12 and number % 25 == 0:
                silence = av.AudioFrame.from_ndarray(np.zeros((2, 48000), np.float32), "fltp", "stereo")
                silence.sample_rate, silence.pts, silence.time_base = 48000, number * 1920, Fraction(1, 48000)
                out.mux(sound.encode(silence))
        out.mux(picture.encode(None))
        out.mux(sound.encode(None))
    with av.open(str(source)) as film:
        assert film.streams.audio[0].codec_context.sample_rate == 0  # what is tested is needed as long as this holds
    summary = colorize_film(source, tmp_path / "out.mkv", colorizer.backend, colorizer.options)
    assert summary.warnings == []
    assert len(read(tmp_path / "out.mkv").packets[0]) > 50


def test_streams_that_come_in_the_middle_end_nothing(tmp_path):
    """A transport stream that is joined from others: PyAV stumbles over streams that it did not see at first."""
    film, sound, joined = make_mpegts(tmp_path / "film.ts", frames=50), tmp_path / "sound.ts", tmp_path / "joined.ts"
    with av.open(str(sound), "w", format="mpegts") as out:
        for stream in [out.add_stream("mp2", rate=48_000) for _ in range(3)]:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1152), np.int16), "s16", "stereo")
            frame.sample_rate, frame.pts = 48_000, 0
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    times = 5_500_000 // film.stat().st_size  # beyond what is looked at before reading, from either end
    joined.write_bytes(film.read_bytes() * times + sound.read_bytes() + film.read_bytes() * 30)
    with av.open(str(joined)) as container, pytest.raises(IndexError):
        list(container.demux(container.streams.video[0]))
    with Reader(joined, frames=False) as reader:
        assert list(reader) == []
