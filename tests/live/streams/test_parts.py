"""The parts of a stream, one by one."""

from __future__ import annotations

import threading
from fractions import Fraction

import av
import pytest
from av.packet import Packet

from vidcolor.cli.stream import is_wanted
from vidcolor.errors import OptionError
from vidcolor.frames.channel import Channel, LiveChannel
from vidcolor.frames.item import Prepared
from vidcolor.live.streams.address import mask
from vidcolor.live.streams.options import StreamOptions
from vidcolor.live.streams.outlet import Outlet
from vidcolor.live.streams.timeline import Running


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@cam/stream", "rtsp://***@cam/stream"),
        ("rtsp://me:se/cr@et@cam:554/stream", "rtsp://***@cam:554/stream"),
        ("rtmp://a.example.com/live/secret", "rtmp://a.example.com/live/***"),
        ("rtmps://a.example.com:443/app/inst/secret?x=secret", "rtmps://a.example.com:443/app/***?***"),
        ("https://host/film.m3u8?token=secret", "https://host/film.m3u8?***"),
        ("srt://host:9000?passphrase=secret", "srt://host:9000?***"),
        ("udp://239.0.0.1:1234?pkt_size=1316", "udp://239.0.0.1:1234?pkt_size=1316"),
        ("film.mp4", "film.mp4"),
    ],
)
def test_secrets_are_not_shown(address, shown):
    assert mask(address) == shown


def packet(dts: int, base: Fraction) -> Packet:
    made = Packet(b"sound")
    made.pts = made.dts = dts
    made.duration, made.time_base = 10, base
    return made


def frame(pts: int, base: Fraction) -> av.VideoFrame:
    made = av.VideoFrame(16, 16, "yuv420p")
    made.pts, made.time_base = pts, base
    return made


def test_one_timeline_over_connections_with_other_clocks():
    line, ms, ticks = Running(Fraction(1, 1000)), Fraction(1, 1000), Fraction(1, 90_000)
    line.join(Fraction(5), Fraction(0))
    first, sound = frame(5000, ms), packet(5020, ms)
    assert line.frame(first)
    assert line.packet(sound, 1)
    assert (first.pts, sound.pts, sound.dts) == (0, 20, 20)
    assert not line.frame(frame(5000, ms))
    assert not line.packet(packet(5020, ms), 1)
    line.join(Fraction(100), Fraction(2))
    second, sound = frame(100 * 90_000, ticks), packet(100 * 90_000 + 900, ticks)
    assert line.frame(second)
    assert line.packet(sound, 1)
    assert second.pts * second.time_base == Fraction(203, 100)  # 0.03 where the sound had ended, and two seconds
    assert sound.pts * sound.time_base - second.pts * second.time_base == Fraction(1, 100)


def test_a_live_queue_drops_the_oldest_frames_and_no_sound():
    link = LiveChannel(threading.Event(), 2, lambda: False, burst=2)
    sound = [packet(n, Fraction(1, 1000)) for n in range(50)]
    for number, item in enumerate(sound):
        link.put(Prepared(number, None, None))
        link.put(item)
    link.put(Channel.END)
    items = list(link)
    assert [i for i in items if isinstance(i, Packet)] == sound
    assert [i.number for i in items if not isinstance(i, Packet)] == [48, 49]
    assert link.dropped == 48


def test_a_live_queue_ends_with_a_silent_source():
    assert list(LiveChannel(threading.Event(), 2, lambda: True, burst=2)) == []


@pytest.mark.parametrize(
    ("sources", "output", "stream", "wanted"),
    [
        (["a.mp4"], "b.mp4", StreamOptions(), False),
        (["a.mp4"], None, StreamOptions(), False),
        (["a.mp4"], "-", StreamOptions(), True),
        (["-"], "b.mp4", StreamOptions(), True),
        (["rtsp://cam"], "b.mp4", StreamOptions(), True),
        (["rtsp://cam"], None, StreamOptions(), True),
        (["http://host/film.mp4"], "folder/", StreamOptions(), False),
        (["rtsp://cam", "b.mp4"], "folder/", StreamOptions(), False),
        (["a.mp4"], "b.m3u8", StreamOptions(), True),
        (["a.mp4"], "b.mp4", StreamOptions(realtime=True), True),
    ],
)
def test_what_is_a_stream(sources, output, stream, wanted):
    assert is_wanted(sources, output, stream) is wanted


def test_what_an_outlet_cannot_hold():
    with pytest.raises(OptionError, match="flv cannot hold vp9; use x264 or x265"):
        Outlet.of("rtmp://host/live/key", StreamOptions()).check_codec("vp9")
    with pytest.raises(OptionError, match="format is for pipes"):
        Outlet.of("rtmp://host/live/key", StreamOptions(format="nut"))
    with pytest.raises(OptionError, match="teletext is no protocol known here"):
        Outlet.of("teletext://host/film", StreamOptions())
    with pytest.raises(OptionError, match="cannot be written; give an address"):
        Outlet.of("http://host/film.mp4", StreamOptions())


def test_segments_are_deleted_only_of_a_live_playlist():
    outlet = Outlet.of("out.m3u8", StreamOptions())
    live, film = outlet.container_options(live=True), outlet.container_options(live=False)
    assert "delete_segments" in live["hls_flags"]
    assert "delete_segments" not in film["hls_flags"]
    assert (live["hls_list_size"], film["hls_list_size"]) == ("6", "0")
