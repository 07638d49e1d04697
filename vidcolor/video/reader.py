"""Films in: decoded frames of the main picture, untouched packets of everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from vidcolor.atomic import is_special
from vidcolor.errors import InputError
from vidcolor.video.address import mask
from vidcolor.video.careful import is_careful, leaves_out, send
from vidcolor.video.device import no_nvdec, off_card
from vidcolor.video.faults import reason
from vidcolor.video.formats import to_native
from vidcolor.video.hdr import light_of, mastering_of
from vidcolor.video.info import FilmInfo
from vidcolor.video.probe import describe, main_video, open_input, packets_of
from vidcolor.video.sidedata import display_matrix
from vidcolor.video.target import is_address
from vidcolor.video.timeline import Timeline
from vidcolor.video.trim import Trim

BOTTOM_FIRST = (3, 4)  # AVFieldOrder: bottom field displayed first
MAX_FAILURES = 100  # times in a row that a damaged container is asked to go on
SEEK_BEFORE = Fraction(2)  # seconds in front of a frame that is sought


@dataclass(frozen=True)
class Connection:
    """A container that is open already, and how a reader shall take it."""

    container: InputContainer
    live: bool = False  # frames come no later than they must
    like: FilmInfo | None = None  # frames are brought to the size and format of this film


class Reader:
    """Demux and decode `path` (a file or URL), with `hwaccel` on a card as far as it can.

    Iterating, once, gives in the file's order decoded frames (planar, or in a card's memory as NVDEC gives them; luma
    untouched, PTS in `info.time_base`) and `Packet` objects of the other streams. With `start` or `end` (seconds from
    the start of the film) only what lies between them, with time stamps that begin at zero. Where a `connection` is
    given, its container is read (and closed) instead, and `path` is its name in messages. Without `frames` or without
    `packets` only the other kind is given.

    Attributes:
        info: the film.
        others: the streams whose packets come along.
        covers: attached pictures (cover art) by stream index.
        damaged: frames and packets so far that could not be decoded cleanly.
        resized: frames so far that came in another size and were scaled.
        retimed: frames so far that had no time stamp of their own, or one out of order.
        left_out: time stamps (as of frames) of packets so far that a decoder would crash on; see video.careful.
        off_card: with `hwaccel`, how many frames so far came to the CPU's memory, by the reason.
        no_card: with `hwaccel`, why the whole film is decoded on the CPU, if it is.

    Raises:
        InputError: the file is missing, empty, damaged beyond use, encrypted, or has no picture.
    """

    def __init__(
        self, path: str | Path, *, start: float | None = None, end: float | None = None,
        hwaccel: HWAccel | None = None, connection: Connection | None = None, frames: bool = True, packets: bool = True,
    ) -> None:  # fmt: skip
        self.path = mask(str(path)) if is_address(str(path)) else str(path)
        self.gives_frames, self.gives_packets = frames, packets
        self.damaged = self.resized = self.retimed = 0
        self.left_out: list[int] = []
        self.last_pts: int | None = None
        self.off_card: Counter[str] = Counter()
        self.covers: dict[int, bytes] = {}
        self.container = connection.container if connection else open_input(str(path))
        try:
            self.info = self.look(connection)
            self.no_card = self.move_to(hwaccel) if hwaccel is not None else "not asked for"
            self.trim = Trim.of(self.container, start, end)
            self.info = self.trim.info(self.info, self.container)
            self.others: list[Stream] = [s for s in self.container.streams if s.index != self.stream.index]
            live = connection is not None and connection.live
            self.timeline = Timeline(self.container.format.name, always=live)
            self.items = self.read()
            self.head = self.read_head() if frames else []
        except BaseException:
            self.container.close()
            raise

    def look(self, connection: Connection | None) -> FilmInfo:
        """Find the main picture; what the container says of it."""
        self.stream = main_video(self.container, self.path)
        if connection and connection.live:
            self.stream.thread_type = "SLICE"  # frame threads would hold back a frame each
        if is_careful():
            self.stream.thread_count = 1
        info = describe(self.container, self.stream, self.path)
        if connection and connection.like is not None:
            return replace(connection.like, time_base=info.time_base)
        return info

    @property
    def trims(self) -> bool:
        """Whether only a part of the film is read."""
        return self.trim.active

    def move_to(self, hwaccel: HWAccel) -> str:
        """Open the film once more, to be decoded on a card; the reason where that cannot be.

        Only the plain decoder, opened before, tells the format of the samples.
        """
        if why := no_nvdec(self.stream.codec_context):
            return why
        if is_address(self.path) or is_special(Path(self.path)):
            return "a stream is opened only once"
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

    def __iter__(self) -> Iterator[av.VideoFrame | Packet[Stream]]:
        head, self.head = self.head, []
        yield from head
        yield from self.items

    def read_head(self) -> list[av.VideoFrame | Packet[Stream]]:
        """Everything up to the first frame."""
        head: list[av.VideoFrame | Packet[Stream]] = []
        for item in self.items:
            head.append(item)
            if isinstance(item, av.VideoFrame):
                self.info = self.seen(item)
                return head
        if self.trims and not self.damaged:
            raise InputError(f"{self.path}: no frame lies between start and end; choose them within the film")
        raise InputError(f"{self.path}: not one frame can be decoded; it is damaged or in an unknown codec")

    def seen(self, frame: av.VideoFrame) -> FilmInfo:
        """What only the first frame tells."""
        return replace(
            self.info, field_order=self.read_field_order(frame), display_matrix=display_matrix(frame),
            mastering=mastering_of(frame), light=light_of(frame),
        )  # fmt: skip

    def read_field_order(self, frame: av.VideoFrame) -> str | None:
        if not frame.interlaced_frame:
            return None
        return "bff" if self.stream.codec_context.field_order in BOTTOM_FIRST else "tff"

    def put_at(self, pts: int, before: Fraction = SEEK_BEFORE) -> None:
        """Go on with a frame at least `before` seconds in front of the one at `pts` (in ticks, as frames have it).

        In front of it, because the first frames behind a key frame may lean on what stands before that.
        """
        self.head, self.last_pts = [], None
        self.items = self.read(pts * self.info.time_base + self.trim.shift - before)

    def read(self, at: Fraction | None = None) -> Iterator[av.VideoFrame | Packet[Stream]]:
        """All that is asked for, from the time stamp `at` (seconds), or from the start of the part."""
        if at is not None:
            self.seek(at)
        elif self.trim.shift and self.stream.start_time is not None:  # else there are no time stamps to seek by
            self.seek(self.trim.shift)
        base = self.info.time_base
        for packet in self.demux():
            if packet.stream.disposition & Disposition.attached_pic:
                if packet.size:
                    self.covers[packet.stream.index] = bytes(packet)
                continue
            self.timeline.place(packet)
            if packet.stream.index != self.stream.index:
                if self.gives_packets and packet.dts is not None and (kept := self.trim.packet(packet)):
                    yield kept
                continue
            if self.gives_frames:
                yield from self.frames_of(packet)
            if self.trim.is_over(packet, base):
                if self.gives_frames:
                    yield from self.frames_of(None)  # what the decoder still holds
                return

    def frames_of(self, packet: Packet[Stream] | None) -> Iterator[av.VideoFrame]:
        """Frames of a packet that lie in the part that is asked for."""
        if packet is not None and packet.has_sidedata("encryption_info"):
            raise InputError(f"{self.path}: is encrypted; give a copy without protection")
        for frame in self.decode(packet):
            if kept := self.trim.frame(frame, self.info.time_base):
                yield kept

    def demux(self) -> Iterator[Packet[Stream]]:
        """All packets; behind damage the container is asked again, as long as that brings it further."""
        streams = [s for s in self.container.streams if s.type != "attachment"]
        failures = 0
        while failures < MAX_FAILURES:
            try:
                for packet in packets_of(self.container, *streams):
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

    def decode(self, packet: Packet[Stream] | None) -> Iterator[av.VideoFrame]:
        if packet is not None and leaves_out(packet):
            self.left_out.append((packet.pts or packet.dts or 0) - round(self.trim.shift / self.info.time_base))
            return
        try:
            frames = send(self.stream, packet)
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
            self.repair_time(frame)
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

    def repair_time(self, frame: av.VideoFrame) -> None:
        """Give a frame without a time stamp, or with one that does not come after the last, the next possible one."""
        step = 1
        if frame.pts is None and self.info.rate:
            step = max(1, round(1 / (self.info.rate * self.info.time_base)))
        if frame.pts is None or (self.last_pts is not None and frame.pts <= self.last_pts):
            self.retimed += 1
            frame.pts = step + (self.last_pts if self.last_pts is not None else -step)
            frame.time_base = self.info.time_base
        self.last_pts = frame.pts
