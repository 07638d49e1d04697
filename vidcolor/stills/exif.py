"""EXIF as raw entries: checked, cleaned and laid out anew without being interpreted.

An EXIF block is a TIFF structure (TIFF 6.0 and EXIF 2.32, section 4.6): directories (IFDs) of entries, whose values are
addressed from the block's beginning.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, UTF8 = 1, 2, 3, 4, 5, 7, 10, 129
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
UNITS = {5: 4, 10: 4}  # bytes that are swapped together, where they are fewer than a value has
ORIENTATION, WIDTH_TAGS, RESOLUTION, NOTES = 274, (40962, 40963), (282, 283, 296), 37500
EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
POINTERS = (EXIF, GPS, INTEROPERABILITY)
BELOW = {0: (EXIF, GPS), EXIF: (INTEROPERABILITY,)}  # a pointer -> the pointers in the directory that it leads to
LIMIT = 4096  # entries that a directory is believed to have

TEXT, RATIO, SIGNED, WHOLE, DATA = (ASCII, UTF8), (RATIONAL,), (SRATIONAL, RATIONAL), (SHORT, LONG, BYTE), (UNDEFINED,)
SINGLE = (ORIENTATION, *RESOLUTION)  # have one value
# Types -> the tags of the main and the EXIF directory, and of the one for GPS, that may have no others.
IN_MAIN: dict[tuple[int, ...], tuple[int, ...]] = {
    TEXT: (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 34852, 36867, 36868, 36880, 36881, 36882, 37520, 37521,
           37522, 40964, 42016, 42032, 42033, 42035, 42036, 42037),
    RATIO: (282, 283, 33434, 33437, 37122, 37378, 37381, 37382, 37386, 37387, 41483, 41486, 41487, 41988, 42034,
            42240),
    SIGNED: (37377, 37379, 37380),
    WHOLE: (274, 296, 34850, 34855, 34864, 34865, 34866, 37383, 37384, 37385, 37396, 40961, 40962, 40963, 41488, 41492,
            41495, 41985, 41986, 41987, 41989, 41990, 41991, 41992, 41993, 41994, 41996),
    DATA: (36864, 37121, 37500, 37510, 40960, 41484, 41728, 41729, 41730, 41995),
}  # fmt: skip
IN_GPS: dict[tuple[int, ...], tuple[int, ...]] = {
    TEXT: (1, 3, 8, 9, 10, 12, 14, 16, 18, 19, 21, 23, 25, 29),
    RATIO: (2, 4, 6, 7, 11, 13, 15, 17, 20, 22, 24, 26, 31),
}
IN_OTHERS: dict[tuple[int, ...], tuple[int, ...]] = {}
TYPES: dict[int, dict[int, tuple[int, ...]]] = {  # the pointer that leads to a directory -> tag -> types
    within: {tag: kinds for kinds, tags in known.items() for tag in tags}
    for within, known in ((0, IN_MAIN), (EXIF, IN_MAIN), (GPS, IN_GPS), (INTEROPERABILITY, IN_OTHERS))
}


@dataclass(frozen=True)
class Entry:
    """A tag and its value; a pointer has the entries of its directory as `children` instead."""

    tag: int
    kind: int  # see SIZES
    count: int
    data: bytes  # little-endian
    children: tuple[Entry, ...] = ()
    at: int = 0  # where the entry stands in its block

    @property
    def numbers(self) -> tuple[int, ...]:
        """Unsigned whole numbers; empty for other types."""
        kind = {1: "<u1", 3: "<u2", 4: "<u4", 13: "<u4", 16: "<u8", 18: "<u8"}.get(self.kind)
        return tuple(int(x) for x in np.frombuffer(self.data, kind)) if kind else ()

    @property
    def ratio(self) -> float:
        """The first value as a fraction; 0 where it is none."""
        if self.kind != RATIONAL or len(self.data) < 8:
            return 0.0
        above, below = struct.unpack("<II", self.data[:8])
        return above / below if below else 0.0


class Block:
    """A TIFF structure, classic or BigTIFF.

    Attributes:
        bad: entries so far that were left out: of a wrong type, or with a value beyond the end.

    Raises:
        ValueError: it does not begin like one.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.bad = data, 0
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "")
        version = struct.unpack(f"{self.order}H", data[2:4])[0] if self.order and len(data) >= 16 else 0
        if version not in (42, 43):
            raise ValueError("no TIFF structure")
        self.big = version == 43
        self.first = self.number(8, 8) if self.big else self.number(4, 4)

    def number(self, at: int, size: int) -> int:
        """The unsigned number at `at`, or 0 where the block is too short."""
        return int.from_bytes(self.data[at : at + size], "little" if self.order == "<" else "big")

    def chain(self) -> list[int]:
        """Where the directories of pages begin."""
        found: list[int] = []
        at = self.first
        while at and at not in found and at < len(self.data) and len(found) < LIMIT:
            found.append(at)
            at = self.following(at)
        return found

    def following(self, at: int) -> int:
        """The directory behind the one at `at`; 0: none."""
        counter, entry, pointer = (8, 20, 8) if self.big else (2, 12, 4)
        count = self.number(at, counter)
        return self.number(at + counter + entry * count, pointer) if count <= LIMIT else 0

    def entries(self, at: int, within: int = 0) -> list[Entry]:
        """What is sound in the directory at `at`; pointers come with their children.

        `within` is the pointer that led here, 0 for a main directory.
        """
        counter, size = (8, 20) if self.big else (2, 12)
        count = self.number(at, counter)
        if not 0 < at < len(self.data) or count > LIMIT:
            return []
        found = []
        for entry in (self.entry(at + counter + size * i) for i in range(count)):
            if entry is None or not is_sound(entry, within):
                self.bad += 1
            elif entry.tag in POINTERS and within != GPS:
                found += self.with_children(entry, within)
            else:
                found.append(entry)
        return found

    def with_children(self, entry: Entry, within: int) -> list[Entry]:
        """A pointer with the entries it leads to, or nothing where it leads astray."""
        known = entry.tag in BELOW.get(within, ()) and entry.numbers
        children = tuple(self.entries(entry.numbers[0], entry.tag)) if known else ()
        if not children:
            self.bad += 1
            return []
        return [Entry(entry.tag, LONG, 1, b"", children, entry.at)]

    def entry(self, at: int) -> Entry | None:
        """The entry at `at`; None where its type is unknown or its value lies beyond the end."""
        wide = 8 if self.big else 4
        tag, kind, count = self.number(at, 2), self.number(at + 2, 2), self.number(at + 4, wide)
        length, place = SIZES.get(kind, 0) * count, at + 4 + wide
        if length > wide:
            place = self.number(place, wide)
        if kind not in SIZES or not count or place + length > len(self.data):
            return None
        return Entry(tag, kind, count, self.little(bytes(self.data[place : place + length]), kind), at=at)

    def little(self, value: bytes, kind: int) -> bytes:
        """`value` in little-endian order."""
        unit = UNITS.get(kind, SIZES[kind])
        if self.order == "<" or unit == 1:
            return value
        return np.frombuffer(value, f">u{unit}").astype(f"<u{unit}").tobytes()


def is_sound(entry: Entry, within: int) -> bool:
    """Whether an entry has a type and count that its tag may have."""
    kinds = TYPES[within].get(entry.tag, ())
    return (not kinds or entry.kind in kinds) and (entry.tag not in SINGLE or entry.count == 1)


def cleaned(data: bytes, unwanted: Iterable[int] = ()) -> tuple[bytes, int]:
    """An EXIF block of an upright picture, and how many bad entries were left out; empty where nothing is sound.

    Values stay where they are, so that makers' notes, which hold addresses, stay readable. The thumbnail, which shows
    the source, loses its directory.
    """
    try:
        block = Block(data)
    except ValueError:
        return b"", int(bool(data))
    entries = block.entries(block.first)
    if block.big or not entries:
        return b"", block.bad
    out = bytearray(data)
    rewrite(out, block, block.first, entries, set(unwanted))
    again = Block(bytes(out))
    if len(again.entries(again.first)) < len({e.tag for e in entries} - set(unwanted)) or again.bad:
        return rebuilt(entries, set(unwanted)), block.bad  # directories that overlap
    return bytes(out), block.bad


def rebuilt(entries: Iterable[Entry], unwanted: set[int]) -> bytes:
    """A block of its own for the entries of a main directory, upright."""
    kept = {e.tag: e for e in without(entries, unwanted)}
    if ORIENTATION in kept:
        kept[ORIENTATION] = numbers(ORIENTATION, SHORT, 1)
    return new_block(kept.values())


def without(entries: Iterable[Entry], unwanted: Container[int]) -> list[Entry]:
    """The entries, and those below them, that are not unwanted."""
    kept = []
    for entry in entries:
        children = tuple(c for c in entry.children if c.tag not in unwanted)
        if entry.tag not in unwanted and (children or entry.tag not in POINTERS):
            kept.append(replace(entry, children=children))
    return kept


def rewrite(out: bytearray, block: Block, at: int, entries: Iterable[Entry], unwanted: set[int]) -> None:
    """Put the directory at `at` down again with `entries` alone, and those below it."""
    kept = []
    for entry in entries:
        if entry.tag in unwanted:
            continue
        if entry.tag == ORIENTATION:
            out[entry.at + 8 : entry.at + 12] = upright_value(entry.kind, block.order)
        if entry.children:
            rewrite(out, block, block.number(entry.at + 8, 4), entry.children, unwanted)
        kept.append(bytes(out[entry.at : entry.at + 12]))
    room = 2 + 12 * block.number(at, 2) + 4
    written = struct.pack(f"{block.order}H", len(kept)) + b"".join(kept)
    out[at : at + room] = written.ljust(room, b"\0")[: len(out) - at]


def upright_value(kind: int, order: str) -> bytes:
    """An orientation of 1 as the four bytes of an entry."""
    return struct.pack(f"{order}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", 1).ljust(4, b"\0")


def tree(data: bytes) -> list[Entry]:
    """The entries of an EXIF block's main directory; none where it is damaged."""
    try:
        block = Block(data)
    except ValueError:
        return []
    return block.entries(block.first)


def lay_out(entries: Iterable[Entry], offset: int) -> bytes:
    """A little-endian directory to stand at `offset`, its values and the directories below it behind it."""
    ordered = sorted(entries, key=lambda e: e.tag)
    behind = offset + 2 + 12 * len(ordered) + 4
    head, tail = struct.pack("<H", len(ordered)), b""
    for entry in ordered:
        tail += bytes(len(tail) % 2)
        value, kind, count = entry.data, entry.kind, entry.count
        if entry.children:
            nested = lay_out(entry.children, behind + len(tail))
            value, kind, count = struct.pack("<I", behind + len(tail)), LONG, 1
            tail += nested
        elif len(value) > 4:
            place, tail = behind + len(tail), tail + value
            value = struct.pack("<I", place)
        head += struct.pack("<HHI", entry.tag, kind, count) + value.ljust(4, b"\0")
    return head + bytes(4) + tail


def new_block(entries: Iterable[Entry]) -> bytes:
    """An EXIF block of these entries; empty without any."""
    listed = list(entries)
    return b"II*\0\x08\0\0\0" + lay_out(listed, 8) if listed else b""


def numbers(tag: int, kind: int, *values: int) -> Entry:
    """An entry of whole numbers."""
    code = {BYTE: "B", SHORT: "H", LONG: "I"}[kind]
    return Entry(tag, kind, len(values), struct.pack(f"<{len(values)}{code}", *values))


def resolution_entries(dpi: tuple[float, float]) -> list[Entry]:
    """Pixels an inch, across and down, as the three tags for it."""
    across, down = (struct.pack("<II", round(x * 10000), 10000) for x in dpi)
    return [Entry(282, RATIONAL, 1, across), Entry(283, RATIONAL, 1, down), numbers(296, SHORT, 2)]


def resolution_of(entries: Iterable[Entry]) -> tuple[float, float] | None:
    """Pixels an inch, where the tags tell."""
    found = {e.tag: e for e in entries if e.tag in RESOLUTION}
    unit = found[296].numbers[:1] if 296 in found else (2,)
    if 282 not in found or 283 not in found or unit not in ((2,), (3,)):
        return None
    factor = 2.54 if unit == (3,) else 1.0
    across, down = found[282].ratio * factor, found[283].ratio * factor
    return (across, down) if across > 0 and down > 0 else None


def orientation_of(entries: Iterable[Entry]) -> int:
    """EXIF orientation, 1 to 8."""
    value = next((e.numbers[:1] for e in entries if e.tag == ORIENTATION), ())
    return value[0] if value and value[0] in range(1, 9) else 1
