"""Packets to a stream target: one connection, from header to trailer."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from vidcolor.errors import OutputError
from vidcolor.live.streams.address import PIPE
from vidcolor.live.streams.outlet import Outlet
from vidcolor.live.streams.pipes import CHUNK, PipeOut
from vidcolor.live.streams.templates import Templates
from vidcolor.video.convert import Converter, make_converter
from vidcolor.video.encoder import VideoSettings
from vidcolor.video.faults import reason
from vidcolor.video.muxer import can_hold, codec_name, pass_on

PASSED = {  # sound that a protocol's peers know; of the other containers every codec that they take
    "flv": ("aac", "mp3", "mp3float"),
    "rtsp": ("aac", "mp3", "mp3float", "mp2", "mp2float", "ac3", "opus", "pcm_alaw", "pcm_mulaw"),
    "hls": ("aac", "mp3", "mp3float", "ac3", "eac3"),
}
TRIED = {"rtp_mpegts": "mpegts", "hls": "mpegts", "rtsp": "mp4"}  # what cannot be tried in memory -> what is alike


class ReaderGone(OutputError):
    """Whoever read our standard output has closed it: there is nothing more to do."""


class StreamMuxer:
    """Writes to `outlet` until `finish` or `abandon`.

    Attributes:
        video: the coloured stream, whose codec context is the encoder.
        warnings: one line for each stream that had to be converted or dropped.

    Raises:
        OutputError: nobody answers there, or the settings are refused.
    """

    def __init__(
        self, outlet: Outlet, templates: Templates, settings: VideoSettings, *, live: bool, stdout: int,
        gave_up: threading.Event,
    ) -> None:  # fmt: skip
        self.outlet = outlet
        self.warnings: list[str] = list(templates.warnings)
        self.copied: dict[int, Stream] = {}
        self.converted: dict[int, Converter] = {}
        self.refused = 0  # packets that the container would not take
        self.pipe = PipeOut(stdout, gave_up) if outlet.address == PIPE else None
        options = outlet.container_options(live=live)
        if self.pipe is not None:
            self.container: OutputContainer = av.open(
                self.pipe, "w", format=outlet.format, container_options=options, buffer_size=CHUNK
            )
        else:
            self.container = av.open(outlet.address, "w", format=outlet.format, container_options=options)
        self.video = self.add_video(settings)
        for index, stream in templates.streams.items():
            self.add_other(index, stream)
        self.start()

    def add_video(self, settings: VideoSettings) -> VideoStream:
        try:
            stream = self.container.add_stream(settings.encoder, rate=settings.rate)
        except ValueError as error:
            raise OutputError(f"{self.outlet.name}: cannot hold {settings.encoder}; leave codec out") from error
        assert isinstance(stream, VideoStream)
        settings.configure(stream.codec_context)
        stream.time_base = settings.time_base
        return stream

    def add_other(self, index: int, stream: Stream) -> None:
        name = self.outlet.format
        codec = codec_name(stream)
        label = f"{stream.type} stream {index} ({codec})"
        if codec in PASSED.get(name, (codec,)) and can_hold(TRIED.get(name, name), stream) and described(name, stream):
            copy = self.container.add_stream_from_template(stream, opaque=True)
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
            self.copied[index] = copy
        elif converter := make_converter(stream, self.container):
            self.converted[index] = converter
            self.warnings.append(f"{label} converted to {converter.codec}: {name} cannot hold it")
        else:
            self.warnings.append(f"{label} dropped: {name} cannot hold it")

    def start(self) -> None:
        """Connect, and write the header."""
        try:
            self.container.start_encoding()
        except OSError as error:
            self.release()
            raise self.failure(error, "cannot be reached") from error
        except (av.FFmpegError, ValueError) as error:
            self.release()
            raise OutputError(
                f"{self.outlet.name}: {self.outlet.format} refuses these settings, {reason(error)}; "
                "check crf, preset, pix-fmt and the codec"
            ) from error

    def mux_video(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            packet.stream = self.video
            self.write(packet)

    def mux_other(self, packet: Packet, index: int) -> None:
        """A packet of another stream, by its index in the source."""
        self.refused += not pass_on(packet, self.copied.get(index), self.converted.get(index), self.write)

    def write(self, packet: Packet) -> None:
        try:
            self.container.mux_one(packet)
        except OSError as error:
            raise self.failure(error, "lost") from error

    def finish(self) -> None:
        """The end: what is held back, and the trailer."""
        try:
            for converter in self.converted.values():
                for packet in converter.finish():
                    self.write(packet)
            self.container.close()
        except (OSError, ValueError) as error:
            raise self.failure(error, "lost at its end") from error
        finally:
            self.release()
        if self.refused:
            self.warnings.append(f"{self.refused} packets of sound or subtitles refused and left out")

    def abandon(self) -> None:
        """Let go of a target that has failed."""
        try:
            self.container.close()
        except (av.FFmpegError, OSError, ValueError):
            pass  # a trailer that cannot be written no longer matters
        finally:
            self.release()

    def release(self) -> None:
        if self.pipe is not None:
            self.pipe.release()

    def failure(self, error: OSError | ValueError, what: str) -> OutputError:
        name = self.outlet.name
        if isinstance(error, OutputError):
            return error
        if self.pipe is not None and isinstance(error, BrokenPipeError):
            return ReaderGone(f"{name}: its reader has closed it")
        if isinstance(error, ConnectionRefusedError):
            return OutputError(f"{name}: connection refused; start the server there, or check host and port")
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return OutputError(f"{name}: the disk is full; free some room or choose another folder")
        remedy = "check the disk" if self.outlet.folder else "check the address, the key and the network"
        number = error.errno if isinstance(error, OSError) else None
        text = os.strerror(number) if number in errno.errorcode and number is not None else reason(error)
        return OutputError(f"{name}: {what}, {text}; {remedy}")


def described(name: str, stream: Stream) -> bool:
    """Whether RTSP can tell its peers what kind of AAC comes; in MPEG-TS every packet tells it by itself."""
    return name != "rtsp" or codec_name(stream) != "aac" or bool(stream.codec_context.extradata)
