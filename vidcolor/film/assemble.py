"""Packet files to a film: decoding times made anew, the other streams beside them, the target renamed when complete."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from av.packet import Packet
from av.stream import Stream

from vidcolor.errors import OutputError
from vidcolor.film.packets import read_footer, read_packets, stamps
from vidcolor.video.muxer import Muxer


def assemble(
    muxer: Muxer,
    segments: Sequence[Path],
    others: Iterable[Packet[Stream]],
    *,
    check: Callable[[], None] = lambda: None,
    passes: Callable[[int, bool], None] = lambda size, is_video: None,
) -> None:
    """Mux the packet files `segments`, in order, and the packets of other streams; the muxer is not finished yet.

    `check` is called now and then, and may raise; `passes` with the size of each packet, and whether
    it is one of the picture.

    Raises:
        DamagedPackets: a packet file is not whole.
        OutputError: segments do not fit each other, or the target cannot be written.
    """
    if segments:
        check_headers(muxer, segments)
    for number, (is_video, packet) in enumerate(merged(video_packets(segments), others)):
        if number % 100 == 0:
            check()
        passes(packet.size, is_video)
        if is_video:
            muxer.mux_video([packet])
        else:
            muxer.mux_other(packet)


def check_headers(muxer: Muxer, segments: Sequence[Path]) -> None:
    """The container has one header for all: every segment's must be the same.

    Raises:
        OutputError: one differs.
    """
    wanted = bytes(muxer.video.codec_context.extradata or b"") or read_footer(segments[0]).header
    for path in segments:
        if read_footer(path).header != wanted:
            raise OutputError(f"{path}: was encoded with other headers than the target's; start anew")


def video_packets(segments: Sequence[Path]) -> Iterator[Packet[Stream]]:
    """All packets of the picture, with decoding times."""
    order = [pts for path in segments for pts in stamps(path)]
    decoding = iter(decoding_times(order))
    for path in segments:
        for packet in read_packets(path):
            packet.dts = next(decoding)
            yield packet


def decoding_times(order: Sequence[int]) -> list[int]:
    """DTS of packets whose PTS come in decoding order `order`: strictly rising, never above their PTS.

    As encoders do it: the PTS in rising order, as many packets later as any packet is moved; in front of them as many
    steps of the same sizes, shifted before the first. The delay is one for the whole film, whatever its segments are.

    Raises:
        OutputError: two frames have the same PTS.
    """
    rising = sorted(order)
    if any(a >= b for a, b in pairwise(rising)):
        raise OutputError("two frames have the same time stamp; this is a fault of vidcolor, please report it")
    place = {pts: i for i, pts in enumerate(rising)}
    delay = max((i - place[pts] for i, pts in enumerate(order)), default=0)
    if not delay:
        return rising
    shift = rising[delay] - rising[0]
    return [pts - shift for pts in rising[:delay]] + rising[: len(rising) - delay]


def merged(video: Iterable[Packet[Stream]], others: Iterable[Packet[Stream]]) -> Iterator[tuple[bool, Packet[Stream]]]:
    """Packets of the picture (True) and others (False) by decoding time, so that the container holds little back."""
    both = heapq.merge(timed(video, True), timed(others, False), key=lambda item: item[0])
    return ((is_video, packet) for _, is_video, packet in both)


def timed(packets: Iterable[Packet[Stream]], is_video: bool) -> Iterator[tuple[Fraction, bool, Packet[Stream]]]:
    """Packets with their decoding time in seconds; one without a time comes with the one before."""
    last = Fraction(0)
    for packet in packets:
        if packet.dts is not None and packet.time_base:
            last = packet.dts * packet.time_base
        yield last, is_video, packet
