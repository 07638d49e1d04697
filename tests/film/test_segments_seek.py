"""Sources that are hard to go on in: behind a seek comes what comes from the start, or it is read from the start."""

import dataclasses
import os
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from tests.film.test_segments import OPTIONS, RULES, color, interrupted, make_film
from tests.film.test_segments import film as film  # a fixture
from tests.films import luma_of, read
from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize, make_proxy
from vidcolor.errors import InputError, OutputError
from vidcolor.film import source
from vidcolor.film.plan import Mark
from vidcolor.film.run import colorize_film
from vidcolor.film.segmenter import digest_of
from vidcolor.film.source import frames_from, frames_of
from vidcolor.models.files import ModelIdentity
from vidcolor.video.reader import Reader

SIZE = ProxySize.fit(320, 192, 64)


def digest(frame):
    return digest_of(make_proxy(luma_of(frame), SIZE, Encoding()).luma)


def marks_of(path):
    """Luma and mark of every frame, read from the start."""
    with Reader(path, packets=False) as reader:
        frames = list(frames_of(reader))
        return [luma_of(f) for f in frames], [Mark(i, f.pts, digest(f)) for i, f in enumerate(frames)]


def encoded(path, film, options, *, codec="libx264", form=None, mark_all=False):
    """The film in another codec and container; with `mark_all` every packet says it is a key frame."""
    with av.open(str(film)) as inp, av.open(str(path), "w", format=form, options=dict(form_options(form))) as out:
        stream = out.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for number, frame in enumerate(inp.decode(video=0)):
            frame.pict_type, frame.pts, frame.time_base = 0, number, Fraction(1, 24)
            for packet in stream.encode(frame):
                packet.is_keyframe = packet.is_keyframe or mark_all
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def form_options(form):
    return {"live": "1"}.items() if form == "matroska" else ()  # without cues


HARD = {
    "open GOP": {"options": {"preset": "fast", "x264-params": "open-gop=1:bframes=5:keyint=24:b-adapt=0"}},
    "intra refresh": {"options": {"preset": "fast", "x264-params": "intra-refresh=1:keyint=24"}},
    "one key frame": {"options": {"preset": "fast", "g": "999"}},
    "marked falsely": {"options": {"preset": "fast", "g": "60"}, "mark_all": True},
    "without cues": {"options": {"preset": "fast", "g": "24"}, "form": "matroska"},
    "HEVC, open GOP": {
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": "open-gop=1:keyint=24:bframes=4:log-level=error"},
    },
    "MPEG-2, open GOP": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2", "b": "2000000"}},
    "AVI": {"codec": "mpeg4", "options": {"g": "24", "bf": "2"}, "form": "avi"},
    "transport stream": {"options": {"preset": "fast", "g": "24"}, "form": "mpegts"},
}


@pytest.mark.parametrize("kind", HARD)
def test_what_follows_a_seek_is_what_follows_from_the_start(film, tmp_path, kind, monkeypatch):
    path = encoded(tmp_path / "film.mkv", film, **HARD[kind])
    luma, marks = marks_of(path)
    monkeypatch.setattr(source, "counted", spied(source.counted, counts := []))
    for number in (1, 30, 55, 60, 100, len(marks) - 1):
        reader, frames = frames_from(lambda: Reader(path, packets=False), marks[number], digest, exact=True)
        found = [(i, luma_of(frame)) for i, frame in frames]
        reader.close()
        assert [i for i, _ in found] == list(range(number, len(marks)))
        assert all(np.array_equal(luma[i], a) for i, a in found)
    if kind in ("without cues", "HEVC, open GOP", "MPEG-2, open GOP"):
        assert len(counts) < 6, "it never seeks"


def spied(function, calls):
    def spy(*args, **named):
        calls.append(args)
        return function(*args, **named)

    return spy


def test_a_seek_that_lands_late_is_read_from_the_start(film, tmp_path, monkeypatch):
    """And a frame that is another one than before is a fault, not a start."""
    luma, marks = marks_of(film)
    put_at = Reader.put_at
    monkeypatch.setattr(Reader, "put_at", lambda self, pts, **_: put_at(self, pts + 3000, before=Fraction(0)))
    reader, frames = frames_from(lambda: Reader(film, packets=False), marks[60], digest, exact=True)
    with reader:
        number, frame = next(frames)
        assert number == 60
        assert np.array_equal(luma_of(frame), luma[60])
    wrong = dataclasses.replace(marks[60], digest="00000000")
    reader, frames = frames_from(lambda: Reader(film, packets=False), wrong, digest, exact=False)
    with reader, pytest.raises(InputError, match="frame 60 is another one than before; was the film changed"):
        next(frames)


def damaged(path, film, at):
    """The film with noise in the packets of these numbers."""
    rng = np.random.default_rng(5)
    with av.open(str(film)) as inp, av.open(str(path), "w") as out:
        video = inp.streams.video[0]
        copy = out.add_stream_from_template(video, opaque=True)
        for number, packet in enumerate(p for p in inp.demux(video) if p.dts is not None):
            if number in at:
                data = bytearray(bytes(packet))
                data[len(data) // 3 :] = rng.bytes(len(data) - len(data) // 3)
                noise = av.Packet(bytes(data))
                noise.pts, noise.dts, noise.duration = packet.pts, packet.dts, packet.duration
                noise.time_base, noise.is_keyframe = packet.time_base, packet.is_keyframe
                packet = noise
            packet.stream = copy
            out.mux(packet)
    return path


def test_a_damaged_film_goes_on_though_its_damage_never_looks_the_same(film, colorizer, tmp_path, monkeypatch):
    """Decoders with several threads make another picture of damage each time: only its time is held against it."""
    path, target = damaged(tmp_path / "film.mkv", film, {5, 43, 44}), tmp_path / "out.mkv"
    interrupted(path, target, colorizer, monkeypatch, 2)
    plan = target.with_name("out.mkv.vidcolor") / "plan.jsonl"
    text = plan.read_text()
    assert '"exact":false' in text
    (mark,) = {line.partition('"digest":"')[2][:8] for line in text.partition('"next":{"number":2')[2:] if line}
    plan.write_text(text.replace(mark, "01234567"))
    summary = color(path, target, colorizer)
    assert summary.frames == len(read(target).frames) > 100
    assert summary.damaged


def test_what_differs_by_a_byte_is_refused(film, colorizer, tmp_path, monkeypatch):
    """Of the source with the same name, size and time, of the model, and of a version: nothing is used again."""
    path, target = tmp_path / "film.mkv", tmp_path / "out.mkv"
    path.write_bytes(film.read_bytes())
    interrupted(path, target, colorizer, monkeypatch, 1)
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(OutputError, match=r"belongs to another source, or .* has changed since"):
        color(path, target, colorizer)
    path.write_bytes(film.read_bytes())
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other = ModelIdentity("test", "abc")
    with pytest.raises(OutputError, match=r"model was '' and is 'abc'"):
        colorize_film(path, target, colorizer.backend, OPTIONS, rules=RULES, model=other)
    monkeypatch.setattr("vidcolor.provenance.__version__", "9.9")
    with pytest.raises(OutputError, match=r"vidcolor was '.+' and is '9\.9'"):
        color(path, target, colorizer)
    monkeypatch.undo()
    assert color(path, target, colorizer).frames == 110


def test_a_clock_that_wraps_within_the_film(film, colorizer, tmp_path, monkeypatch):
    """MPEG-TS counts 33 bits, 26.5 hours: behind the wrap no place is sought by raw time, and nothing is lost."""
    path = tmp_path / "wrap.ts"
    first = 2**33 - 2 * 90_000
    with av.open(str(film)) as inp, av.open(str(path), "w", format="mpegts") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "ultrafast", "g": "20", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        for number, frame in enumerate(inp.decode(video=0)):
            frame.pict_type, frame.pts, frame.time_base = 0, first + 3750 * number, Fraction(1, 90_000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    whole, target = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    color(path, whole, colorizer)
    times = read(whole).times
    assert len(times) == 110
    assert all(Fraction(1, 30) < b - a < Fraction(1, 20) for a, b in pairwise(times))
    interrupted(path, target, colorizer, monkeypatch, 2)
    color(path, target, colorizer)
    assert target.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("first", ["tff", "bff"])
def test_fields_keep_their_order_behind_every_cut(colorizer, tmp_path, first, monkeypatch):
    """Segments begin with an encoder of their own: each must be told. Times of repeated fields stay, too."""
    plain, path = make_film(tmp_path / "plain.mkv", {20, 40}, 60, sound=False), tmp_path / "fields.mkv"
    with av.open(str(plain)) as inp, av.open(str(path), "w") as out:
        options = {"preset": "ultrafast", "x264-params": f"{first}=1", "flags": "+ildct+ilme"}
        stream = out.add_stream("libx264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(inp.decode(video=0)):
            fields = 5 * number // 2  # soft telecine: two fields, then three
            frame.pict_type, frame.pts, frame.time_base = 0, round(fields * 1001 / 60), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    target = tmp_path / "out.mkv"
    interrupted(path, target, colorizer, monkeypatch, 2, rules=dataclasses.replace(RULES, shortest=0.4))
    color(path, target, colorizer, rules=dataclasses.replace(RULES, shortest=0.4))
    before, after = read(path), read(target)
    assert after.times == before.times
    assert {(f.interlaced_frame, bool(f.is_corrupt)) for f in after.frames} == {(True, False)}
    with Reader(target) as reader:
        assert reader.info.field_order == first
