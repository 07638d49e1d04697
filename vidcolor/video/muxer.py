"""Packets to a file: containers, pass-through streams, metadata, and the rename when all is complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream
from av.video.stream import VideoStream

from vidcolor.atomic import AtomicFile
from vidcolor.errors import OptionError, OutputError
from vidcolor.options import CODECS
from vidcolor.video.encoder import VideoSettings
from vidcolor.video.faults import disk_failure, reason
from vidcolor.video.formats import layout
from vidcolor.video.hdr import PARAMETERS
from vidcolor.video.info import FilmInfo
from vidcolor.video.output import Output, can_hold, can_hold_codec, codec_name, kept_tags
from vidcolor.video.target import CONTAINERS, RECORDINGS, for_ffmpeg

MP4_TAGS = ("title", "artist", "album", "comment", "date", "genre", "copyright", "description", "creation_time",
            "language", "handler_name", "timecode")  # fmt: skip


def container_for(target: Path) -> str:
    """FFmpeg's name for the container that the target's ending asks for.

    Raises:
        OutputError: the ending is none of CONTAINERS and RECORDINGS.
    """
    suffix, known = target.suffix.lower(), CONTAINERS | RECORDINGS
    if suffix not in known:
        raise OutputError(f"{target}: cannot write {suffix or 'a name without ending'}; use {', '.join(known)}")
    return known[suffix]


def default_codec(target: Path) -> str:
    return "vp9" if container_for(target) == "webm" else "x264"


class Muxer(Output):
    """Writes `target` beside itself under a temporary name; `finish` renames it, `abandon` removes it.

    `others` are the source's streams to pass on, `covers` its attached pictures by stream index. Without a `file` of
    its own the target must not exist, even where it appears meanwhile.

    Raises:
        OptionError: the container cannot hold the codec.
        OutputError: the target cannot be written, or the settings are refused.
    """

    def __init__(
        self, target: Path, info: FilmInfo, settings: VideoSettings, *, codec: str,
        others: Sequence[Stream] = (), covers: Mapping[int, bytes] | None = None,
        file: AtomicFile | None = None,
    ) -> None:  # fmt: skip
        self.target, self.codec, self.covers = target, codec, covers or {}
        self.file = file or AtomicFile(target, overwrite=False)
        try:
            self.format = container_for(target)
            super().__init__(self.open(muxer_options(self.format, info, target.suffix)), str(target), target.suffix)
        except BaseException:
            self.file.discard()
            raise
        try:
            self.declare(info, settings, others)
        except BaseException:
            self.abandon()
            raise

    def open(self, options: dict[str, str]) -> OutputContainer:
        try:
            return av.open(for_ffmpeg(str(self.file.partial)), "w", format=self.format, container_options=options)
        except OSError as error:
            raise OutputError(f"{self.target}: cannot be written, {reason(error)}; choose another folder") from error

    def declare(self, info: FilmInfo, settings: VideoSettings, others: Sequence[Stream]) -> None:
        """All streams and tags, and the header."""
        self.add_video(info, settings)
        self.warn_of_losses(info, settings)
        for stream in others:
            self.add_other(stream)
        self.container.metadata.update(kept_tags(info.tags or {}))
        if info.chapters:
            self.container.set_chapters(list(info.chapters))  # type: ignore[arg-type]
        try:
            self.container.start_encoding()
        except (av.FFmpegError, ValueError, OSError) as error:
            raise self.refusal(error) from error
        for index, data in self.covers.items():
            self.mux_cover(index, data)

    def add_video(self, info: FilmInfo, settings: VideoSettings) -> None:
        try:
            self.video = self.add_picture(settings)
        except ValueError as error:
            good = " or ".join(c for c, e in CODECS.items() if can_hold_codec(self.format, e))
            raise OptionError(f"{self.target}: {self.holder} cannot hold {self.codec}; use {good}") from error
        self.video.codec_context.flags |= Flags.global_header  # MPEG-TS repeats what stands there at each key frame
        self.video.metadata.update(kept_tags(info.video_tags or {}))
        self.video.disposition = Disposition(info.disposition) & ~Disposition.multilayer
        if info.display_matrix:
            self.video.set_display_matrix(info.display_matrix)

    def warn_of_losses(self, info: FilmInfo, settings: VideoSettings) -> None:
        codec, target, name = self.codec, settings.pix_fmt, self.format
        before, after = layout(info.pix_fmt), layout(target)
        if settings.aspect not in (None, 1) and name in ("matroska", "webm") and codec not in ("x264", "x265"):
            self.warnings.append(f"pixel aspect {settings.aspect} dropped: {codec} cannot hold it in {self.holder}")
        if after.depth < before.depth:
            self.warnings.append(f"luma reduced from {before.depth} to {after.depth} bits: {codec} cannot hold more")
        if (info.mastering or info.light) and settings.encoder not in PARAMETERS:
            self.warnings.append(f"mastering display and light level (HDR10) dropped: {codec} cannot be told them")
        if Disposition(info.disposition) & Disposition.multilayer:
            self.warnings.append("further views (stereo) dropped: only the first is coloured")
        if before.alpha and not after.alpha:
            self.warnings.append(f"transparency dropped: {codec} cannot hold it in {target}")

    def add_other(self, stream: Stream) -> None:
        if isinstance(stream, AttachmentStream):
            self.attach(stream)
        elif makes_anew(stream, self.format):
            return
        elif stream.index in self.covers and self.format == "matroska":
            self.attach_cover(stream, self.covers[stream.index])
        else:
            self.add_stream(stream.index, stream, copies=can_hold(self.format, stream))
            if isinstance(stream, VideoStream) and stream.index in self.copied and stream.index not in self.covers:
                label = f"video stream {stream.index} ({codec_name(stream)}, {stream.width}x{stream.height})"
                self.warnings.append(f"{label} stays grey: the largest picture is coloured")

    def attach(self, stream: AttachmentStream) -> None:
        """A file in the file, such as a font; only Matroska has such."""
        file = stream.metadata.get("filename", "attachment")
        if self.format == "matroska":
            kind = stream.metadata.get("mimetype", "application/octet-stream")
            self.container.add_attachment(file, kind, stream.data)
        else:
            self.warnings.append(f"attachment {file} dropped: {self.holder} cannot hold it")

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

    def finish(self, check: Callable[[Path], None] = lambda file: None) -> None:
        """Write what is held back and give the file its name, if `check` raises nothing about it.

        Raises:
            OutputError: it cannot be written, or the target has appeared meanwhile.
        """
        try:
            self.close()
            check(self.file.partial)
            self.file.commit()
        except OutputError:
            self.abandon()
            raise
        except (OSError, ValueError) as error:
            self.abandon()
            raise self.failure(error) from error

    def abandon(self) -> None:
        """Leave nothing behind."""
        self.file.discard()  # first, so that nothing stays if closing is interrupted
        self.let_go()
        self.file.discard()

    def failure(self, error: OSError | ValueError, what: str = "writing stopped") -> OutputError:
        return disk_failure(self.target, error)


def muxer_options(name: str, info: FilmInfo, suffix: str = "") -> dict[str, str]:
    """For MP4 and MOV: index in front, Apple's open tag list where a tag needs it, start offsets to the tick."""
    same = {"fflags": "+bitexact"}  # no random ids: the same packets make the same file
    if suffix.lower() in (".m2ts", ".mts"):
        return same | {"mpegts_m2ts_mode": "1"}  # packets of 192 bytes, as cameras and discs have them
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


def makes_anew(stream: Stream, name: str) -> bool:
    """Whether the muxer writes this stream by itself: a time code track, from the picture's tag."""
    return stream.type == "data" and "timecode" in stream.metadata and name in ("mp4", "mov")
