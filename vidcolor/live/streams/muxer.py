"""Packets to a stream target: one connection, from header to trailer."""

from __future__ import annotations

import errno
import os
import threading

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from vidcolor.errors import OutputError
from vidcolor.live.streams.address import PIPE
from vidcolor.live.streams.outlet import Outlet
from vidcolor.live.streams.pipes import CHUNK, PipeOut
from vidcolor.live.streams.templates import Templates
from vidcolor.video.encoder import VideoSettings
from vidcolor.video.faults import reason
from vidcolor.video.output import Output, can_hold, codec_name
from vidcolor.video.target import for_ffmpeg

PASSED = {  # sound that a protocol's peers know; of the other containers every codec that they take
    "flv": ("aac", "mp3", "mp3float"),
    "rtsp": ("aac", "mp3", "mp3float", "mp2", "mp2float", "ac3", "opus", "pcm_alaw", "pcm_mulaw"),
    "hls": ("aac", "mp3", "mp3float", "ac3", "eac3"),
}
TRIED = {"rtp_mpegts": "mpegts", "hls": "mpegts", "rtsp": "mp4"}  # what cannot be tried in memory -> what is alike


class ReaderGone(OutputError):
    """Whoever read our standard output has closed it: there is nothing more to do."""


class StreamMuxer(Output):
    """Writes to `outlet` until `finish` or `abandon`.

    Raises:
        OutputError: nobody answers there, or the settings are refused.
    """

    def __init__(
        self, outlet: Outlet, templates: Templates, settings: VideoSettings, *, live: bool, stdout: int,
        gave_up: threading.Event,
    ) -> None:  # fmt: skip
        self.outlet, self.live, self.size = outlet, live, 0
        self.pipe = PipeOut(stdout, gave_up) if outlet.address == PIPE else None
        super().__init__(self.open(outlet.container_options(live=live)), outlet.name, outlet.format)
        self.warnings += templates.warnings
        try:
            self.video = self.add_picture(settings)
        except ValueError as error:
            raise OutputError(f"{self.name}: cannot hold {settings.encoder}; leave codec out") from error
        for index, stream in templates.streams.items():
            self.add_stream(index, stream, copies=copies(outlet.format, stream))
        self.start()

    def open(self, options: dict[str, str]) -> OutputContainer:
        if self.pipe is not None:
            return av.open(self.pipe, "w", format=self.outlet.format, container_options=options, buffer_size=CHUNK)
        return av.open(for_ffmpeg(self.outlet.address), "w", format=self.outlet.format, container_options=options)

    def start(self) -> None:
        """Connect, and write the header."""
        try:
            self.container.start_encoding()
        except OSError as error:
            self.release()
            raise self.failure(error, "cannot be reached") from error
        except (av.FFmpegError, ValueError) as error:
            self.release()
            raise self.refusal(error) from error

    def write(self, packet: Packet[Stream]) -> None:
        self.size += packet.size
        super().write(packet)

    def finish(self) -> None:
        """The end: what is held back, and the trailer.

        Raises:
            OutputError: it cannot be written, or something before it was not.
        """
        try:
            self.close()
            self.outlet.check_written(self.size, live=self.live)
        except (OSError, ValueError) as error:
            raise self.failure(error, "lost at its end") from error
        finally:
            self.release()

    def abandon(self) -> None:
        """Let go of a target that has failed."""
        try:
            self.let_go()
        finally:
            self.release()

    def release(self) -> None:
        if self.pipe is not None:
            self.pipe.release()

    def failure(self, error: OSError | ValueError, what: str = "lost") -> OutputError:
        if isinstance(error, OutputError):
            return error
        if self.pipe is not None and isinstance(error, BrokenPipeError):
            return ReaderGone(f"{self.name}: its reader has closed it")
        if isinstance(error, ConnectionRefusedError):
            return OutputError(f"{self.name}: connection refused; start the server there, or check host and port")
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return OutputError(f"{self.name}: the disk is full; free some room or choose another folder")
        remedy = "check the disk" if self.outlet.folder else "check the address, the key and the network"
        number = error.errno if isinstance(error, OSError) else None
        text = os.strerror(number) if number in errno.errorcode and number is not None else reason(error)
        return OutputError(f"{self.name}: {what}, {text}; {remedy}")


def copies(name: str, stream: Stream) -> bool:
    """Whether the container takes packets of a stream as they are, and its players know them."""
    codec = codec_name(stream)
    return codec in PASSED.get(name, (codec,)) and can_hold(TRIED.get(name, name), stream) and described(name, stream)


def described(name: str, stream: Stream) -> bool:
    """Whether RTSP can tell its peers what kind of AAC comes; in MPEG-TS every packet tells it by itself."""
    return name != "rtsp" or codec_name(stream) != "aac" or bool(stream.codec_context.extradata)
