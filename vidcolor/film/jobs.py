"""Unfinished films: which work folders lie below a folder, what is done in them, and their removal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vidcolor.errors import OptionError, OutputError
from vidcolor.film.names import SUFFIX, is_work
from vidcolor.film.owner import Owner, holder
from vidcolor.film.plan import plan_of
from vidcolor.film.work import Note, clear, locked, temporary_of


@dataclass(frozen=True)
class Unfinished:
    """A film whose colouring was begun."""

    folder: Path  # of its work
    target: str
    source: str  # empty where no plan says it
    done: int  # frames
    frames: int  # of how many, as far as the source says; 0: unknown
    touched: datetime
    size: int  # bytes that its removal frees
    owner: Owner | None  # who is, or may be, at work on it


def unfinished(folder: Path) -> Iterator[Unfinished]:
    """What is unfinished in `folder` and below, by path.

    Raises:
        OptionError: the folder cannot be read.
    """

    def refused(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise OptionError(f"{folder}: cannot be read, {str(error.strerror).lower()}; name another folder")

    if is_work(folder):
        yield look(folder)
        return
    for root, names, _ in os.walk(folder, onerror=refused):
        found = [name for name in sorted(names) if is_work(Path(root, name))]
        names[:] = sorted(set(names) - set(found))
        for name in found:
            yield look(Path(root, name))


def look(folder: Path) -> Unfinished:
    """What is known of a work folder; one whose plan another version wrote is known by its note."""
    note, plan = Note.read(folder), plan_of(folder)
    target = note.target if note else str(folder.with_name(folder.name.removesuffix(SUFFIX)))
    files = [path for path in folder.rglob("*") if path.is_file()]
    if note is not None and os.path.isfile(temporary := temporary_of(note)):
        files.append(temporary)
    facts = []
    for path in files:
        with suppress(FileNotFoundError):  # its run has just removed it
            facts.append(path.stat())
    touched = max((found.st_mtime for found in facts), default=0.0)
    return Unfinished(
        folder, target, plan.source.name if plan else "", plan.frames if plan else 0, plan.info.frames if plan else 0,
        datetime.fromtimestamp(touched, UTC), sum(found.st_size for found in facts), holder(folder),
    )  # fmt: skip


def remove(job: Unfinished) -> None:
    """Remove what was done of a film, and the temporary file of its target.

    Raises:
        OutputError: somebody is at work on it, or it cannot be removed.
    """
    with locked(job.folder):
        clear(job.folder)
    if is_work(job.folder):
        raise OutputError(f"{job.folder}: cannot be removed; check its permissions")
