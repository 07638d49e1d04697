"""Encoded video of one segment in a file of its own: packets as the encoder gave them, before any mux.

Layout: a magic line; records of ``<q q I I`` (PTS, duration, flags, size) and the packet's bytes; a record of size
`END`; a JSON footer and its length. The footer holds the encoder's headers, the number of packets and a SHA-256 of all
that stands before it. A file that is cut short or changed in any byte is told from a whole one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.stream import Stream

from vidcolor import stored
from vidcolor.atomic import sync_folder
from vidcolor.errors import VidcolorError

MAGIC = b"vidcolor packets 1\n"
RECORD = struct.Struct("<qqII")
LENGTH = struct.Struct("<I")
END = 0xFFFFFFFF  # size that no packet has
KEY = 1  # flag


class DamagedPackets(VidcolorError, ValueError):
    """A packet file is missing, cut short or changed."""


@dataclass(frozen=True)
class Footer:
    """What a packet file says of itself."""

    header: bytes  # extradata of the encoder
    time_base: Fraction
    packets: int
    size: int  # bytes of all packets
    digest: str  # SHA-256 of magic and records


class PacketWriter:
    """Writes packets beside `path`; `finish` gives the file its name when it is safely on the disk.

    Raises:
        OSError: the disk is full or cannot be written to; `abandon` leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.partial = path, path.with_name(path.name + ".part")
        self.file = open(self.partial, "wb")  # noqa: SIM115 - closed by finish or abandon
        self.digest = hashlib.sha256()
        self.packets = self.size = 0
        self.time_base: Fraction | None = None
        self.append(MAGIC)

    def append(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)

    def write(self, packet: Packet[Stream]) -> None:
        """Append a packet with its PTS, duration and key flag.

        Raises:
            ValueError: it has no PTS, or another time base than those before.
        """
        if packet.pts is None or (self.time_base is not None and packet.time_base != self.time_base):
            raise ValueError("a packet without PTS or with another time base cannot be kept")
        self.time_base = packet.time_base
        data = bytes(packet)
        self.append(RECORD.pack(packet.pts, packet.duration or 0, KEY if packet.is_keyframe else 0, len(data)))
        self.append(data)
        self.packets, self.size = self.packets + 1, self.size + len(data)

    def finish(self, header: bytes) -> Footer:
        """Write the footer, sync, rename."""
        self.append(RECORD.pack(0, 0, 0, END))
        footer = Footer(header, self.time_base or Fraction(1), self.packets, self.size, self.digest.hexdigest())
        told = {
            "header": base64.b64encode(header).decode(), "time_base": str(footer.time_base), "packets": footer.packets,
            "size": footer.size, "digest": footer.digest,
        }  # fmt: skip
        text = json.dumps(told).encode()
        self.file.write(text + LENGTH.pack(len(text)))
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.partial, self.path)
        sync_folder(self.path.parent)
        return footer

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):  # what is still to be written has no room on a full disk
            self.file.close()
        self.partial.unlink(missing_ok=True)


def read_footer(path: Path) -> Footer:
    """The footer of a packet file, without a look at its packets.

    Raises:
        DamagedPackets: there is none.
    """
    try:
        with open(path, "rb") as file:
            file.seek(-LENGTH.size, os.SEEK_END)
            (length,) = LENGTH.unpack(file.read(LENGTH.size))
            file.seek(-LENGTH.size - length, os.SEEK_END)
            told = stored.parse(file.read(length))
        header = base64.b64decode(told["header"], validate=True)
        return Footer(header, stored.fraction(told["time_base"]), told["packets"], told["size"], told["digest"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise DamagedPackets(f"{path}: is not a whole packet file; it is made anew") from error


def check(path: Path) -> Footer:
    """Read all of a packet file and compare it with its footer.

    Raises:
        DamagedPackets: it is cut short or changed.
    """
    footer, digest, count, size = read_footer(path), hashlib.sha256(), 0, 0
    for record, data in records(path):
        digest.update(record + data)
        count, size = count + bool(data), size + len(data)
    if (count, size, digest.hexdigest()) != (footer.packets, footer.size, footer.digest):
        raise DamagedPackets(f"{path}: is damaged; it is made anew")
    return footer


def records(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The magic line, then each record and its packet, as bytes.

    Raises:
        DamagedPackets: the file ends before its last record, or is none.
    """
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise DamagedPackets(f"{path}: is not a packet file of this version; it is made anew")
        yield MAGIC, b""
        while True:
            record = file.read(RECORD.size)
            if len(record) < RECORD.size:
                raise DamagedPackets(f"{path}: is cut short; it is made anew")
            size = RECORD.unpack(record)[3]
            if size == END:
                yield record, b""
                return
            data = file.read(size)
            if len(data) < size:
                raise DamagedPackets(f"{path}: is cut short; it is made anew")
            yield record, data


def stamps(path: Path) -> list[int]:
    """PTS of all packets, in the order of the file."""
    return [RECORD.unpack(record)[0] for record, data in records(path) if data]


def read_packets(path: Path) -> Iterator[Packet[Stream]]:
    """The packets, without DTS."""
    time_base = read_footer(path).time_base
    for record, data in records(path):
        if data:
            pts, duration, flags, _ = RECORD.unpack(record)
            packet = Packet(data)
            packet.pts, packet.dts, packet.duration, packet.time_base = pts, None, duration, time_base
            packet.is_keyframe = bool(flags & KEY)
            yield packet
