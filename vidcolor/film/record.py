"""What was made of a source, so that it is not made twice: a note of one film, records of many files."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vidcolor import stored
from vidcolor.atomic import sync_folder
from vidcolor.errors import OutputError
from vidcolor.film.names import RECORDS
from vidcolor.film.recipe import SourceFacts, digest_of_ends
from vidcolor.video.faults import disk_failure


@dataclass(frozen=True)
class Made:
    """A source, coloured as `wish` says, has given a file of this size and digest."""

    source: SourceFacts
    wish: str  # digest; see recipe.wish_of
    size: int  # bytes
    digest: str  # SHA-256 of its first and last MiB

    @classmethod
    def of(cls, source: SourceFacts, wish: str, file: Path) -> Made:
        """The facts of `file`, which is whole, whatever name it will get."""
        return cls(source, wish, file.stat().st_size, digest_of_ends(file))

    def answers(self, source: SourceFacts, wish: str) -> bool:
        """Whether it was made of such a source in such a way; where the source lies does not matter."""
        known = self.source.size >= 0  # nothing is known of what lies behind an address
        return known and wish == self.wish and replace(source, name="") == replace(self.source, name="")

    def is_at(self, target: Path) -> bool:
        """Whether `target` is the file that was made."""
        try:
            return target.stat().st_size == self.size and digest_of_ends(target) == self.digest
        except OSError:
            return False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Made:
        return stored.made(cls, {**values, "source": SourceFacts.from_dict(values["source"])})


class Records:
    """What was made in one folder: a hidden file in it, to which lines are only added; the last one of a name counts.

    A record is written before its target gets its name, so a target that was made always has one. A line that was cut
    off, or that another version wrote, says nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORDS
        self.known: dict[str, Made] = {}
        self.read = 0  # bytes

    def find(self, target: Path, source: SourceFacts, wish: str) -> bool:
        """Whether `target` is what such a source gives in such a way."""
        self.update()
        made = self.known.get(target.name)
        return made is not None and made.answers(source, wish) and made.is_at(target)

    def update(self) -> None:
        """Read the lines that have come since."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.read)
                new = file.read()
        except OSError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.splitlines():
            try:
                values = stored.parse(line)
                self.known[values["target"]] = Made.from_dict(values["made"])
            except (ValueError, KeyError, TypeError):
                continue

    def add(self, target: Path, made: Made) -> None:
        """Write a line, safely on the disk.

        Raises:
            OutputError: it cannot be written.
        """
        line = json.dumps({"target": target.name, "made": made.to_dict()}, separators=(",", ":")).encode() + b"\n"
        try:
            with open(self.path, "ab+") as file:
                if end := file.tell():
                    file.seek(end - 1)
                    line = line if file.read(1) == b"\n" else b"\n" + line  # behind a line that was cut off
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self.path.parent)
        except OutputError:
            raise
        except OSError as error:
            raise disk_failure(self.path, error) from error


@dataclass(frozen=True)
class Record:
    """What the records of a folder say of one job."""

    records: Records
    target: Path
    source: SourceFacts
    wish: str
    again: bool = False  # whatever they say

    @property
    def stands(self) -> bool:
        """Whether the target is what the job gives."""
        return not self.again and self.records.find(self.target, self.source, self.wish)

    def write(self, file: Path) -> None:
        """The target is whole, in `file`."""
        self.records.add(self.target, Made.of(self.source, self.wish, file))
