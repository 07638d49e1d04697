"""Packets to a file: containers, pass-through streams, metadata, and the rename when all is complete."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream
from av.video.stream import VideoStream

from vidcolor.errors import OptionError, OutputError
from vidcolor.options import CODECS
from vidcolor.video.convert import Converter, make_converter
from vidcolor.video.encoder import VideoSettings
from vidcolor.video.faults import disk_failure, reason
from vidcolor.video.formats import layout
from vidcolor.video.info import FilmInfo
from vidcolor.video.target import CONTAINERS

STALE_TAGS = ("duration", "encoder", "major_brand", "minor_version", "compatible_brands", "vendor_id", "rotate")
MP4_TAGS = ("title", "artist", "album", "comment", "date", "genre", "copyright", "description", "creation_time",
            "language", "handler_name", "timecode")  # fmt: skip


def container_for(target: Path) -> str:
    """FFmpeg's name for the container that the target's ending asks for.

    Raises:
        OutputError: the ending is none of CONTAINERS.
    """
    suffix = target.suffix.lower()
    if suffix not in CONTAINERS:
        raise OutputError(f"{target}: cannot write {suffix or 'a name without ending'}; use {', '.join(CONTAINERS)}")
    return CONTAINERS[suffix]


def default_codec(target: Path) -> str:
    return "vp9" if container_for(target) == "webm" else "x264"


class Muxer:
    """Writes `target` beside itself under a temporary name; `finish` renames it, `abandon` removes it.

    `others` are the source's streams to pass on, `covers` its attached pictures by stream index.

    Attributes:
        video: the coloured stream; its codec context is an encoder of `settings`, whose headers are the container's.
        warnings: one line for each stream that had to be converted or dropped.
    """

    def __init__(
        self, target: Path, info: FilmInfo, settings: VideoSettings, *, codec: str,
        others: Sequence[Stream] = (), covers: Mapping[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        self.target = target
        self.partial = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
        self.warnings: list[str] = []
        self.copied: dict[int, Stream] = {}
        self.converted: dict[int, Converter] = {}
        self.refused: dict[int, int] = {}  # packets of other streams that the container would not take
        name = container_for(target)
        self.covers = covers or {}
        options = muxer_options(name, info)
        try:
            self.container: OutputContainer = av.open(str(self.partial), "w", format=name, container_options=options)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written, {reason(error)}; choose another folder") from error
        try:
            self.video = self.add_video(info, settings, codec)
            self.warn_of_losses(info.pix_fmt, settings, codec)
            for stream in others:
                self.add_other(stream, name)
            self.container.metadata.update(kept_tags(info.tags or {}))
            if info.chapters:
                self.container.set_chapters(list(info.chapters))  # type: ignore[arg-type]
            self.start(codec)
            for index, data in self.covers.items():
                self.mux_cover(index, data)
        except BaseException:
            self.abandon()
            raise

    def add_video(self, info: FilmInfo, settings: VideoSettings, codec: str) -> VideoStream:
        try:
            stream = self.container.add_stream(settings.encoder, rate=settings.rate, hwaccel=settings.accel)
        except ValueError as error:
            good = " or ".join(c for c, e in CODECS.items() if can_hold_codec(self.container.format.name, e))
            raise OptionError(f"{self.target}: {self.target.suffix} cannot hold {codec}; use {good}") from error
        assert isinstance(stream, VideoStream)
        settings.configure(stream.codec_context)
        stream.time_base = settings.time_base
        stream.metadata.update(kept_tags(info.video_tags or {}))
        stream.disposition = Disposition(info.disposition)
        if info.display_matrix:
            stream.set_display_matrix(info.display_matrix)
        return stream

    def warn_of_losses(self, source: str, settings: VideoSettings, codec: str) -> None:
        target, name = settings.pix_fmt, self.container.format.name
        before, after = layout(source), layout(target)
        if settings.aspect not in (None, 1) and name in ("matroska", "webm") and codec not in ("x264", "x265"):
            self.warnings.append(
                f"pixel aspect {settings.aspect} dropped: {codec} cannot hold it in {self.target.suffix}"
            )
        if after.depth < before.depth:
            self.warnings.append(f"luma reduced from {before.depth} to {after.depth} bits: {codec} cannot hold more")
        if before.alpha and not after.alpha:
            self.warnings.append(f"transparency dropped: {codec} cannot hold it in {target}")

    def add_other(self, stream: Stream, name: str) -> None:
        if isinstance(stream, AttachmentStream):
            file = stream.metadata.get("filename", "attachment")
            if name == "matroska":
                kind = stream.metadata.get("mimetype", "application/octet-stream")
                self.container.add_attachment(file, kind, stream.data)
            else:
                self.warnings.append(f"attachment {file} dropped: {self.target.suffix} cannot hold it")
            return
        label = f"{stream.type} stream {stream.index} ({codec_name(stream)})"
        if makes_anew(stream, name):
            return
        if stream.index in self.covers and name == "matroska":
            self.attach_cover(stream, self.covers[stream.index])
            return
        if can_hold(name, stream):
            out = self.container.add_stream_from_template(stream, opaque=True)
            out.metadata.update(kept_tags(stream.metadata))
            out.disposition = stream.disposition
            self.copied[stream.index] = out
            return
        if converter := make_converter(stream, self.container):
            self.converted[stream.index] = converter
            self.warnings.append(f"{label} converted to {converter.codec}: {self.target.suffix} cannot hold it")
        else:
            self.warnings.append(f"{label} dropped: {self.target.suffix} cannot hold it")

    def attach_cover(self, stream: Stream, data: bytes) -> None:
        """Cover art in Matroska is an attachment of a certain name."""
        kind = {"mjpeg": "jpeg", "png": "png"}.get(codec_name(stream), codec_name(stream))
        file = stream.metadata.get("filename", f"cover.{'jpg' if kind == 'jpeg' else kind}")
        self.container.add_attachment(file, stream.metadata.get("mimetype", f"image/{kind}"), data)

    def mux_cover(self, index: int, data: bytes) -> None:
        if index in self.copied:
            packet = Packet(data)
            packet.pts, packet.dts, packet.stream = 0, 0, self.copied[index]
            self.write(packet)

    def start(self, codec: str) -> None:
        """Open the encoder and write the header."""
        try:
            self.container.start_encoding()
        except (av.FFmpegError, ValueError, OSError) as error:
            raise OutputError(
                f"{self.target}: {codec} or {self.target.suffix} refuses these settings, {reason(error)}; "
                "check crf, preset, pix-fmt and the codec"
            ) from error

    def mux_video(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            packet.stream = self.video
            try:
                self.write(packet)
            except ValueError as error:
                raise OutputError(f"{self.target}: the container refuses a frame, {reason(error)}; try .mkv") from error

    def mux_other(self, packet: Packet, index: int | None = None) -> None:
        """A packet of one of the reader's other streams: that of `index`, or else the one that it names itself."""
        if index is None:
            index = packet.stream.index
        if not pass_on(packet, self.copied.get(index), self.converted.get(index), self.write):
            self.refused[index] = self.refused.get(index, 0) + 1

    def write(self, packet: Packet) -> None:
        try:
            self.container.mux_one(packet)
        except OSError as error:
            raise self.failure(error) from error

    def finish(self) -> None:
        """Write what is held back and give the file its name."""
        try:
            for converter in self.converted.values():
                for packet in converter.finish():
                    self.write(packet)
            self.container.close()
            os.replace(self.partial, self.target)
            for index, count in self.refused.items():
                self.warnings.append(f"stream {index}: {count} packets refused by {self.target.suffix} and left out")
        except (OSError, ValueError) as error:
            self.abandon()
            raise self.failure(error) from error

    def abandon(self) -> None:
        """Leave nothing behind."""
        self.partial.unlink(missing_ok=True)  # first, so that nothing stays if closing is interrupted
        try:
            self.container.close()
        except (OSError, ValueError):
            pass  # a trailer that cannot be written no longer matters
        finally:
            self.partial.unlink(missing_ok=True)

    def failure(self, error: OSError | ValueError) -> OutputError:
        if isinstance(error, OutputError):
            return error
        return disk_failure(self.target, error)


def pass_on(
    packet: Packet, copied: Stream | None, converter: Converter | None, write: Callable[[Packet], None]
) -> bool:
    """Write a packet into the stream that copies its own, or what `converter` makes of it; False: it was refused."""
    try:
        if copied is not None:
            packet.stream = copied
            write(packet)
        elif converter is not None:
            for converted in converter.convert(packet):
                write(converted)
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise
        return False
    return True


def muxer_options(name: str, info: FilmInfo) -> dict[str, str]:
    """For MP4 and MOV: index in front, Apple's open tag list where a tag needs it, start offsets to the tick."""
    same = {"fflags": "+bitexact"}  # no random ids: the same packets make the same file
    if name not in ("mp4", "mov"):
        return same
    special = any(k.lower() not in MP4_TAGS for k in kept_tags(info.tags or {}))
    ticks = info.time_base.denominator
    while ticks < 10_000:  # as the muxer itself does for the film's track
        ticks *= 2
    return same | {
        "movflags": "+faststart" + ("+use_metadata_tags" if special else ""),
        "movie_timescale": str(ticks),  # start offsets are rounded to milliseconds otherwise
    }


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
    with av.open(io.BytesIO(), "w", format=name) as trial:
        try:
            trial.add_stream(encoder)
        except ValueError:
            return False
    return True


def makes_anew(stream: Stream, name: str) -> bool:
    """Whether the muxer writes this stream by itself: a time code track, from the picture's tag."""
    return stream.type == "data" and "timecode" in stream.metadata and name in ("mp4", "mov")


def codec_name(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context is not None else "unknown"
