"""Opening a source: a file, a pipe, or an address that may not answer."""

from __future__ import annotations

import math
import os
import sys
import threading
from pathlib import Path

import av
from av.container import InputContainer

from vidcolor.atomic import is_special
from vidcolor.errors import InputError, OptionError
from vidcolor.live.streams.address import HTTP, LISTENERS, LIVE, PIPE, name_of, scheme
from vidcolor.live.streams.options import StreamOptions
from vidcolor.live.streams.pipes import CHUNK, PipeIn
from vidcolor.live.streams.protocols import check_protocol
from vidcolor.video.faults import reason
from vidcolor.video.info import FilmInfo
from vidcolor.video.probe import open_input
from vidcolor.video.reader import Connection, Reader

LISTEN = 3600.0  # seconds that a sender may take to call on us
OPEN = {"analyzeduration": "2000000", "probesize": "2000000"}  # microseconds and bytes to learn the streams from
BY_SCHEME = {
    "rtsp": {"rtsp_flags": "prefer_tcp"},
    "rtsps": {"rtsp_flags": "prefer_tcp"},
    "udp": {"overrun_nonfatal": "1"},
    "rtp": {"protocol_whitelist": "file,rtp,udp,srtp"},
}


class Source:
    """Where frames come from, to be opened as often as it must be.

    Attributes:
        name: how messages call it, without secrets.
        network: it lives elsewhere, and may go away and come back.
        once: it is a pipe or device, which can be read only once.
    """

    def __init__(self, address: str, options: StreamOptions, stop: threading.Event) -> None:
        self.address, self.options, self.stop = address, options, stop
        self.name = name_of(address)
        self.network = bool(scheme(address))
        self.once = address == PIPE or is_special(Path(address))
        self.pipe: PipeIn | None = None
        self.listens = options.listen
        check_protocol(address)
        if options.listen and scheme(address) not in LISTENERS:
            raise OptionError(f"{self.name}: cannot be listened on; give an address of {', '.join(LISTENERS)}")

    def open(
        self, *, live: bool, like: FilmInfo | None = None, start: float | None = None, end: float | None = None,
        again: bool = False,
    ) -> Reader:  # fmt: skip
        """A reader that has seen the first frame; `again` shortens the wait for a sender that was there.

        Raises:
            InputError: it does not answer, or what comes is no film.
        """
        try:
            connection = Connection(self.connect(again=again), live, like)
            return Reader(self.name, start=start, end=end, connection=connection)
        except InputError as error:
            if self.pipe is not None and has_late_index(self.pipe.head):
                raise InputError(
                    f"{self.name}: is an MP4 with its index at the end, which a pipe cannot go back from; "
                    "name the file, or let the sender write it with -movflags frag_keyframe"
                ) from error
            raise

    def connect(self, *, again: bool) -> InputContainer:
        if self.once:
            return self.open_pipe()
        if not self.network:
            return open_input(self.address)
        kind = scheme(self.address)
        options = OPEN | BY_SCHEME.get(kind, {})
        timeout = self.options.timeout
        opening = timeout
        if self.listens:
            opening = timeout if again else LISTEN
            rtsp = {"rtsp_flags": "listen", "listen_timeout": str(math.ceil(opening))}
            options |= rtsp if kind == "rtsp" else {"listen": "1"}
        try:
            return av.open(self.address, "r", options=options, timeout=(opening, timeout), metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{self.name}: {why(error, timeout)}") from error

    def open_pipe(self) -> InputContainer:
        fd = self.descriptor()
        if os.isatty(fd):
            raise InputError(f"{self.name}: is the keyboard; pipe a film into vidcolor, as in ffmpeg ... | vidcolor -")
        self.pipe = PipeIn(fd, self.stop)
        try:
            return av.open(self.pipe, "r", buffer_size=CHUNK, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(
                f"{self.name}: holds no film that can be read; send y4m, nut, mpegts or matroska, "
                f"and check the sender ({reason(error)})"
            ) from error

    def descriptor(self) -> int:
        """Of standard input, or of a pipe or device that has a name.

        Raises:
            InputError: it is closed.
        """
        if self.address == PIPE:
            if sys.stdin is None:
                raise InputError("standard input: is closed; pipe a film in, or name a file")
            return sys.stdin.fileno()
        try:
            return os.open(self.address, os.O_RDONLY)
        except OSError as error:
            raise InputError(f"{self.name}: cannot be opened, {reason(error)}; check its permissions") from error

    def is_live(self, reader: Reader) -> bool:
        """Whether frames come when they come: not so of files, pipes and finished films on a web server."""
        kind = scheme(self.address)
        asked = self.options.live or self.options.realtime
        return asked or kind in LIVE or (kind in HTTP and not is_finished(reader.container))


def has_late_index(head: bytes) -> bool:
    """Whether a film that begins with `head` is an MP4 whose pictures come before what tells where they are."""
    at = 0
    while at + 8 <= len(head) and head[4:8] == b"ftyp":
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if kind in (b"mdat", b"moov"):
            return kind == b"mdat"
        at += max(size, 8)
    return False


def is_finished(container: InputContainer) -> bool:
    """Whether what a web server sends has an end: it tells a length, or its size; a playlist's size says nothing."""
    return container.duration is not None or (container.format.name != "hls" and container.size > 0)


def why(error: BaseException, timeout: float) -> str:
    """The fault of a connection, and the remedy."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; start the server there, or check host and port"
    if isinstance(error, (av.error.ExitError, TimeoutError)):
        return f"nothing has come for {timeout:g} s; check the address and that the sender runs, or raise --timeout"
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return "access denied; check user, password or key in the address"
    if isinstance(error, (av.error.HTTPNotFoundError, FileNotFoundError)):
        return "not found there; check the path in the address"
    if isinstance(error, av.error.InvalidDataError):
        return "what comes is no film; check the address"
    if getattr(error, "errno", None) in (98, 48):
        return "the port is in use already; choose another, or end the program that has it"
    return f"cannot be reached, {reason(error)}; check the address and the network"
