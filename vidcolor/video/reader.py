"""Films in: decoded frames of the main picture, untouched packets of everything else."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidcolor.color.encoding import BT470BG, MATRICES, UNSPECIFIED, Encoding, guess_matrix
from vidcolor.errors import InputError
from vidcolor.video.device import no_nvdec, off_card
from vidcolor.video.formats import layout, native_format, to_native
from vidcolor.video.info import FilmInfo

FULL_RANGE = 2  # AVCOL_RANGE_JPEG
STILL_CODECS = ("png", "apng", "mjpeg", "gif", "bmp", "tiff", "webp", "jpeg2000", "pgm", "pgmyuv")  # full-range grey
BOTTOM_FIRST = (3, 4)  # AVFieldOrder: bottom field displayed first
DISCONTINUOUS = ("mpegts", "mpeg", "mpegvideo")
BACKWARD, FORWARD = 1, 60  # seconds that decoding time may fall back or leap without being taken for a new start
MAX_FAILURES = 100  # times in a row that a damaged container is asked to go on
NETWORK_TIMEOUT = 30.0  # seconds
MAX_RATE = 1000  # frames a second that are believed
SEEK_BEFORE = Fraction(2)  # seconds in front of a frame that is sought
MARGIN = 5  # seconds read past the end, so that frames out of order and late audio are not missed


class Reader:
    """Demux and decode `path` (a file or URL), with `hwaccel` on a card as far as it can.

    Iterating, once, gives in the file's order decoded frames (planar, or in a card's memory as NVDEC gives them; luma
    untouched, PTS in `info.time_base`) and `Packet` objects of the other streams. With `start` or `end` (seconds from
    the start of the film) only what lies between them, with time stamps that begin at zero. A `container` that is open
    already is read (and closed) instead, and `path` is its name in messages. Frames come in the size and format of
    `like` where that is given, and with `live` no later than they must. Without `frames` or without `packets` only the
    other kind is given.

    Attributes:
        info: the film.
        others: the streams whose packets come along.
        covers: attached pictures (cover art) by stream index.
        damaged: frames and packets so far that could not be decoded cleanly.
        resized: frames so far that came in another size and were scaled.
        retimed: frames so far that had no time stamp of their own, or one out of order.
        off_card: with `hwaccel`, how many frames so far came to the CPU's memory, by the reason.
        no_card: with `hwaccel`, why the whole film is decoded on the CPU, if it is.

    Raises:
        InputError: the file is missing, empty, damaged beyond use, encrypted, or has no picture.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        start: float | None = None,
        end: float | None = None,
        hwaccel: HWAccel | None = None,
        container: InputContainer | None = None,
        like: FilmInfo | None = None,
        live: bool = False,
        frames: bool = True,
        packets: bool = True,
    ) -> None:
        self.path = str(path)
        self.gives_frames, self.gives_packets = frames, packets
        self.container = container or open_input(self.path)
        self.damaged = self.resized = self.retimed = 0
        self.last_pts: int | None = None
        self.off_card: Counter[str] = Counter()
        try:
            self.stream = main_video(self.container, self.path)
            if live:
                self.stream.thread_type = "SLICE"  # frame threads would hold back a frame each
            self.info = describe(self.container, self.stream, self.path)
            if like is not None:
                self.info = replace(like, time_base=self.info.time_base)
            self.no_card = self.move_to(hwaccel) if hwaccel is not None else "not asked for"
            self.others: list[Stream] = [s for s in self.container.streams if s.index != self.stream.index]
            origin = Fraction(self.container.start_time or 0, av.time_base)
            self.shift = origin + Fraction(start).limit_denominator(10**6) if start is not None else Fraction(0)
            self.stop = origin + Fraction(end).limit_denominator(10**6) if end is not None else None
            self.trims = start is not None or end is not None
            self.info = replace(self.info, chapters=tuple(trimmed_chapters(self.container, self.shift, self.stop)))
            if self.trims and self.info.frames and self.info.rate:
                length = min(
                    Fraction(self.info.frames) / self.info.rate, math.inf if self.stop is None else self.stop - origin
                )
                kept = max(0, round((length - Fraction(start or 0)) * self.info.rate))
                self.info = replace(self.info, frames=kept)
            self.covers: dict[int, bytes] = {}
            self.timeline = Timeline(self.container.format.name, always=live)
            self.items = self.read()
            self.head = self.read_head() if frames else []
        except BaseException:
            self.container.close()
            raise
        if self.head:
            first = self.head[-1]
            assert isinstance(first, av.VideoFrame)
            order, matrix = self.read_field_order(first), display_matrix(first)
            self.info = replace(self.info, field_order=order, display_matrix=matrix)

    def move_to(self, hwaccel: HWAccel) -> str:
        """Open the film once more, to be decoded on a card; the reason where that cannot be.

        Only the plain decoder, opened before, tells the format of the samples.
        """
        if why := no_nvdec(self.stream.codec_context):
            return why
        if "://" in self.path:
            return "a stream from elsewhere is opened only once"
        try:
            container = open_input(self.path, hwaccel)
        except InputError as error:
            return str(error.__cause__ or error)
        self.container.close()
        self.container, self.stream = container, main_video(container, self.path)
        return ""

    def close(self) -> None:
        self.container.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[av.VideoFrame | Packet]:
        head, self.head = self.head, []
        yield from head
        yield from self.items

    def read_head(self) -> list[av.VideoFrame | Packet]:
        """Everything up to the first frame."""
        head: list[av.VideoFrame | Packet] = []
        for item in self.items:
            head.append(item)
            if isinstance(item, av.VideoFrame):
                return head
        if self.trims and not self.damaged:
            raise InputError(f"{self.path}: no frame lies between start and end; choose them within the film")
        raise InputError(f"{self.path}: not one frame can be decoded; it is damaged or in an unknown codec")

    def read_field_order(self, frame: av.VideoFrame) -> str | None:
        if not frame.interlaced_frame:
            return None
        return "bff" if self.stream.codec_context.field_order in BOTTOM_FIRST else "tff"

    def put_at(self, pts: int, before: Fraction = SEEK_BEFORE) -> None:
        """Go on with a frame at least `before` seconds in front of the one at `pts` (in ticks, as frames have it).

        In front of it, because the first frames behind a key frame may lean on what stands before that.
        """
        self.head, self.last_pts = [], None
        self.items = self.read(pts * self.info.time_base + self.shift - before)

    def read(self, at: Fraction | None = None) -> Iterator[av.VideoFrame | Packet]:
        if at is not None:
            self.seek(at)
        elif self.shift and self.stream.start_time is not None:  # else there are no time stamps to seek by
            self.seek(self.shift)
        for packet in self.demux():
            if packet.stream.disposition & Disposition.attached_pic:
                if packet.size:
                    self.covers[packet.stream.index] = bytes(packet)
                continue
            self.timeline.mend(packet)
            if packet.stream.index != self.stream.index:
                if self.gives_packets and packet.dts is not None and (kept := self.trim_packet(packet)):
                    yield kept
                continue
            if not self.gives_frames:
                if self.is_past_end(packet):
                    return
                continue
            if packet.has_sidedata("encryption_info"):
                raise InputError(f"{self.path}: is encrypted; give a copy without protection")
            for frame in self.decode(packet):
                if trimmed := self.trim_frame(frame):
                    yield trimmed
            if self.is_past_end(packet):
                yield from filter(None, map(self.trim_frame, self.decode(None)))  # what the decoder still holds
                return

    def is_past_end(self, packet: Packet) -> bool:
        """Whether a packet of the picture lies so far behind the end that nothing before it is still to come."""
        return self.stop is not None and (packet.dts or 0) * self.info.time_base > self.stop + MARGIN

    def demux(self) -> Iterator[Packet]:
        """All packets; behind damage the container is asked again, as long as that brings it further."""
        streams = [s for s in self.container.streams if s.type != "attachment"]
        failures = 0
        while failures < MAX_FAILURES:
            try:
                for packet in self.container.demux(streams):
                    failures = 0
                    yield packet
                return
            except av.error.InvalidDataError:
                self.damaged += 1
                failures += 1
            except av.FFmpegError as error:
                raise InputError(f"{self.path}: reading stopped, {reason(error)}; check the disk or network") from error

    def seek(self, time: Fraction) -> None:
        try:
            self.container.seek(int(time * av.time_base), backward=True)
        except av.FFmpegError:
            pass  # not seekable: frames before the start are decoded and dropped

    def decode(self, packet: Packet | None) -> Iterator[av.VideoFrame]:
        try:
            frames = self.stream.decode(packet)
        except av.error.InvalidDataError:
            self.damaged += 1
            return
        except av.error.EOFError:
            return
        except av.FFmpegError as error:
            raise InputError(f"{self.path}: cannot be decoded, {reason(error)}") from error
        for frame in frames:
            self.damaged += frame.is_corrupt
            if not self.stays_on_card(frame):
                frame = self.to_host(frame)
            self.mend_time(frame)
            yield frame

    def stays_on_card(self, frame: av.VideoFrame) -> bool:
        if self.no_card:
            return False
        why = off_card(frame, self.info.width, self.info.height, self.info.encoding.depth)
        if why:
            self.off_card[why] += 1
        return not why

    def to_host(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A decoded frame in the film's size and native format, in the CPU's memory."""
        if frame.sw_format is not None:
            frame = frame.reformat(format=frame.sw_format.name, threads=1)
        if (frame.width, frame.height) != (self.info.width, self.info.height):
            self.resized += 1
            frame = to_native(frame).reformat(self.info.width, self.info.height, self.info.pix_fmt)
        native = to_native(frame)
        return native if native.format.name == self.info.pix_fmt else native.reformat(format=self.info.pix_fmt)

    def mend_time(self, frame: av.VideoFrame) -> None:
        """Give a frame without a time stamp, or with one that does not come after the last, the next possible one."""
        step = 1
        if frame.pts is None and self.info.rate:
            step = max(1, round(1 / (self.info.rate * self.info.time_base)))
        if frame.pts is None or (self.last_pts is not None and frame.pts <= self.last_pts):
            self.retimed += 1
            frame.pts = step + (self.last_pts if self.last_pts is not None else -step)
            frame.time_base = self.info.time_base
        self.last_pts = frame.pts

    def trim_frame(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        if not self.trims or frame.pts is None:
            return frame
        time = frame.pts * self.info.time_base
        if time < self.shift or (self.stop is not None and time >= self.stop):
            return None
        frame.pts -= round(self.shift / self.info.time_base)
        return frame

    def trim_packet(self, packet: Packet) -> Packet | None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if not self.trims or stamp is None:
            return packet
        time = stamp * packet.time_base
        if time < self.shift or (self.stop is not None and time >= self.stop):
            return None
        offset = round(self.shift / packet.time_base)
        packet.pts = packet.pts - offset if packet.pts is not None else None
        packet.dts = packet.dts - offset if packet.dts is not None else None
        return packet


class Timeline:
    """One running timeline for containers whose time stamps may start anew, as in spliced or concatenated recordings.

    Where decoding time falls back, or leaps by more than a minute, the rest of the film is moved to follow on.
    """

    def __init__(self, container: str, *, always: bool = False) -> None:
        self.active = always or container in DISCONTINUOUS
        self.offset = Fraction(0)  # seconds
        self.expected: dict[int, Fraction] = {}  # by stream: where its next packet should begin

    def mend(self, packet: Packet) -> None:
        if not self.active or packet.dts is None or packet.stream.type not in ("video", "audio"):
            return
        base, index = packet.time_base, packet.stream.index
        time = packet.dts * base + self.offset
        expected = self.expected.get(index, time)
        if not expected - BACKWARD <= time <= expected + FORWARD:
            self.offset += expected - time
            time = expected
        ticks = round(self.offset / base)
        packet.dts += ticks
        packet.pts = packet.pts + ticks if packet.pts is not None else None
        self.expected[index] = time + (packet.duration or 0) * base


def open_input(path: str, hwaccel: HWAccel | None = None) -> InputContainer:
    """Open a film, or say in one line why not."""
    local = Path(path)
    if "://" not in path:
        if not local.exists():
            raise InputError(f"{path}: no such file; check the name")
        if local.is_dir():
            raise InputError(f"{path}: is a folder, not a film; give a file in it")
        if local.stat().st_size == 0:
            raise InputError(f"{path}: is empty; copy it again from its source")
    try:
        timeout = NETWORK_TIMEOUT if "://" in path else None
        return av.open(path, "r", metadata_errors="replace", timeout=timeout, hwaccel=hwaccel)
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it; change its rights") from error
    except av.error.InvalidDataError as error:
        raise InputError(f"{path}: not a film, or cut off so early that it cannot be read; copy it again") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened, {reason(error)}; check that it plays elsewhere") from error


def main_video(container: InputContainer, path: str) -> VideoStream:
    """The film itself among the streams: the first picture that is not cover art."""
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        raise InputError(f"{path}: has no picture, only {kinds(container)}; give a file with a video stream")
    stream = next((s for s in films if s.disposition & Disposition.default), films[0])
    if stream.codec_context is None:
        raise InputError(f"{path}: no decoder for its picture, which may be encrypted; convert it first")
    stream.thread_type = "AUTO"
    return stream


def kinds(container: InputContainer) -> str:
    return ", ".join(sorted({s.type for s in container.streams})) or "nothing"


def describe(container: InputContainer, stream: VideoStream, path: str) -> FilmInfo:
    ctx = stream.codec_context
    if not ctx.width or not ctx.height or ctx.pix_fmt is None:
        raise InputError(f"{path}: its picture cannot be decoded (no size or format found); it may be damaged")
    native = native_format(ctx.pix_fmt)
    rate = stream.average_rate or stream.guessed_rate
    if rate is not None and rate > MAX_RATE:  # a time base that was taken for a rate
        rate = stream.guessed_rate
    frames = stream.frames
    if not frames and container.duration and rate:
        frames = round(container.duration / av.time_base * rate)
    assert stream.time_base is not None
    return FilmInfo(
        ctx.width, ctx.height, native, read_encoding(ctx, native), stream.time_base, rate, frames,
        promised=stream.frames, container=container.format.name, aspect=stream.sample_aspect_ratio,
        is_tagged=is_tagged(ctx), primaries=ctx.color_primaries, transfer=ctx.color_trc,
        disposition=int(stream.disposition), tags=dict(container.metadata), video_tags=dict(stream.metadata),
    )  # fmt: skip


def read_encoding(ctx: av.VideoCodecContext, native: str) -> Encoding:
    """Matrix, range and depth of the frames that Reader gives."""
    name = ctx.pix_fmt or native
    full = ctx.color_range == 0 and layout(name).chroma is None and ctx.name in STILL_CODECS
    color_range = FULL_RANGE if full else ctx.color_range
    return encoding_of(name, native, ctx.width, ctx.height, ctx.colorspace, color_range)


def encoding_of(source: str, native: str, width: int, height: int, matrix: int, color_range: int) -> Encoding:
    """How the samples of a picture are to be read that came in pixel format `source` and was brought to `native`."""
    if layout(source).rgb:  # converted by swscale to BT.601, limited range
        return Encoding(BT470BG, False, layout(native).depth)
    if matrix not in MATRICES:
        matrix = guess_matrix(width, height)
    return Encoding(matrix, color_range == FULL_RANGE or source.startswith("yuvj"), layout(native).depth)


def trimmed_chapters(container: InputContainer, shift: Fraction, stop: Fraction | None) -> Iterator[dict[str, Any]]:
    """The chapters, moved and cut with the film."""
    for chapter in container.chapters():
        base = chapter["time_base"] or Fraction(1, av.time_base)
        start, end = chapter["start"] * base - shift, chapter["end"] * base - shift
        last = stop - shift if stop is not None else end
        if end > 0 and start < last:
            start, end = max(start, Fraction(0)), min(end, last)
            yield {**chapter, "time_base": base, "start": round(start / base), "end": round(end / base)}


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    for data in cast("Iterable[Any]", frame.side_data):  # PyAV's stub calls it a dict
        if data.type.name == "DISPLAYMATRIX":
            return struct.unpack("=9i", bytes(data)[:36])
    return None


def is_tagged(ctx: av.VideoCodecContext) -> bool:
    """Whether the source says which matrix its chroma would need."""
    return ctx.colorspace not in (UNSPECIFIED, 0)


def reason(error: BaseException) -> str:
    """The short text of a library's error."""
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
