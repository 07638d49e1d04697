"""Segments: where they end, that they do not depend on each other, and that an interrupted film goes on from them."""

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.films import read
from vidcolor.errors import Cancelled, OutputError
from vidcolor.film import run as film_run
from vidcolor.film.hooks import Hooks
from vidcolor.film.plan import Segment, read_plan
from vidcolor.film.rules import Rules
from vidcolor.film.run import colorize_film
from vidcolor.film.work import folder_of, locked
from vidcolor.film.writer import SegmentWriter
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorizeOptions

RULES = Rules(shortest=0.5, longest=1.5, lead_in=6)
OPTIONS = ColorizeOptions(preset="ultrafast", size=64)


def make_film(path: Path, cuts, frames: int, *, width: int = 320, sound: bool = True) -> Path:
    """A grey film of 24 frames a second whose picture changes at `cuts` and drifts between, with a tone."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"preset": "ultrafast", "crf": "10", "g": "20"})
        video.width, video.height, video.pix_fmt = width, 192, "yuv420p"
        tone = out.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        scene = None
        for i in range(frames):
            if i == 0 or i in cuts:
                noise = rng.uniform(20, 230, (12, 24)).astype(np.float32)
                scene = np.kron(noise, np.ones((30, 60), np.float32))
            frame = av.VideoFrame(width, 192, "yuv420p")
            planes = scene[i : i + 192, i : i + width], np.full((96, width // 2), 128.0)
            for plane, values in zip(frame.planes, (planes[0], planes[1], planes[1]), strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
                rows[:, : plane.width] = values.astype(np.uint8)
            frame.pts = i
            out.mux(video.encode(frame))
            if tone is not None:
                wave = (8000 * np.sin(np.arange(333) * (0.1 + i / 500))).astype(np.int16)[None]
                sound_frame = av.AudioFrame.from_ndarray(wave, "s16", "mono")
                sound_frame.sample_rate, sound_frame.pts, sound_frame.time_base = 8000, i * 333, Fraction(1, 8000)
                out.mux(tone.encode(sound_frame))
        out.mux(video.encode(None))
        if tone is not None:
            out.mux(tone.encode(None))
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Shots that begin at 20, 30 and 40 (too early to end a segment alone), and one of 2.9 s, which is cut within."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv", {20, 30, 40}, 110)


def color(film, target, colorizer, *, rules=RULES, options=OPTIONS, **hooks):
    given, model = Hooks(**hooks), ModelIdentity("test")
    return colorize_film(film, target, colorizer.backend, options, hooks=given, rules=rules, model=model)


@pytest.fixture(scope="module")
def whole(film, colorizer, tmp_path_factory):
    """The bytes of an undisturbed run."""
    target = tmp_path_factory.mktemp("whole") / "out.mkv"
    color(film, target, colorizer)
    return target.read_bytes()


def interrupted(film, target, colorizer, monkeypatch, after: int, **changes) -> list[Segment]:
    """A run that breaks when segment `after` is to be closed; the segments that it leaves."""
    close = SegmentWriter.close

    def fail(self, item):
        if item.segment.number == after:
            raise OSError("power cut")
        close(self, item)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentWriter, "close", fail)
        with pytest.raises(OSError, match="power cut"):
            color(film, target, colorizer, **changes)
    found = read_plan(folder_of(target))
    return found[0].segments if found else []


def test_segments_end_at_shots_and_long_shots_are_cut(film, colorizer, tmp_path, monkeypatch):
    monkeypatch.setattr(film_run, "assemble", lambda *args, **named: (_ for _ in ()).throw(Cancelled("here")))
    with pytest.raises(Cancelled):
        color(film, tmp_path / "out.mkv", colorizer)
    plan, coming = read_plan(folder_of(tmp_path / "out.mkv"))
    assert coming is None
    assert plan.complete
    assert [(s.first, s.last, s.kind, s.lead_in) for s in plan.segments] == [
        (0, 19, "first", 0), (20, 39, "cut", 0), (40, 75, "cut", 0), (76, 109, "", 6),
    ]  # fmt: skip
    assert [[frame for frame, *_ in s.shots] for s in plan.segments] == [[0], [20, 30], [40], []]
    assert [s.start.frame for s in plan.segments] == [0, 20, 40, 70]
    for a, b in itertools.pairwise(plan.segments):
        assert b.first == a.last + 1


def test_the_film_is_whole_and_has_a_key_frame_at_every_segment(film, whole, tmp_path):
    (tmp_path / "out.mkv").write_bytes(whole)
    source, made = read(film), read(tmp_path / "out.mkv")
    assert made.times == source.times
    assert made.packets == source.packets
    with av.open(str(tmp_path / "out.mkv")) as container:
        packets = [p for p in container.demux(video=0) if p.dts is not None]
        keys = {round(p.pts * p.time_base * 24) for p in packets if p.is_keyframe}
    assert {0, 20, 40, 76} <= keys
    assert all(a.dts < b.dts for a, b in itertools.pairwise(packets))
    assert all(p.dts <= p.pts for p in packets)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupted_film_goes_on_with_the_same_bytes(film, whole, colorizer, tmp_path, monkeypatch, after):
    """Segment `after` and those behind it are made by another encoder history, from a seek, with a fresh detector."""
    target = tmp_path / "out.mkv"
    assert len(interrupted(film, target, colorizer, monkeypatch, after)) == after
    assert not target.exists()
    read_before = []
    monkeypatch.setattr(film_run, "frames_from", spied(film_run.frames_from, read_before))
    summary = color(film, target, colorizer)
    assert target.read_bytes() == whole
    assert read_before[0] < 110, "it decoded the film from the start"
    assert summary.frames == 110
    assert summary.shots == 4
    assert any("done already" in note for note in summary.notes)
    assert list(tmp_path.iterdir()) == [target]


def spied(frames_from, counts):
    def spy(*args, **named):
        reader, frames = frames_from(*args, **named)

        def counted():
            count = 0
            for pair in frames:
                count += 1
                yield pair
            counts.append(count)

        return reader, counted()

    return spy


def test_a_run_that_is_killed_goes_on(film, whole, tmp_path):
    target = tmp_path / "out.mkv"
    code = (
        "import sys\nfrom pathlib import Path\nfrom vidcolor.api import Colorizer\n"
        "from vidcolor.film.rules import Rules\nfrom vidcolor.film.run import colorize_film\n"
        "from vidcolor.models.files import ModelIdentity\n"
        "from vidcolor.options import ColorizeOptions\n"
        "backend = Colorizer(ColorizeOptions(backend='openvino')).backend\n"
        f"colorize_film({str(film)!r}, Path({str(target)!r}), backend, "
        "ColorizeOptions(preset='ultrafast', size=64), rules=Rules(0.5, 1.5, 6), model=ModelIdentity('test'))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not list(folder_of(target).glob("segments/*.packets")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if target.exists():
        pytest.skip("it was done before it could be killed")
    assert list(folder_of(target).glob("segments/*.packets"))
    subprocess.run([sys.executable, "-c", code], check=True)
    assert target.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["out.mkv"]


def test_a_damaged_segment_and_those_behind_it_are_made_again(film, whole, colorizer, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    interrupted(film, target, colorizer, monkeypatch, 3)
    file = folder_of(target) / "segments" / "000001.packets"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    summary = color(film, target, colorizer)
    assert "20 frames were done already; going on from there" in summary.notes
    assert target.read_bytes() == whole


def test_a_line_of_the_plan_that_was_cut_off_is_left_out(film, whole, colorizer, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    interrupted(film, target, colorizer, monkeypatch, 3)
    plan = folder_of(target) / "plan.jsonl"
    plan.write_bytes(plan.read_bytes()[:-20])
    assert "40 frames were done already; going on from there" in color(film, target, colorizer).notes
    assert target.read_bytes() == whole


def test_what_was_begun_otherwise_is_refused(film, colorizer, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    interrupted(film, target, colorizer, monkeypatch, 2)
    with pytest.raises(OutputError, match=r"begun in another way \(crf was None and is 30.0\); give the same options"):
        color(film, target, colorizer, options=ColorizeOptions(preset="ultrafast", size=64, crf=30.0))
    with pytest.raises(OutputError, match=r"shortest was 0\.5 and is 10\.0"):
        color(film, target, colorizer, rules=Rules())
    changed = tmp_path / "changed.mkv"
    changed.write_bytes(film.read_bytes())
    with pytest.raises(OutputError, match="belongs to another source"):
        color(changed, target, colorizer)
    assert len(read_plan(folder_of(target))[0].segments) == 2, "what was done is kept"


def test_one_run_at_a_time(film, colorizer, tmp_path):
    target = tmp_path / "out.mkv"
    with locked(folder_of(target)), pytest.raises(OutputError, match="another vidcolor is at work"):
        color(film, target, colorizer)


def test_cancel_keeps_what_is_done(film, whole, colorizer, tmp_path):
    target, cancel = tmp_path / "out.mkv", threading.Event()

    def progress(summary, total):
        if list(folder_of(target).glob("segments/*.packets")):
            cancel.set()

    with pytest.raises(Cancelled):
        color(film, target, colorizer, progress=progress, cancel=cancel)
    assert not target.exists()
    color(film, target, colorizer)
    assert target.read_bytes() == whole


def test_the_picture_is_the_same_whether_cut_or_not(film, whole, colorizer, tmp_path):
    """Shot boundaries change nothing; a cut within a shot changes colour a little, from there on."""
    (tmp_path / "cut.mkv").write_bytes(whole)
    options = ColorizeOptions(codec="ffv1", size=64)
    color(film, tmp_path / "one.mkv", colorizer, options=options, rules=Rules())
    color(film, tmp_path / "many.mkv", colorizer, options=options)
    one, many = read(tmp_path / "one.mkv"), read(tmp_path / "many.mkv")
    differences = []
    for a, b in zip(one.frames, many.frames, strict=True):
        x, y = (f.to_ndarray().astype(int) for f in (a, b))
        assert (x[:192] == y[:192]).all()  # the luma
        differences.append(np.abs(x[192:] - y[192:]).max())
    assert max(differences[:63]) == 0  # up to the last anchor but one before the cut within
    assert max(differences) <= 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="paths with these characters are for POSIX")
def test_odd_names_resume_too(film, whole, colorizer, tmp_path, monkeypatch):
    target = tmp_path / "a #1 [x] 100%.mkv"
    assert len(interrupted(film, target, colorizer, monkeypatch, 2)) == 2
    color(film, target, colorizer)
    assert target.read_bytes() == whole


def test_restart_forgets_what_is_done(film, whole, colorizer, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    interrupted(film, target, colorizer, monkeypatch, 2)
    summary = color(film, target, colorizer, options=ColorizeOptions(preset="ultrafast", size=64, restart=True))
    assert summary.notes == []
    assert target.read_bytes() == whole


def test_a_resumed_film_has_the_sidecar_of_an_undisturbed_one(film, colorizer, tmp_path, monkeypatch):
    options = dataclasses.replace(OPTIONS, sidecar="json")
    for name in ("whole", "resumed"):
        (tmp_path / name).mkdir()
    whole, resumed = tmp_path / "whole" / "out.mkv", tmp_path / "resumed" / "out.mkv"
    color(film, whole, colorizer, options=options)
    interrupted(film, resumed, colorizer, monkeypatch, 2, options=options)
    assert "40 frames were done already; going on from there" in color(film, resumed, colorizer, options=options).notes
    assert resumed.read_bytes() == whole.read_bytes()
    assert (resumed.parent / "out.mkv.json").read_bytes() == (whole.parent / "out.mkv.json").read_bytes()
