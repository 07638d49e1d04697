"""Frames of a film by number, from any place in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream

from vidcolor.errors import InputError
from vidcolor.film.plan import Mark
from vidcolor.video.reader import Reader

Digest = Callable[[av.VideoFrame], str]
Numbered = tuple[int, av.VideoFrame]


def frames_from(open_reader: Callable[[], Reader], mark: Mark, digest: Digest, *, exact: bool) -> tuple[
    Reader, Iterator[Numbered]
]:  # fmt: skip
    """An open reader, and the frames from `mark` on with their numbers.

    With `exact` it seeks, and makes sure by time stamp and digest that it has found the frame; else, and where it has
    not, it decodes from the start and counts. Behind damage the time stamp must do: decoders with several threads make
    another picture of it each time.

    Raises:
        InputError: the frame is not there: the source has changed.
    """
    reader = open_reader()
    if mark.frame == 0:
        return reader, enumerate(frames_of(reader))
    if exact:
        reader.put_at(mark.pts)
        found = find(frames_of(reader), mark, digest)
        if found is not None:
            return reader, found
        reader.close()
        reader = open_reader()
    return reader, counted(reader, mark, digest)


def frames_of(reader: Reader) -> Iterator[av.VideoFrame]:
    for item in reader:
        if not isinstance(item, Packet):
            yield item


def packets_of(reader: Reader) -> Iterator[Packet[Stream]]:
    for item in reader:
        if isinstance(item, Packet):
            yield item


def find(frames: Iterator[av.VideoFrame], mark: Mark, digest: Digest) -> Iterator[Numbered] | None:
    """The frames from `mark` on; None where the seek has missed it."""
    began = False
    for frame in frames:
        if frame.pts is None or frame.pts > mark.pts or (not began and frame.pts == mark.pts):
            return None  # too late, or so close that the frame may lean on what was not decoded
        began = True
        if frame.pts == mark.pts:
            return chain(mark, frame, frames) if digest(frame) == mark.digest else None
    return None


def chain(mark: Mark, frame: av.VideoFrame, rest: Iterator[av.VideoFrame]) -> Iterator[Numbered]:
    yield mark.frame, frame
    yield from enumerate(rest, mark.frame + 1)


def counted(reader: Reader, mark: Mark, digest: Digest) -> Iterator[Numbered]:
    for number, frame in enumerate(frames_of(reader)):
        if number == mark.frame and (frame.pts != mark.pts or not (reader.damaged or digest(frame) == mark.digest)):
            raise InputError(f"{reader.path}: frame {number} is another one than before; was the film changed?")
        if number >= mark.frame:
            yield number, frame


def pictures_of(film: Path, numbers: list[int]) -> Iterator[np.ndarray]:
    """The frames `numbers` (rising) of a film, as RGB."""
    with Reader(film, packets=False) as reader:
        left = iter(numbers)
        wanted = next(left, None)
        for number, frame in enumerate(frames_of(reader)):
            if number == wanted:
                yield frame.to_ndarray(format="rgb24")
                wanted = next(left, None)
            if wanted is None:
                return
