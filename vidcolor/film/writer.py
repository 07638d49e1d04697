"""The writer's side of a film: colour merged under the luma, encoded into one packet file a segment."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import lru_cache

import av
from av.packet import Packet
from av.stream import Stream

from vidcolor.errors import OutputError
from vidcolor.film.packets import PacketWriter
from vidcolor.film.plan import FilmPlan, closed
from vidcolor.film.segmenter import Closed
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.item import Colored
from vidcolor.temporal.clock import Clock
from vidcolor.video.encoder import Encoder, VideoSettings
from vidcolor.video.faults import disk_failure

Watch = Callable[[av.VideoFrame], None]


class SegmentWriter:
    """Takes `Colored` and `Closed` in order. A segment is in the plan as soon as its packets are safe on the disk.

    `exact` says whether the source can be read from the middle, as far as is known by then; `check` raises where the
    work is to stop.

    Raises:
        OutputError: the codec or the disk refuses.
    """

    def __init__(
        self, plan: FilmPlan, settings: VideoSettings, colorizer: FrameColorizer, clock: Clock, watch: Watch | None,
        exact: Callable[[], bool], check: Callable[[], None],
    ) -> None:  # fmt: skip
        self.plan, self.settings, self.colorizer = plan, settings, colorizer
        self.clock, self.watch, self.exact, self.check = clock, watch, exact, check
        self.encoder: Encoder | None = None
        self.packets: PacketWriter | None = None
        self.shots: list[tuple[int, str, str]] = []

    def write(self, item: Colored | Closed) -> None:
        if isinstance(item, Closed):
            self.frames(self.colorizer.flush())
            self.close(item)
            return
        if item.kind:
            self.shots.append((item.number, item.kind, str(item.time)))
        self.frames(self.colorizer.merge(item))

    def frames(self, frames: Iterable[av.VideoFrame]) -> None:
        for frame in frames:
            if self.watch is not None:
                self.watch(frame)
            if self.encoder is None:
                self.encoder = self.clock.time("encode", Encoder, self.settings)
            self.keep(self.clock.time("encode", list, self.encoder.encode(frame)))

    def keep(self, packets: list[Packet[Stream]]) -> None:
        self.clock.time("mux", self.append, packets)

    def append(self, packets: list[Packet[Stream]]) -> None:
        try:
            if self.packets is None:
                number = len(self.plan.segments)
                self.packets = PacketWriter(self.plan.folder / "segments" / f"{number:06d}.packets")
            for packet in packets:
                self.packets.write(packet)
        except OSError as error:
            raise disk_failure(self.plan.folder, error) from error

    def close(self, item: Closed) -> None:
        """The encoder's last packets, the file, and its line in the plan."""
        assert self.encoder is not None
        held = self.encoder.finish()
        while packet := self.clock.time("encode", next, held, None):
            self.check()
            self.keep([packet])
        assert self.packets is not None
        segment, count = item.segment, self.packets.packets
        assert segment.last is not None
        wanted = segment.last - segment.first + 1
        if count != wanted:
            raise OutputError(
                f"{self.settings.encoder}: gave {count} packets for {wanted} frames; choose another codec"
            )
        try:
            footer = self.packets.finish(self.encoder.header)
            done = closed(segment, segment.last, self.shots, item.predicted, footer.digest)
            self.plan.add(done, next_start=item.following, exact=self.exact())
        except OSError as error:
            raise disk_failure(self.plan.folder, error) from error
        self.encoder = self.packets = None
        self.shots = []
        give_back()

    def abandon(self) -> None:
        """Leave nothing of an unfinished segment behind."""
        if self.packets is not None:
            self.packets.abandon()


@lru_cache(maxsize=1)
def trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`; None elsewhere."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found


def give_back() -> None:
    """Give the memory of an encoder that is gone back to the system: else the next one comes on top of it."""
    if (free := trim()) is not None:
        free(0)
