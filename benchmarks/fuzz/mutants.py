"""Mutants of media files: each is made again by its number and the seed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

PACKETS = 16  # of the picture that are kept of a film
LARGE = 60_000  # bytes; longer films are shortened to that many packets first
HEAD = 1024  # bytes at either end of a file that count as header
NOT_MEDIA = (".md", ".json", ".jsonl", ".txt", ".csv")
Spans = list[tuple[int, int]]  # position and size, bytes


@dataclass(frozen=True)
class Source:
    """A file that is mutated, and where its packets are."""

    group: str  # the folder it comes from
    name: str
    data: bytes
    packets: Spans


@dataclass(frozen=True)
class Mutant:
    number: int
    group: str
    kind: str
    name: str  # of the file, with the source's ending
    data: bytes


def header(rng: np.random.Generator, source: Source, other: Source) -> bytes:
    """Up to eight bytes at the start or the end, where containers keep what they say of themselves."""
    data = bytearray(source.data)
    reach = min(HEAD, len(data))
    start = 0 if rng.random() < 0.7 else len(data) - reach
    for at in start + rng.integers(0, reach, rng.integers(1, 9)):
        data[at] = any_byte(rng)
    return bytes(data)


def packet(rng: np.random.Generator, source: Source, other: Source) -> bytes:
    """Some bytes of one to three packets; of a still, of what lies behind its head."""
    data = bytearray(source.data)
    spans = source.packets or [(min(HEAD, len(data) // 2), len(data) - min(HEAD, len(data) // 2))]
    for index in rng.integers(0, len(spans), rng.integers(1, 4)):
        position, size = spans[index]
        for at in position + rng.integers(0, max(size, 1), rng.integers(1, 33)):
            if at < len(data):
                data[at] = any_byte(rng)
    return bytes(data)


def truncation(rng: np.random.Generator, source: Source, other: Source) -> bytes:
    """The file breaks off."""
    return source.data[: rng.integers(0, len(source.data))]


def splice(rng: np.random.Generator, source: Source, other: Source) -> bytes:
    """A piece of another file over, between or instead of the source's bytes, or a piece of its own left out."""
    data, size = source.data, int(rng.integers(1, 20_000))
    at, start = (int(rng.integers(0, len(d))) for d in (data, other.data))
    piece = other.data[start : start + size]
    way = rng.integers(0, 4)
    if way == 0:
        return data[:at] + piece + data[at + len(piece) :]
    if way == 1:
        return data[:at] + piece + data[at:]
    return data[:at] + (other.data[start:] if way == 2 else data[at + size :])


KINDS: dict[str, Callable[[np.random.Generator, Source, Source], bytes]] = {
    "header": header, "packet": packet, "truncation": truncation, "splice": splice,
}  # fmt: skip


def any_byte(rng: np.random.Generator) -> int:
    """A byte, often one that lies at the end of a range."""
    return int(rng.choice([0x00, 0x01, 0x7F, 0x80, 0xFF])) if rng.random() < 0.4 else int(rng.integers(0, 256))


def mutant(sources: list[Source], number: int, seed: int) -> Mutant:
    """The mutant of that number; sources and kinds take turns."""
    rng = np.random.default_rng([seed, number])
    source = sources[number % len(sources)]
    kind = list(KINDS)[number // len(sources) % len(KINDS)]
    other = sources[rng.integers(0, len(sources))]
    return Mutant(number, source.group, kind, f"{number:06}{Path(source.name).suffix}", KINDS[kind](rng, source, other))


def sources_in(folders: list[Path], work: Path) -> list[Source]:
    """All media of these folders, in the order of their names; long films are shortened into `work`."""
    found = []
    for folder in folders:
        for path in sorted(p for p in folder.iterdir() if p.is_file() and p.suffix not in NOT_MEDIA):
            found.append(source_of(shortened(path, work), folder.name, path.name))
    return found


def source_of(path: Path, group: str, name: str) -> Source:
    return Source(group, name, path.read_bytes(), packets_of(path))


def packets_of(path: Path) -> Spans:
    """Where the packets are that FFmpeg finds; none where it does not say."""
    try:
        with av.open(str(path)) as container:
            return [(p.pos, p.size) for p in container.demux() if p.pos is not None and p.pos >= 0 and p.size]
    except av.FFmpegError:
        return []


def shortened(path: Path, work: Path) -> Path:
    """The start of a long film as a file of its own, its packets as they are; `path` where that cannot be."""
    target = work / f"{path.parent.name}-{path.name}"
    if path.stat().st_size < LARGE or target.exists():
        return target if target.exists() else path
    try:
        with av.open(str(path)) as film:
            copied = {s.index for s in film.streams if s.type in ("video", "audio", "subtitle")}
            if not film.duration or not film.streams.video:
                return path
            names = {"mov,mp4,m4a,3gp,3g2,mj2": "mov" if path.suffix == ".mov" else "mp4", "matroska,webm": "matroska"}
            with av.open(str(target), "w", format=names.get(film.format.name, film.format.name)) as out:
                streams = {i: out.add_stream_from_template(film.streams[i]) for i in sorted(copied)}
                count = 0
                for p in film.demux():
                    if p.dts is None or p.stream.index not in streams:
                        continue
                    count += p.stream.type == "video"
                    if count > PACKETS:
                        break
                    p.stream = streams[p.stream.index]
                    out.mux(p)
    except (av.FFmpegError, ValueError):
        target.unlink(missing_ok=True)
        return path
    return target
