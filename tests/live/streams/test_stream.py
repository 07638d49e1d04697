"""Streams with real peers: processes that send and receive over loopback, with FFmpeg's own protocols."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
import time
from contextlib import contextmanager

import av
import numpy as np
import pytest

from tests.films import chroma_spread, read
from tests.live.broadcast import coloured, free_port, make_cast, peer, rising, running, sound, times, within
from vidcolor.errors import Cancelled, InputError, OutputError


def test_udp_to_udp(colorizer, cast, tmp_path):
    """Joined in the middle; stopped by the user, with everything written."""
    came, went, out = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM), tmp_path / "out.nut"
    with (
        peer("receive", f"udp://127.0.0.1:{went}", out) as receiver,
        peer("send", cast, f"udp://127.0.0.1:{came}?pkt_size=1316", "mpegts"),
        running(colorizer, f"udp://127.0.0.1:{came}", f"udp://127.0.0.1:{went}?pkt_size=1316") as run,
    ):
        run.until(lambda: run.frames > 60)
        run.stop.set()
        summary = run.result()
        receiver.wait(30)
    stamps = times(out)
    assert rising(stamps["video"])
    assert rising(stamps["audio"])
    assert within(sound(out), sound(cast))
    assert coloured(out)
    assert summary.frames >= 60


def test_rtmp_to_rtmp(colorizer, cast, tmp_path):
    """All that a sender has sent arrives, to the last packet of sound; the keys are not shown."""
    came, went, out = free_port(), free_port(), tmp_path / "out.nut"
    source, target = f"rtmp://127.0.0.1:{came}/live/secret", f"rtmp://127.0.0.1:{went}/live/secret"
    with (
        peer("receive", target, out, "listen") as receiver,
        running(colorizer, source, target, listen=True, reconnect=0) as run,
        peer("send", cast, source, "flv", 4),
    ):
        summary = run.result()
        receiver.wait(30)
    stamps = times(out)
    assert rising(stamps["video"])
    assert rising(stamps["audio"])
    assert len(stamps["video"]) + summary.dropped >= 95
    packets = sound(out)
    assert packets == sound(cast)[: len(packets)]
    assert len(packets) > 160
    assert coloured(out)
    assert "secret" not in " ".join([summary.source, summary.target, *summary.warnings, *run.notes])


def test_rtsp_to_rtsp(colorizer, cast, tmp_path):
    came, went, out = free_port(), free_port(), tmp_path / "out.nut"
    with (
        peer("receive", f"rtsp://127.0.0.1:{went}/live", out, "listen") as receiver,
        running(colorizer, f"rtsp://127.0.0.1:{came}/live", f"rtsp://127.0.0.1:{went}/live", listen=True) as run,
        peer("send", cast, f"rtsp://127.0.0.1:{came}/live", "rtsp"),
    ):
        run.until(lambda: run.frames > 60)
        run.stop.set()
        run.result()
        receiver.wait(30)
    stamps = times(out)
    assert rising(stamps["video"])
    assert rising(stamps["audio"])
    assert within(sound(out), sound(cast))
    assert coloured(out)


def test_a_lost_source_comes_back_in_step(colorizer, cast, tmp_path):
    """The sender is killed and started anew: one timeline, and each frame with the sound that belongs to it."""
    address, out = f"rtmp://127.0.0.1:{free_port()}/live/key", tmp_path / "out.mkv"
    with running(colorizer, address, out, changes={"codec": "ffv1"}, listen=True, timeout=5) as run:
        with peer("send", cast, address, "flv") as sender:
            run.until(lambda: run.frames > 30)
            sender.kill()
        with peer("send", cast, address, "flv", 3):
            run.until(lambda: any("is back" in note for note in run.notes))
            before = run.frames
            run.until(lambda: run.frames > before + 30)
            run.stop.set()
            summary = run.result()
    assert summary.reconnected == 1
    stamps = times(out)
    assert rising(stamps["video"])
    assert rising(stamps["audio"])
    source, film = read(cast), read(out)
    images = {luma.tobytes(): time for luma, time in zip(source.luma, source.times, strict=True)}
    pieces = {data: time for time, data in source.packets[0]}
    seen = [time - images[luma.tobytes()] for luma, time in zip(film.luma, film.times, strict=True)]
    heard = [time - pieces[data] for time, data in film.packets[0]]
    assert abs(seen[0] - heard[0]) < 0.02
    assert abs(seen[-1] - heard[-1]) < 0.02
    assert seen[-1] - seen[0] > 1  # it was another connection


def test_a_source_comes_back_with_another_codec_and_size(colorizer, cast, tmp_path):
    other = make_cast(tmp_path / "other.flv", width=128, height=96, form="flv", codec="flv")
    address, out = f"rtmp://127.0.0.1:{free_port()}/live/key", tmp_path / "out.mkv"
    with running(colorizer, address, out, listen=True, timeout=5) as run:
        with peer("send", cast, address, "flv") as sender:
            run.until(lambda: run.frames > 20)
            sender.kill()
        with peer("send", other, address, "flv"):
            run.until(lambda: any("is back" in note for note in run.notes))
            before = run.frames
            run.until(lambda: run.frames > before + 30)
            run.stop.set()
            summary = run.result()
    assert any("came in another size" in warning for warning in summary.warnings)
    film = read(out)
    assert {(f.width, f.height) for f in film.frames} == {(192, 144)}
    assert chroma_spread(film.frames[-1]) > 1
    assert rising(film.times)


def test_a_source_that_stays_away_is_given_up_and_what_came_is_kept(colorizer, cast, tmp_path):
    port, out = free_port(socket.SOCK_DGRAM), tmp_path / "out.mkv"
    with running(colorizer, f"udp://127.0.0.1:{port}", out, timeout=1, reconnect=1) as run:
        with peer("send", cast, f"udp://127.0.0.1:{port}?pkt_size=1316", "mpegts"):
            run.until(lambda: run.frames > 20)
        with pytest.raises(InputError, match=r"nothing has come for 1 s; what came before is in .*out\.mkv"):
            run.result()
    assert coloured(out)
    assert any("trying again for 1 s" in note for note in run.notes)


def test_a_live_source_until_its_end(colorizer, cast, tmp_path):
    port, out = free_port(socket.SOCK_DGRAM), tmp_path / "out.mkv"
    with (
        peer("send", cast, f"udp://127.0.0.1:{port}?pkt_size=1316", "mpegts"),
        running(colorizer, f"udp://127.0.0.1:{port}", out, changes={"end": 1.5}) as run,
    ):
        run.result()
    assert 1.3 < times(out)["video"][-1] < 1.7


def test_a_lost_target_comes_back_with_a_key_frame(colorizer, cast, tmp_path):
    """A film at its own pace to a server that dies and is started again."""
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    first, second = tmp_path / "first.nut", tmp_path / "second.nut"
    with peer("receive", address, first, "listen") as receiver:
        time.sleep(1.5)
        with running(colorizer, cast, address) as run:
            run.until(lambda: run.frames > 20)
            receiver.kill()
            with peer("receive", address, second, "listen") as other:
                summary = run.result()
                other.wait(30)
    assert summary.reconnected == 1
    assert any("lost" in note for note in run.notes)
    assert any("is back" in note for note in run.notes)
    with av.open(str(second)) as film:
        assert next(p for p in film.demux(video=0)).is_keyframe
    assert rising(times(second)["video"])


def test_a_film_as_a_playlist_and_back_from_a_web_server(color, cast, tmp_path):
    playlist = tmp_path / "web" / "out.m3u8"
    playlist.parent.mkdir()
    color(cast, playlist)
    text = playlist.read_text()
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in text
    assert "#EXT-X-ENDLIST" in text
    assert len(list(playlist.parent.glob("out-*.ts"))) == 2
    assert sound(playlist) == sound(cast)
    assert len(read(playlist).frames) == len(read(cast).frames)
    with pytest.raises(OutputError, match="exists already"):
        color(cast, playlist)
    color(cast, playlist, overwrite=True, end=1.0)
    assert len(list(playlist.parent.glob("out-*.ts"))) == 1

    with served(playlist.parent) as address:
        out = tmp_path / "back.mkv"
        summary = color(f"{address}/out.m3u8", out, codec="ffv1")
        with pytest.raises(InputError, match="not found there"):
            color(f"{address}/none.m3u8", tmp_path / "none.mkv")
    assert summary.dropped == 0
    before, after = read(playlist), read(out)
    assert all(np.array_equal(a, b) for a, b in zip(before.luma, after.luma, strict=True))
    assert sound(out) == sound(playlist)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder):
    """A web server for the files of a folder; gives its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("name", ["recording.webm", "raw.h264"])
def test_a_finished_file_without_a_length_is_no_live_source(color, cast, tmp_path, name):
    """As browsers record it, and as cameras store it: fetched once, with every frame, and that is all."""
    with av.open(str(cast)) as inp, av.open(str(tmp_path / name), "w", options={"live": "1"}) as out:
        film = inp.streams.video[0]
        codec = "libvpx" if name.endswith("webm") else "libx264"
        stream = out.add_stream(
            codec, rate=film.average_rate, options={"deadline": "realtime"} if "vpx" in codec else {}
        )
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        for number, frame in zip(range(40), inp.decode(film), strict=False):
            frame.pict_type, frame.pts, frame.time_base = 0, number, 1 / film.average_rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with served(tmp_path) as address:
        summary = color(f"{address}/{name}", tmp_path / "out.mkv")
    assert (summary.frames, summary.dropped, summary.reconnected) == (40, 0, 0)
    assert not [w for w in summary.warnings if "ended" in w]
    assert len(read(tmp_path / "out.mkv").frames) == 40


def test_a_film_into_a_playlist_that_is_stopped_leaves_nothing(colorizer, cast, tmp_path):
    with running(colorizer, cast, tmp_path / "out.m3u8") as run:
        run.until(lambda: run.frames > 5)
        run.stop.set()
        with pytest.raises(Cancelled):
            run.result()
    assert not list(tmp_path.iterdir())


def test_a_live_playlist_is_closed_when_stopped(colorizer, cast, tmp_path):
    with running(colorizer, cast, tmp_path / "out.m3u8", realtime=True) as run:
        run.until(lambda: run.frames > 20)
        run.stop.set()
        run.result()
    assert "#EXT-X-ENDLIST" in (tmp_path / "out.m3u8").read_text()
    assert coloured(tmp_path / "out.m3u8")
