"""A container that is written: the coloured picture, and other streams copied or converted; for files and streams."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from vidcolor.errors import OutputError
from vidcolor.video.convert import Converter, make_converter
from vidcolor.video.encoder import VideoSettings
from vidcolor.video.faults import reason

STALE_TAGS = ("duration", "encoder", "major_brand", "minor_version", "compatible_brands", "vendor_id", "rotate")


class Output:
    """What targets of all kinds have in common; a subclass opens the container and says what its errors mean.

    Attributes:
        name: how messages call the target.
        holder: how messages call its container.
        video: the coloured stream, whose codec context is the encoder.
        warnings: one line for each stream that had to be converted or dropped.
    """

    video: VideoStream

    def __init__(self, container: OutputContainer, name: str, holder: str) -> None:
        self.container, self.name, self.holder = container, name, holder
        self.warnings: list[str] = []
        self.copied: dict[int, Stream] = {}
        self.converted: dict[int, Converter] = {}
        self.refused: dict[int, int] = {}  # packets of other streams that the container would not take

    def failure(self, error: OSError | ValueError, what: str = "writing stopped") -> OutputError:
        """What to say of `error`."""
        raise NotImplementedError

    def add_picture(self, settings: VideoSettings) -> VideoStream:
        """Declare the coloured stream.

        Raises:
            ValueError: the container cannot hold it.
        """
        stream = self.container.add_stream(settings.encoder, rate=settings.rate, hwaccel=settings.accel)
        assert isinstance(stream, VideoStream)
        settings.configure(stream.codec_context)
        stream.time_base = settings.time_base
        return stream

    def add_stream(self, index: int, stream: Stream, *, copies: bool) -> None:
        """Declare another stream: a copy where it `copies`, else what it can be converted to, else nothing."""
        label = f"{stream.type} stream {index} ({codec_name(stream)})"
        if copies:
            copy = self.container.add_stream_from_template(stream, opaque=True)
            copy.metadata.update(kept_tags(stream.metadata))
            copy.disposition = stream.disposition
            self.copied[index] = copy
        elif converter := make_converter(stream, self.container):
            self.converted[index] = converter
            self.warnings.append(
                f"{label} converted to {converter.codec}: {self.holder} cannot hold it{converter.loss}"
            )
        else:
            self.warnings.append(f"{label} dropped: {self.holder} cannot hold it")

    def refusal(self, error: BaseException) -> OutputError:
        """What to say where encoder and container will not begin."""
        if isinstance(error, MemoryError):
            return OutputError(f"{self.name}: not enough memory for its encoder; close other programs")
        return OutputError(
            f"{self.name}: {self.holder} refuses these settings, {reason(error)}; "
            "check crf, preset, pix-fmt and the codec"
        )

    def mux_video(self, packets: Iterable[Packet[Stream]]) -> None:
        """Packets of the coloured picture.

        Raises:
            OutputError: they cannot be written.
        """
        for packet in packets:
            packet.stream = self.video
            try:
                self.write(packet)
            except ValueError as error:
                raise OutputError(f"{self.name}: the container refuses a frame, {reason(error)}; try .mkv") from error

    def mux_other(self, packet: Packet[Stream], index: int | None = None) -> None:
        """A packet of another stream: that of `index`, or else the one that it names itself.

        Raises:
            OutputError: it cannot be written.
        """
        if index is None:
            index = packet.stream.index
        copied, converter = self.copied.get(index), self.converted.get(index)
        with self.counted(index):
            if copied is not None:
                packet.stream = copied
                self.write(packet)
            elif converter is not None:
                for converted in converter.convert(packet):
                    self.write(converted)

    @contextmanager
    def counted(self, index: int) -> Iterator[None]:
        """Count what the container refuses of a stream; a fault of the disk is one all the same."""
        try:
            yield
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            self.refused[index] = self.refused.get(index, 0) + 1

    def write(self, packet: Packet[Stream]) -> None:
        try:
            self.container.mux_one(packet)
        except OSError as error:
            raise self.failure(error) from error

    def close(self) -> None:
        """Write what converters hold back, and the trailer.

        Raises:
            OutputError, OSError, ValueError: it cannot be written.
        """
        for index, converter in self.converted.items():
            with self.counted(index):
                for packet in converter.finish():
                    self.write(packet)
        self.container.close()
        for index, count in self.refused.items():
            self.warnings.append(f"stream {index}: {count} packets refused by {self.holder} and left out")

    def let_go(self) -> None:
        """Close a container that has failed; a trailer that cannot be written no longer matters."""
        try:
            self.container.close()
        except (av.FFmpegError, OSError, ValueError):
            pass


def kept_tags(metadata: dict[str, str]) -> dict[str, str]:
    """Tags that still hold for the copy; those a muxer writes itself are left out."""
    return {k: v for k, v in metadata.items() if k.lower() not in STALE_TAGS and not k.startswith("_STATISTICS")}


def can_hold(name: str, stream: Stream) -> bool:
    """Whether the container `name` takes packets of `stream` as they are: tried in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=name) as trial:
            copy = trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
            if codec_name(stream).startswith("pcm_"):  # MP4 finds an unknown channel layout out in its trailer
                silence = Packet(bytes(1152))
                silence.pts, silence.dts, silence.stream = 0, 0, copy
                trial.mux(silence)
        return True
    except (av.FFmpegError, ValueError, OSError, NotImplementedError):
        return False


def can_hold_codec(name: str, encoder: str) -> bool:
    """Whether the container `name` takes what FFmpeg's `encoder` makes."""
    with av.open(io.BytesIO(), "w", format=name) as trial:
        try:
            trial.add_stream(encoder)
        except ValueError:
            return False
    return True


def codec_name(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context is not None else "unknown"
