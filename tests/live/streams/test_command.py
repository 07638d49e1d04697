"""Streams as the command runs them: pipes, signals, and everything that can go wrong before the first frame."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import unquote, urlsplit

import av
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.films import luma_of, read
from tests.live.broadcast import coloured, free_port, make_cast, peer, rising, sound, times
from vidcolor.errors import InputError, OptionError, OutputError
from vidcolor.live.streams.options import StreamOptions
from vidcolor.live.streams.protocols import has_protocol


def vidcolor(*words: object, **streams) -> subprocess.Popen:
    command = [sys.executable, "-m", "vidcolor", *map(str, words), "--size", "96"]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, **streams)


def piped(data: bytes, *words: object) -> bytes:
    process = vidcolor(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, messages = process.communicate(data, timeout=60)
    assert process.returncode == 0, messages
    return out


def test_pipes_of_nut_and_y4m(cast, tmp_path):
    """Film -> NUT -> NUT -> y4m -> file: the luma stays, sound as long as the format holds it."""
    first = piped(b"", cast, "-o", "-", "--end", "1")
    again = piped(first, "-", "-o", "-")
    (tmp_path / "again.nut").write_bytes(again)
    frames = piped(again, "-", "-o", "-", "--format", "y4m")
    assert frames.startswith(b"YUV4MPEG2")
    assert piped(frames, "-", "-o", tmp_path / "out.mkv", "--codec", "ffv1") == b""
    source, nut, out = read(cast), read(tmp_path / "again.nut"), read(tmp_path / "out.mkv")
    assert len(nut.frames) == len(out.frames) > 20
    for before, middle, after in zip(source.luma, nut.luma, out.luma, strict=False):
        assert np.array_equal(before, middle)
        assert np.array_equal(before, after)
    assert sound(tmp_path / "again.nut") == sound(cast)[: len(nut.packets[0])]
    assert coloured(tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as film:
        assert film.metadata["COMMENT"].endswith("model vidcolor-default")


def test_a_reader_that_goes_away_ends_it_cleanly(cast):
    process = vidcolor(cast, "-o", "-", stdout=subprocess.PIPE)
    assert process.stdout.read(100_000)[:8] == b"nut/mult"
    process.stdout.close()
    messages = process.stderr.read().decode()
    assert process.wait(60) == 0
    assert "its reader has closed it" in messages
    assert "Traceback" not in messages


def test_a_size_that_changes_midway(cast, tmp_path):
    small, large = (
        make_cast(tmp_path / f"{w}.ts", width=w, height=h, form="mpegts") for w, h in ((128, 96), (256, 192))
    )
    out = tmp_path / "out.mkv"
    piped(small.read_bytes() + large.read_bytes(), "-", "-o", out, "--codec", "ffv1")
    film = read(out)
    assert {(f.width, f.height) for f in film.frames} == {(128, 96)}
    assert len(film.frames) > 1.9 * len(read(small).frames)
    assert rising(film.times)


@pytest.mark.parametrize("name", ["out.ts", "out.m2ts", "out.flv"])
def test_what_people_record_into(color, cast, tmp_path, name):
    """From a live source, and a film as a whole."""
    color(cast, tmp_path / name, StreamOptions(realtime=True), end=1.5)
    assert coloured(tmp_path / name)
    assert rising(times(tmp_path / name)["video"])
    assert len(read(tmp_path / name).packets[0]) > 20
    film = tmp_path / f"film-{name}"
    assert vidcolor(cast, "-o", film, "--crf", "5", "-q").wait(60) == 0
    assert len(read(film).frames) == len(read(cast).frames)
    assert sound(film)[5:50] == sound(cast)[5:50]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_recording_that_is_stopped_is_kept(cast, tmp_path, number):
    port, out = free_port(socket.SOCK_DGRAM), tmp_path / "out.mp4"
    with peer("send", cast, f"udp://127.0.0.1:{port}?pkt_size=1316", "mpegts"):
        process = vidcolor(f"udp://127.0.0.1:{port}", "-o", out, "--crf", "5")
        deadline = time.monotonic() + 60
        while not any(p.stat().st_size > 20_000 for p in tmp_path.glob(".vidcolor-*")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(60) == 0
        process.stderr.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    assert coloured(out)
    assert rising(times(out)["video"])


def test_what_cannot_be_reached(color, tmp_path):
    target, port = tmp_path / "out.mkv", free_port()
    with pytest.raises(
        InputError, match=r"rtmp://127.0.0.1:\d+/live/\*\*\*: connection refused; start the server"
    ) as error:
        color(f"rtmp://127.0.0.1:{port}/live/secret", target)
    assert "secret" not in str(error.value)
    with pytest.raises(InputError, match=r"rtsp://\*\*\*@127.0.0.1:\d+/cam: connection refused") as error:
        color(f"rtsp://me:secret@127.0.0.1:{port}/cam", target)
    assert "secret" not in str(error.value)
    with pytest.raises(InputError, match="cannot be reached"):
        color("http://host.invalid/film.mp4", target)
    with pytest.raises(InputError, match=r"nothing has come for 0\.5 s"):
        color(f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}", target, StreamOptions(timeout=0.5))
    assert not list(tmp_path.iterdir())


def test_a_host_that_says_nothing(color, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(InputError, match=r"nothing has come for 0\.5 s"):
            color(f"rtmp://127.0.0.1:{port}/live/key", tmp_path / "out.mkv", StreamOptions(timeout=0.5))


def test_a_target_that_refuses(color, cast):
    with pytest.raises(OutputError, match=r"/live/\*\*\*: connection refused; start the server") as error:
        color(cast, f"rtmp://127.0.0.1:{free_port()}/live/secret")
    assert "secret" not in str(error.value)


def test_srt_where_the_wheel_has_it_or_not(color, cast, tmp_path):
    source = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?passphrase=secret"
    if has_protocol("srt"):
        with pytest.raises(InputError, match="srt://"):
            color(source, tmp_path / "out.mkv", StreamOptions(timeout=0.5))
        return
    with pytest.raises(OptionError, match=r"without SRT.*ffmpeg -i 'srt.*\| vidcolor - --live -o") as error:
        color(source, tmp_path / "out.mkv")
    assert "secret" not in str(error.value)
    with pytest.raises(OptionError, match=r"without SRT.*--format mpegts \| ffmpeg -i - -c copy -f mpegts 'srt"):
        color(cast, source)


def test_one_line_for_what_is_no_film(tmp_path):
    process = vidcolor("-", "-o", tmp_path / "out.mkv", stdin=subprocess.PIPE)
    _, messages = process.communicate(b"no film at all" * 1000, timeout=60)
    assert process.returncode == 1
    line = messages.decode().splitlines()[-1]
    assert line.startswith("vidcolor: standard input: holds no film that can be read; send y4m")
    assert not list(tmp_path.iterdir())


def test_an_mp4_that_a_pipe_cannot_read(cast, tmp_path):
    """Its index stands behind the pictures, as most programs write it."""
    behind = tmp_path / "behind.mp4"
    with av.open(str(cast)) as inp, av.open(str(behind), "w") as out:
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in inp.streams}
        for packet in inp.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    process = vidcolor("-", "-o", tmp_path / "out.mkv", stdin=subprocess.PIPE)
    _, messages = process.communicate(behind.read_bytes(), timeout=60)
    assert process.returncode == 1
    assert "standard input: is an MP4 with its index at the end" in messages.decode().splitlines()[-1]


def test_no_thread_is_left(color, cast, tmp_path):
    before = {t.ident for t in threading.enumerate()}
    color(cast, tmp_path / "out.mkv", StreamOptions(live=True), end=1.0)
    with pytest.raises(OutputError):
        color(cast, f"rtmp://127.0.0.1:{free_port()}/live/key")
    assert {t.ident for t in threading.enumerate()} <= before


def test_luma_of_a_live_film_is_untouched(color, cast, tmp_path):
    """At its own pace every frame has time, and comes through to the bit."""
    out = tmp_path / "out.mkv"
    color(cast, out, StreamOptions(realtime=True), codec="ffv1", end=1.5)
    with av.open(str(cast)) as film:
        sent = {luma_of(f).tobytes() for f in film.decode(video=0)}
    assert all(luma.tobytes() in sent for luma in read(out).luma)
    assert os.path.getsize(out)


@pytest.mark.parametrize("name", ["100%", "a #1?", "12:30", "%d", "Käthe"])
def test_a_playlist_of_any_name(color, cast, tmp_path, name):
    """Players find its segments: nothing in their names means something in a URL. Another playlist's stay."""
    color(cast, tmp_path / f"{name}.m3u8", end=0.5)
    color(cast, tmp_path / "other.m3u8", end=0.5)
    color(cast, tmp_path / f"{name}.m3u8", end=0.5, overwrite=True)
    assert len(read(tmp_path / f"{name}.m3u8").frames) == len(read(tmp_path / "other.m3u8").frames) > 10
    lines = (tmp_path / f"{name}.m3u8").read_text().splitlines()
    (segment,) = [line for line in lines if not line.startswith("#")]
    assert unquote(urlsplit(segment).path) == segment
    assert (tmp_path / segment).is_file()


def test_a_folder_that_a_playlist_cannot_lie_in(color, cast, tmp_path):
    (tmp_path / "100%d").mkdir()
    with pytest.raises(OutputError, match="%d in its folder's name would be taken for a number; choose another"):
        color(cast, tmp_path / "100%d" / "out.m3u8")
    (tmp_path / "100%").mkdir()
    color(cast, tmp_path / "100%" / "out.m3u8", end=0.5)
    assert len(read(tmp_path / "100%" / "out.m3u8").frames) > 10


def test_a_playlist_onto_a_full_disk(cast, tmp_path):
    """FFmpeg's muxer passes over every fault of the disk; a limit on the size of files stands in for it."""
    out = tmp_path / "out.m3u8"
    command = f"ulimit -f 40; trap '' XFSZ; exec '{sys.executable}' -m vidcolor '{cast}' -o '{out}' --crf 1 --size 96"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"vidcolor: {out}: not all was written")
    assert not list(tmp_path.iterdir())
