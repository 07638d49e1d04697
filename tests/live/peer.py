"""The other end of a stream, as a process of its own, made with PyAV alone.

python -m tests.live.peer send FILE URL FORMAT [SECONDS]      at the pace of the film, over and over
python -m tests.live.peer receive URL FILE [listen]           until the sender ends or SIGTERM
"""

from __future__ import annotations

import itertools
import signal
import sys
import time
from fractions import Fraction

import av
from av.container import InputContainer, OutputContainer


def send(file: str, url: str, form: str, seconds: float) -> None:
    """Copy the packets of `file` to `url` at their own pace; the film is repeated until `seconds` are over."""
    options = {"rtsp_transport": "tcp"} if form == "rtsp" else {}
    began, offset = time.monotonic(), Fraction(0)
    with av.open(file) as film, call(url, form, film, options) as out:
        copies = {s.index: c for s, c in zip(film.streams, out.streams, strict=True)}
        length = Fraction(film.duration, av.time_base)
        for _ in itertools.count():
            for packet in film.demux():
                if packet.dts is None:
                    continue
                base = packet.time_base
                packet.dts += round(offset / base)
                packet.pts += round(offset / base)
                due = float(packet.dts * base)
                if due > seconds:
                    return
                time.sleep(max(0.0, began + due - time.monotonic()))
                packet.stream = copies[packet.stream.index]
                out.mux_one(packet)
            offset += length
            film.seek(0)


def call(url: str, form: str, film: InputContainer, options: dict[str, str]) -> OutputContainer:
    """A connection, as soon as somebody listens."""
    for _ in range(200):
        out = av.open(url, "w", format=form, container_options=options)
        out.flags |= 0x200  # AVFMT_FLAG_FLUSH_PACKETS
        for stream in film.streams:
            out.add_stream_from_template(stream, opaque=True)
        try:
            out.start_encoding()
            return out
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"nobody listens on {url}")


def receive(url: str, file: str, listen: bool) -> None:
    """Copy what comes from `url` into `file`, which is good after SIGTERM too."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    options = {"listen": "1"} if listen and url.startswith("rtmp") else {}
    if listen and url.startswith("rtsp"):
        options = {"rtsp_flags": "listen", "listen_timeout": "60"}
    with av.open(url, "r", options=options, timeout=(60, 3)) as source, av.open(file, "w", format="nut") as out:
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in source.streams}
        try:
            for packet in source.demux():
                if stopped:
                    return
                if packet.dts is not None:
                    packet.stream = copies[packet.stream.index]
                    out.mux_one(packet)
        except av.FFmpegError:
            pass  # the sender has gone


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(*sys.argv[2:5], float(sys.argv[5]) if len(sys.argv) > 5 else 1e9)
    else:
        receive(sys.argv[2], sys.argv[3], "listen" in sys.argv[4:])
