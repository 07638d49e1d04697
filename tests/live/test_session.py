"""Capture, colour and recording together, with real films and a real stream."""

from __future__ import annotations

import socket
import threading
import time
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ODD, SAMPLE
from tests.films import chroma_spread, make_mpegts, read
from vidcolor import ColorizeOptions
from vidcolor.errors import InputError, OutputError
from vidcolor.live.capture import Capture
from vidcolor.live.colorizer import LiveColorizer
from vidcolor.live.newest import Closed, Newest
from vidcolor.live.options import WatchOptions
from vidcolor.live.recorder import Recorder
from vidcolor.live.session import LiveSession, Meter, Shown
from vidcolor.live.virtual import VirtualCamera
from vidcolor.live.watch import Watcher


def watch_all(session: LiveSession):
    """Everything that the session shows until its end."""
    shown = []
    with session:
        while True:
            try:
                item = session.next(60)
            except Closed:
                return shown
            assert item is not None
            shown.append(item)


def make_session(source, colorizer, **options) -> LiveSession:
    return LiveSession(Capture(str(source), Newest(), **options), LiveColorizer(colorizer.backend, colorizer.options))


def test_a_film_is_played_to_its_end(colorizer, short_film):
    session = make_session(short_film, colorizer)
    shown = watch_all(session)
    assert len(shown) + session.dropped == 12
    assert [s.number for s in shown] == sorted({s.number for s in shown})
    assert all(chroma_spread(s.frame) > 2 for s in shown)
    assert not session.worker.is_alive()
    assert not session.reader.is_alive()


def test_who_is_slow_gets_the_newest_frame_and_the_others_are_counted(colorizer, short_film):
    session = make_session(short_film, colorizer)
    with session:
        first = session.next(60)
        session.worker.join(60)
        last = session.next(60)
    assert first.number == 0
    assert last.number == 11
    assert session.dropped == 10


def test_a_film_can_begin_again(colorizer, short_film):
    session = make_session(short_film, colorizer, loop=True)
    with session:
        numbers = []
        while not numbers or numbers[-1] < 30:  # the film has 12 frames
            item = session.next(60)
            assert item is not None, f"no frame for a minute after number {numbers[-1:]}"
            assert item.number > max(numbers, default=-1)
            numbers.append(item.number)
    assert session.capture.reconnected == 0


@pytest.mark.parametrize(("part", "step"), [("capture", "give"), ("colorizer", "color")])
def test_an_error_of_a_thread_reaches_the_viewer(colorizer, short_film, monkeypatch, part, step):
    session = make_session(short_film, colorizer)
    monkeypatch.setattr(getattr(session, part), step, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        watch_all(session)
    assert not session.reader.is_alive()


@pytest.mark.parametrize(
    "source", [p for p in ODD if p.suffix in (".mov", ".ts", ".apng", ".webm")], ids=lambda p: p.name
)
def test_odd_films_play(colorizer, source):
    shown = watch_all(make_session(source, colorizer))
    assert shown
    assert (shown[0].rotation != 0) == ("rotated" in source.name)


class Sender(threading.Thread):
    """A grey stream over UDP, at the pace of a camera, until `stop`."""

    def __init__(self, port: int, size=(320, 240)) -> None:
        super().__init__()
        self.port, self.size, self.stop = port, size, threading.Event()
        self.start()

    def run(self) -> None:
        options = {"pkt_size": "1316"}
        with av.open(f"udp://127.0.0.1:{self.port}", "w", format="mpegts", options=options) as out:
            stream = out.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = *self.size, "yuv420p", 5
            number = 0
            while not self.stop.is_set():
                frame = av.VideoFrame(*self.size, "yuv420p")
                for i, part in enumerate(frame.planes):
                    view = np.frombuffer(memoryview(part), np.uint8).reshape(part.height, -1)
                    view[:] = 128 if i else (np.arange(view.shape[1]) + 3 * number) % 200
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
                number += 1
                self.stop.wait(0.04)

    def end(self) -> None:
        self.stop.set()
        self.join()


@pytest.fixture
def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_stream_that_is_gone_comes_back(colorizer, port):
    notes: list[str] = []
    sender = Sender(port)
    address = f"udp://127.0.0.1:{port}?timeout=1000000"
    session = make_session(address, colorizer, note=notes.append)
    with session:
        assert session.next(60) is not None
        sender.end()
        deadline = time.monotonic() + 60
        while not session.capture.status and time.monotonic() < deadline:
            session.coloured.take(0.1)
        assert "trying again" in session.capture.status
        before = session.capture.number
        sender = Sender(port, size=(160, 120))
        while session.capture.number == before and time.monotonic() < deadline:
            session.coloured.take(0.1)
        shown = session.next(60)
        while shown is not None and shown.frame.width == 320:
            shown = session.next(60)
    sender.end()
    assert session.capture.reconnected == 1
    assert session.capture.status == ""
    assert shown.frame.width == 160
    assert len(notes) == 2


def test_a_looped_file_that_is_gone_ends_the_session(colorizer, short_film, tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(short_film.read_bytes())
    session = make_session(film, colorizer, loop=True)
    with session:
        assert session.next(60) is not None
        film.unlink()
        with pytest.raises(Closed):
            list(iter(lambda: session.next(60), None))


def test_what_cannot_be_opened_is_said_before_any_thread_runs(colorizer, tmp_path):
    before = threading.active_count()
    with pytest.raises(InputError, match="no such file"):
        Capture(str(tmp_path / "none.mp4"), Newest())
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(bytes(1600))
    with pytest.raises(InputError, match="has no picture"):
        Capture(str(sound), Newest())
    assert threading.active_count() == before


def test_recording_keeps_times_and_colours(colorizer, short_film, tmp_path):
    target = tmp_path / "out.mp4"
    watch = WatchOptions(output=target, window=False)
    watcher = Watcher(str(short_film), colorizer, watch)
    watcher.run()
    film = read(target)
    assert 1 <= len(film.frames) <= 12
    assert film.times[0] == 0
    assert all(b > a for a, b in zip(film.times, film.times[1:], strict=False))
    assert max(film.times) < 2
    assert all(chroma_spread(f) > 2 for f in film.frames)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(
    ("size", "tags"), [((320, 240), (6, 6, 6)), ((352, 576), (5, 5, 6)), ((1280, 32), (1, 1, 1))], ids=str
)
def test_a_recording_is_tagged_as_players_assume_of_the_untagged_source(colorizer, tmp_path, size, tags):
    """Matrix, primaries and transfer are different lists of ITU-T H.273: 5 is BT.601's matrix, and a gamma of 2.8."""
    source, target = make_mpegts(tmp_path / "grey.ts", frames=5, size=size), tmp_path / "out.mp4"
    Watcher(str(source), colorizer, WatchOptions(output=target, window=False)).run()
    with av.open(str(target)) as film:
        ctx = film.streams.video[0].codec_context
        assert (ctx.colorspace, ctx.color_primaries, ctx.color_trc) == tags


def test_the_sources_own_tags_stay(colorizer, tmp_path):
    recorder, source = Recorder(tmp_path / "out.mp4", ColorizeOptions()), av.VideoFrame(64, 48, "yuv420p")
    source.colorspace, source.color_primaries, source.color_trc = 5, 9, 14
    recorder(Shown(source, 0.0, 0))
    recorder.close()
    with av.open(str(tmp_path / "out.mp4")) as film:
        ctx = film.streams.video[0].codec_context
        assert (ctx.colorspace, ctx.color_primaries, ctx.color_trc) == (5, 9, 14)


def test_the_shape_of_pixels_is_kept(colorizer, tmp_path):
    """PAL of 720 x 576 shown as 16:9: network, window, snapshot and recording see the picture as wide as it is."""
    aspect = Fraction(64, 45)
    source, target = make_mpegts(tmp_path / "wide.ts", size=(720, 576), aspect=aspect), tmp_path / "out.mp4"
    watcher = Watcher(str(source), colorizer, WatchOptions(output=target, folder=tmp_path, window=False))
    seen = []
    watcher.session.outputs.append(lambda shown: seen.append(shown))
    watcher.controls.press("s")
    watcher.run()
    size = watcher.session.colorizer.memory.size
    assert size.width / size.height == pytest.approx(16 / 9, rel=0.02)
    assert {shown.aspect for shown in seen} == {aspect}
    assert watcher.capture.size == (1024, 576)
    with Image.open(next(tmp_path.glob("*.png"))) as snapshot:
        assert snapshot.size == (1024, 576)
    with av.open(str(target)) as film:
        assert film.streams.video[0].sample_aspect_ratio == aspect


def test_a_recording_never_replaces_a_file(colorizer, short_film, tmp_path):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        Watcher(str(short_film), colorizer, WatchOptions(output=target, window=False)).run()
    assert target.read_bytes() == b"precious"
    assert "record" not in [t.name for t in threading.enumerate()]


def test_a_recording_without_a_frame_leaves_nothing(tmp_path):
    recorder = Recorder(tmp_path / "out.mkv", ColorizeOptions())
    recorder.close()
    assert recorder.frames == 0
    assert not list(tmp_path.iterdir())


def test_a_recording_that_fails_says_so_and_leaves_nothing(colorizer, tmp_path):
    watch = WatchOptions(output=tmp_path / "no" / "out.mp4", window=False)
    with pytest.raises(OutputError, match="its folder does not exist"):
        Watcher(str(SAMPLE), colorizer, watch).run()
    assert list(tmp_path.iterdir()) == []
    assert "record" not in [t.name for t in threading.enumerate()]


def test_snapshot_strength_and_end_are_served(colorizer, tmp_path):
    watcher = Watcher(str(SAMPLE), colorizer, WatchOptions(folder=tmp_path, window=False))
    with watcher.session:
        shown = watcher.session.next(60)
        for key in ("s", "+"):
            watcher.controls.press(key)
        watcher.serve(shown)
        watcher.controls.press("s")
        watcher.serve(shown)
    assert watcher.session.colorizer.strength == pytest.approx(1.1)
    first, second = sorted(tmp_path.iterdir())
    assert first.suffix == second.suffix == ".png"


def test_a_meter_knows_rate_and_latency():
    meter = Meter()
    assert meter.rate == meter.latency == 0
    for i in range(5):
        meter.seen.append((i * 0.04, 0.02))
    assert meter.rate == pytest.approx(25)
    assert meter.latency == pytest.approx(0.02)


class FakeDriver:
    """A driver of pyvirtualcam that keeps what it is sent; a real one needs a kernel module."""

    sent: list[np.ndarray] = []  # noqa: RUF012
    closed = 0

    def __init__(self, *, width, height, fps, fourcc, device):
        self.width, self.height = width, height

    def close(self):
        FakeDriver.closed += 1

    def send(self, frame):
        FakeDriver.sent.append(frame.copy())

    def device(self):
        return "fake"

    def native_fourcc(self):
        return None


def test_other_programs_see_the_picture_through_a_virtual_camera(colorizer, short_film, monkeypatch):
    from pyvirtualcam import camera

    monkeypatch.setattr(camera, "BACKENDS", {"fake": FakeDriver})
    Watcher(str(short_film), colorizer, WatchOptions(virtual_camera="", window=False)).run()
    assert len(FakeDriver.sent) >= 1
    assert FakeDriver.closed == 1
    with av.open(str(short_film)) as film:
        height, width = film.streams.video[0].height, film.streams.video[0].width
    assert FakeDriver.sent[0].size == width * height * 3 // 2
    assert FakeDriver.sent[0][width * height :].std() > 2


def test_without_a_virtual_camera_driver_there_is_one_line():
    with pytest.raises(OutputError, match="virtual camera: /dev/video97 is none; load v4l2loopback"):
        VirtualCamera("/dev/video97").open(64, 48)
