"""The writer's side of a film: colour merged under the luma, encoded into one packet file a segment."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import av

from vidcolor.errors import OutputError
from vidcolor.film.packets import PacketWriter
from vidcolor.film.plan import FilmPlan, Segment, closed
from vidcolor.film.segmenter import Closed
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.item import Colored
from vidcolor.temporal.clock import Clock
from vidcolor.video.encoder import Encoder, VideoSettings
from vidcolor.video.faults import disk_failures

Watch = Callable[[av.VideoFrame], None]


class SegmentFile:
    """One segment: its encoder, and the packet file that it fills."""

    def __init__(self, path: Path, settings: VideoSettings) -> None:
        self.settings, self.packets = settings, PacketWriter(path)
        self.encoder = Encoder(settings)
        self.shots: list[tuple[int, str, str]] = []
        self.last: int | None = None  # PTS of the last frame

    def encode(self, frame: av.VideoFrame, clock: Clock) -> None:
        self.last = frame.pts
        for packet in clock.time("encode", list, self.encoder.encode(frame)):
            clock.time("mux", self.packets.write, packet)

    def finish(self, item: Closed, check: Callable[[], None]) -> Segment:
        """Write what the encoder still holds. The file is safe on the disk when this returns."""
        for packet in self.encoder.finish():
            check()
            self.packets.write(packet)
        segment, count = item.segment, self.packets.packets
        assert segment.last is not None
        wanted = segment.last - segment.first + 1
        if count != wanted:
            raise OutputError(
                f"{self.settings.encoder}: gave {count} packets for {wanted} frames; choose another codec"
            )
        footer = self.packets.finish(self.encoder.header)
        return closed(segment, segment.last, self.shots, item.predicted, footer.digest)


class SegmentWriter:
    """Takes `Colored` and `Closed` in order. A segment is in the plan as soon as its packets are safe on the disk.

    `exact` says whether the source can be read from the middle, as far as is known by then, and `left_out` gives the
    time stamps of packets that were left out; `check` raises where the work is to stop.

    Raises:
        OutputError: the codec or the disk refuses.
    """

    def __init__(
        self, plan: FilmPlan, settings: VideoSettings, colorizer: FrameColorizer, watch: Watch | None,
        exact: Callable[[], bool], left_out: Callable[[], list[int]], check: Callable[[], None],
    ) -> None:  # fmt: skip
        self.plan, self.settings, self.colorizer = plan, settings, colorizer
        self.watch, self.exact, self.left_out, self.check = watch, exact, left_out, check
        self.clock = colorizer.clocks[2]
        self.file: SegmentFile | None = None

    def write(self, item: Colored | Closed) -> None:
        if isinstance(item, Closed):
            self.frames(self.colorizer.flush())
            self.close(item)
            return
        if item.kind:
            self.opened().shots.append((item.number, item.kind, str(item.time)))
        self.frames(self.colorizer.merge(item))

    def frames(self, frames: Iterable[av.VideoFrame]) -> None:
        for frame in frames:
            if self.watch is not None:
                self.watch(frame)
            with disk_failures(self.plan.folder):
                self.opened().encode(frame, self.clock)

    def opened(self) -> SegmentFile:
        """The segment that is being written."""
        if self.file is None:
            path = self.plan.path(len(self.plan.segments))
            with disk_failures(self.plan.folder):
                self.file = self.clock.time("encode", SegmentFile, path, self.settings)
        return self.file

    def close(self, item: Closed) -> None:
        with disk_failures(self.plan.folder):
            file = self.opened()
            done = self.clock.time("encode", file.finish, item, self.check)
            lost = self.lost(file.last if item.following else None)
            self.plan.add(replace(done, left_out=lost), next_start=item.following, exact=self.exact())
        self.file = None
        give_back()

    def lost(self, last: int | None) -> tuple[int, ...]:
        """Packets that were left out up to the frame at `last`, or all, but for those of earlier segments."""
        known = {pts for segment in self.plan.segments for pts in segment.left_out}
        return tuple(pts for pts in self.left_out() if pts not in known and (last is None or pts <= last))

    def abandon(self) -> None:
        """Leave nothing of an unfinished segment behind."""
        if self.file is not None:
            self.file.packets.abandon()


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
