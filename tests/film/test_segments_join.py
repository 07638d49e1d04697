"""Segments joined: every frame, time and duration once, whatever their lengths and number, and the same file again."""

import dataclasses
import errno
import itertools
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.film.test_segments import OPTIONS, color
from tests.film.test_segments import film as film  # a fixture
from tests.films import read
from vidcolor.color.encoding import Encoding
from vidcolor.errors import OutputError
from vidcolor.film.assemble import assemble, check_headers
from vidcolor.film.packets import PacketWriter, read_footer, read_packets
from vidcolor.film.plan import FilmPlan, read_plan
from vidcolor.film.rules import Rules
from vidcolor.film.run import FilmRun
from vidcolor.film.work import folder_of
from vidcolor.options import EncodeOptions
from vidcolor.video.encoder import Encoder, for_films, video_settings
from vidcolor.video.info import FilmInfo
from vidcolor.video.muxer import Muxer

TICK = Fraction(1, 90000)
PRESETS = {"x264": "ultrafast", "x265": "ultrafast", "svtav1": "12", "vp9": "8"}


def settings_of(codec, *, size=(64, 48), **info):
    made = FilmInfo(*size, "yuv420p", Encoding(), TICK, Fraction(25), 0, **info)
    return made, for_films(video_settings(made, EncodeOptions(codec=codec, preset=PRESETS.get(codec)), codec))


def picture(settings, number, pts):
    frame = av.VideoFrame(settings.width, settings.height, settings.pix_fmt)
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
        rows[:] = (np.add.outer(np.arange(len(rows)) * 3, np.arange(rows.shape[1])) + 5 * number) % 200 + 20
    frame.pts, frame.time_base = pts, TICK
    return frame


def encoded(folder, settings, stamps, lengths, *, alone=True):
    """Packet files of segments of these lengths; with `alone` each by an encoder of its own."""
    paths, numbers, encoder = [], iter(enumerate(stamps)), Encoder(settings)
    for count in lengths:
        encoder = Encoder(settings) if alone else encoder
        paths.append(folder / f"{len(paths):06d}.packets")
        writer = PacketWriter(paths[-1])
        for number, pts in itertools.islice(numbers, count):
            for packet in encoder.encode(picture(settings, number, pts)):
                writer.write(packet)
        for packet in encoder.finish() if alone else ():
            writer.write(packet)
        writer.finish(encoder.header)
    return paths


def joined(target, info, settings, codec, paths):
    muxer = Muxer(target, info, settings, codec=codec)
    assemble(muxer, paths, ())
    muxer.finish()
    return target


@pytest.mark.parametrize(("codec", "suffix"), [("x264", ".mp4"), ("x264", ".ts"), ("x265", ".mkv"), ("svtav1", ".mp4"),
                                               ("vp9", ".webm"), ("ffv1", ".mkv")])  # fmt: skip
def test_segments_of_one_two_three_and_many_frames(tmp_path, codec, suffix):
    """Decoding times rise and never lie behind the frame's own; the film's frames are those of its segments."""
    info, settings = settings_of(codec)
    lengths = (1, 2, 3, 60, 1)
    stamps = [3600 * i + 17 * (i % 5) for i in range(sum(lengths))]
    paths = encoded(tmp_path, settings, stamps, lengths)
    target = joined(tmp_path / f"out{suffix}", info, settings, codec, paths)
    with av.open(str(target)) as container:
        packets = [p for p in container.demux(video=0) if p.dts is not None]
    assert all(a.dts < b.dts for a, b in itertools.pairwise(packets))
    assert all(p.dts <= p.pts for p in packets)
    found = read(target)
    assert np.allclose([float(t) for t in shifted(found.times)], [s / 90000 for s in stamps], atol=1e-3)
    own = [frame for path in paths for frame in decoded(path, codec, settings)]
    assert len(own) == len(found.luma) == len(stamps)
    assert all(np.array_equal(a, b) for a, b in zip(own, found.luma, strict=True))


def shifted(times):
    return [t - times[0] for t in times]


def decoded(path, codec, settings):
    """The luma of a packet file alone."""
    name = {"x264": "h264", "x265": "hevc", "svtav1": "libdav1d", "vp9": "vp9", "ffv1": "ffv1"}[codec]
    context = av.CodecContext.create(name, "r")
    if header := read_footer(path).header:
        context.extradata = header
    context.width, context.height = settings.width, settings.height
    frames = [f for packet in read_packets(path) for f in context.decode(packet)] + context.decode(None)
    for frame in sorted(frames, key=lambda f: f.pts):
        rows = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(frame.planes[0].height, -1)
        yield rows[:, : settings.width].copy()


def test_another_header_is_refused(tmp_path):
    info, settings = settings_of("x264")
    paths = encoded(tmp_path, settings, range(0, 36000, 3600), (5, 5))
    other = dataclasses.replace(settings, options=(("preset", "slow"),))
    (tmp_path / "other").mkdir()
    paths[1] = encoded(tmp_path / "other", other, range(0, 18000, 3600), (5,))[0]
    muxer = Muxer(tmp_path / "out.mp4", info, settings, codec="x264")
    with pytest.raises(OutputError, match="encoded with other headers"):
        check_headers(muxer, paths)
    muxer.abandon()


def test_two_thousand_segments_with_few_open_files(tmp_path, monkeypatch):
    """At a variable rate: every time is the source's plus one constant, durations fill the gaps, none is nought."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("vidcolor.film.packets.os.fsync", lambda handle: None)
    info, settings = settings_of("ffv1", size=(32, 32))
    rng = np.random.default_rng(0)
    lengths = [1, 2] * 1000
    stamps = np.cumsum(rng.integers(900, 9000, sum(lengths))).tolist()
    paths = encoded(tmp_path, settings, stamps, lengths, alone=False)
    assert len(paths) == 2000
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        targets = [joined(tmp_path / f"out{s}", info, settings, "ffv1", paths) for s in (".mp4", ".mkv")]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    for target, tick in zip(targets, (TICK, Fraction(1, 1000)), strict=True):
        with av.open(str(target)) as container:
            packets = [p for p in container.demux(video=0) if p.dts is not None]
            times = [p.pts * p.time_base for p in packets]
            lasting = [p.duration * p.time_base for p in packets]
            container.seek(0)
            assert sum(1 for _ in container.decode(video=0)) == len(stamps)
        moved = {round((time - pts * TICK) / tick) for time, pts in zip(times, stamps, strict=True)}
        assert len(moved) <= (1 if tick == TICK else 2)  # rounded once
        if target.suffix == ".mp4":
            assert min(lasting) > 0
            assert lasting[:-1] == [b - a for a, b in itertools.pairwise(times)]


def test_more_than_9999_segments_stay_in_order(tmp_path):
    plan = FilmPlan(tmp_path, None, None, None)
    names = [plan.path(number).name for number in (0, 9, 9_999, 10_000, 123_456)]
    assert names == sorted(names)
    assert len(set(names)) == 5


def test_the_same_packets_make_the_same_file(tmp_path, monkeypatch):
    """At another time, in another place and time zone."""
    made = []
    for place in ("here", "far/away #2"):
        folder = tmp_path / place
        for codec, suffixes in (("x264", (".mp4", ".mov", ".mkv", ".ts", ".m2ts", ".flv")), ("vp9", (".webm",))):
            (folder / codec).mkdir(parents=True)
            info, settings = settings_of(codec, tags={"title": "A film", "comment": "old"})
            paths = encoded(folder / codec, settings, range(0, 36000, 3600), (4, 6))
            for suffix in suffixes:
                made.append((suffix, joined(folder / f"out{suffix}", info, settings, codec, paths).read_bytes()))
        monkeypatch.setenv("TZ", "Pacific/Auckland")
        time.sleep(1.05)  # containers count seconds
    first, second = made[: len(made) // 2], made[len(made) // 2 :]
    assert [suffix for (suffix, a), (_, b) in zip(first, second, strict=True) if a != b] == []


def test_a_join_that_fails_is_all_that_is_done_again(film, colorizer, tmp_path, monkeypatch):
    """A full disk at the very end: nothing has the target's name, segments stay, and no frame is coloured twice."""
    target = tmp_path / "a #1.mkv"
    write, calls = Muxer.write, []

    def full(self, packet):
        calls.append(packet)
        if len(calls) == 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, packet)

    with monkeypatch.context() as patch:
        patch.setattr(Muxer, "write", full)
        with pytest.raises(OSError, match="disk is full"):
            color(film, target, colorizer)
    assert not target.exists()
    assert [p.suffix for p in tmp_path.iterdir() if not p.name.startswith(".")] == [".vidcolor"]
    assert len(read_plan(folder_of(target))[0].segments) == 4
    monkeypatch.setattr(FilmRun, "run", lambda *args: pytest.fail("a frame is coloured again"))
    color(film, target, colorizer)
    assert len(read(target).frames) == 110
    assert list(tmp_path.iterdir()) == [target]


def test_an_encoder_that_loses_a_frame_is_found(film, colorizer, tmp_path, monkeypatch):
    """It ends well, and has one packet too few: that counts, not how it says it has ended."""
    finish = Encoder.finish
    monkeypatch.setattr(Encoder, "finish", lambda self: itertools.islice(finish(self), 1, None))
    options = dataclasses.replace(OPTIONS, preset="medium")
    with pytest.raises(OutputError, match=r"libx264: gave 19 packets for 20 frames"):
        color(film, tmp_path / "out.mkv", colorizer, options=options)
    assert not (tmp_path / "out.mkv").exists()


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """A film with all that a join can lose: colour tags, a font, dispositions, languages, chapters, closed captions."""
    path = tmp_path_factory.mktemp("rich") / "rich.mkv"
    rng = np.random.default_rng(0)
    scenes = [np.kron(rng.uniform(20, 230, (8, 12)), np.ones((12, 12))).astype(np.uint8) for _ in range(3)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "ultrafast", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 144, 96, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_primaries = 5, 5
        stream.codec_context.color_trc, stream.metadata["language"] = 6, "fin"
        tone = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        tone.disposition, tone.metadata["title"] = Disposition.hearing_impaired, "Narration"
        out.add_attachment("a font.ttf", "font/ttf", b"glyphs")
        out.metadata["title"] = "A film"
        tick = Fraction(1, 1000)
        out.set_chapters([{"id": 1, "start": 0, "end": 1000, "time_base": tick, "metadata": {"title": "I"}}])
        for number in range(48):
            planes = np.vstack((scenes[number // 16], np.full((48, 144), 128, np.uint8)))
            frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
            frame.pts = number
            for packet in stream.encode(frame):
                out.mux(captioned(packet))
            sound = av.AudioFrame.from_ndarray(np.full((1, 333), number * 99, np.int16), "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 8000, 333 * number, Fraction(1, 8000)
            out.mux(tone.encode(sound))
        for packet in stream.encode(None):
            out.mux(captioned(packet))
        out.mux(tone.encode(None))
    return path


def captioned(packet):
    """A packet of H.264 (with lengths of four bytes) with closed captions that hold its time stamp (ATSC A/53)."""
    letters = b"".join(bytes((0xFC, 0x20 | n >> 4 & 0x1F, 0x21 + (n & 15))) for n in [packet.pts])
    cc = b"\xb5\x00\x31GA94\x03" + bytes((0x40 | 1, 0xFF)) + letters + b"\xff"
    sei = b"\x06\x04" + bytes((len(cc),)) + cc + b"\x80"
    data = bytes(packet)
    made = av.Packet(len(sei).to_bytes(4, "big") + sei + data if data[:4] != b"\0\0\0\1" else b"\0\0\0\1" + sei + data)
    made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    made.is_keyframe, made.stream = packet.is_keyframe, packet.stream
    return made


def captions(path):
    return [[bytes(d) for d in f.side_data if d.type.name == "A53_CC"] for f in read(path).frames]


def test_the_join_loses_nothing_that_a_whole_film_has(rich, colorizer, tmp_path):
    """And frame n carries the captions of frame n, behind every cut."""
    assert len({str(c) for c in captions(rich)}) > 40, "the source has no captions: the test shows nothing"
    for name, rules in (("whole", Rules()), ("cut", Rules(shortest=0.5, longest=1.5, lead_in=6))):
        color(rich, tmp_path / f"{name}.mkv", colorizer, rules=rules)
    whole, cut = (facts(tmp_path / f"{name}.mkv") for name in ("whole", "cut"))
    assert cut == whole
    assert captions(tmp_path / "cut.mkv") == captions(tmp_path / "whole.mkv") == captions(rich)
    times = read(tmp_path / "cut.mkv").times
    assert times == read(rich).times


def facts(path):
    """All that is said of a file and its streams."""
    with av.open(str(path)) as container:
        told = [(s.type, str(s.disposition), dict(s.metadata)) for s in container.streams]
        video = container.streams.video[0].codec_context
        tags = video.colorspace, video.color_primaries, video.color_trc, video.color_range
        fonts = [s.data for s in container.streams if s.type == "attachment"]
        chapters = [(c["start"], c["end"], c["metadata"]) for c in container.chapters()]
        return told, tags, fonts, chapters, dict(container.metadata)
