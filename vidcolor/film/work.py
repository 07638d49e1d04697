"""The work folder of a film, beside its target or elsewhere: the plan, the packet files, a lock, and a note."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock

from vidcolor import stored
from vidcolor.atomic import partial_name, partial_path, sync_folder, write_whole
from vidcolor.errors import OutputError
from vidcolor.film.names import COLORED, LONGEST, NOTE, PLAN, REFERENCES, SEGMENTS, STILLS, SUFFIX, fitted, is_work
from vidcolor.film.owner import hold, let_go
from vidcolor.film.packets import DamagedPackets, check
from vidcolor.film.plan import FilmPlan, Segment, keep_lines, read_plan
from vidcolor.film.recipe import Recipe, SourceFacts
from vidcolor.film.record import Made
from vidcolor.video.info import FilmInfo

ATTEMPTS = 10  # to make a folder that another run is just removing


def folder_of(target: Path, work: Path | None = None) -> Path:
    """The work folder that belongs to `target`: beside it, or in the folder `work`.

    In `work`, where targets of one name may meet, it is named after the target and a digest of its place; so it is
    beside a target whose name leaves no room for the suffix.
    """
    name = target.name + SUFFIX
    if work is None and len(os.fsencode(name)) <= LONGEST:
        return target.with_name(name)
    place = os.fsencode(Path(os.path.realpath(target.parent)) / target.name)
    name = fitted(target.name, f"-{hashlib.sha256(place).hexdigest()[:12]}{SUFFIX}")
    return target.with_name(name) if work is None else work / name


@dataclass(frozen=True)
class Note:
    """What a work folder belongs to, and what has become of it."""

    target: str  # its absolute path
    token: str  # names the temporary file beside it; see AtomicFile
    made: Made | None = None  # the target has got, or is about to get, its name

    @classmethod
    def read(cls, folder: Path) -> Note | None:
        """That of `folder`; None where there is none of this version."""
        try:
            values = stored.parse((folder / NOTE).read_bytes())
            if re.fullmatch("[0-9a-f]{8}", values["token"]) is None:
                return None
            made = Made.from_dict(values["made"]) if values["made"] else None
            return stored.made(cls, {"target": values["target"], "token": values["token"], "made": made})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def begin(cls, folder: Path, target: Path) -> Note:
        """That of `folder`, made where there is none; a temporary file that a crash has left goes."""
        found = cls.read(folder)
        note = cls(os.path.abspath(target), found.token if found else secrets.token_hex(4))
        temporary_of(note).unlink(missing_ok=True)
        note.write(folder)
        return note

    def write(self, folder: Path) -> None:
        """Put it into `folder`, safely on the disk.

        Raises:
            OutputError: it cannot be written.
        """
        write_whole(folder / NOTE, json.dumps(asdict(self)).encode() + b"\n", overwrite=True)


def temporary_of(note: Note) -> Path:
    """Where the target is assembled, before it gets its name."""
    return partial_path(Path(note.target), note.token)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; it goes when nothing that is done stands in it.

    Raises:
        OutputError: another process has it, or may have it, or it cannot be made.
    """
    guard = made_and_held(folder)
    try:
        yield
    finally:
        if not any((folder / SEGMENTS).glob("*.packets")) and not any((folder / STILLS / COLORED).glob("*")):
            clear(folder)
        let_go(folder, guard)


def made_and_held(folder: Path) -> FileLock | None:
    """Make `folder` and hold it; see `owner.hold`."""
    for attempt in range(ATTEMPTS):
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                sync_folder(folder.parent)
            return hold(folder)
        except KeyboardInterrupt:
            with suppress(OSError):  # something stands in it
                folder.rmdir()
            raise
        except OutputError as error:
            if attempt < ATTEMPTS - 1 and isinstance(error.__cause__, FileNotFoundError):
                continue
            raise
        except FileNotFoundError as error:
            if attempt == ATTEMPTS - 1:
                raise refused(folder, error) from error
        except OSError as error:
            raise refused(folder, error) from error
    raise AssertionError


def tidy(folder: Path, target: Path) -> None:
    """Remove what is left of a run that was stopped when `target` was complete; another one's work stays."""
    note = Note.read(folder)
    if note and note.made and note.made.is_at(target):
        with suppress(OutputError), locked(folder):
            clear(folder)
    elif not note and is_work(folder) and not (folder / PLAN).exists():
        with suppress(OutputError), locked(folder):
            pass  # the lock was the last that was left
    with suppress(OSError):
        folder.rmdir()  # where nothing is in it


def refused(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{folder}: cannot be made ({error.strerror}); choose another folder")


def forget(folder: Path) -> None:
    """Remove what an earlier run has left in `folder`, which is locked by this one."""
    (folder / PLAN).unlink(missing_ok=True)
    for name in (REFERENCES, STILLS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in (folder / SEGMENTS).glob("*.packets*"):
        path.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Remove what is ours in `folder`, which is locked, but for the lock; the note goes last.

    So a run that is stopped in here is known as complete by the next one, after a power cut too.
    """
    note = Note.read(folder)
    with suppress(OSError):
        forget(folder)
        (folder / SEGMENTS).rmdir()
        sync_folder(folder)
    with suppress(OSError):
        if note is not None and (temporary := temporary_of(note)).exists():
            temporary.unlink(missing_ok=True)
            sync_folder(temporary.parent)
        for path in folder.glob(partial_name("*")):
            path.unlink(missing_ok=True)
        (folder / NOTE).unlink(missing_ok=True)


def open_plan(folder: Path, source: SourceFacts, info: FilmInfo, recipe: Recipe) -> tuple[FilmPlan, Segment | None]:
    """The plan in `folder` and the segment to go on with (None: from the start, or all done), or a new plan.

    Segments whose packet files are not whole are done again, and all that come after them.

    Raises:
        OutputError: what stands there was made from another source or in another way.
    """
    try:
        found = read_plan(folder)
    except ValueError as error:
        raise OutputError(f"{error}; add --restart to start anew, or take the version that made it") from error
    if found is None or not found[0].segments:
        plan = FilmPlan(folder, source, info, recipe)
        plan.create()
        return plan, None
    plan, coming = found
    remedy = "add --restart to start anew"
    if plan.source != source:
        raise OutputError(f"{folder}: belongs to another source, or {source.name} has changed since; {remedy}")
    if why := plan.recipe.difference(recipe):
        raise OutputError(f"{folder}: was begun in another way ({why}); give the same options, or {remedy}")
    whole = sum(1 for _ in takewhile_whole(plan))
    if whole < len(plan.segments):
        coming, plan.complete = again(plan.segments[whole]) if whole else None, False
        del plan.segments[whole:]
    keep_lines(folder, 1 + whole)
    return plan, coming


def takewhile_whole(plan: FilmPlan) -> Iterator[Segment]:
    """The segments up to the first whose packet file is damaged."""
    for segment in plan.segments:
        try:
            if check(plan.path_of(segment)).digest != segment.digest:
                return
        except DamagedPackets:
            return
        yield segment


def again(segment: Segment) -> Segment:
    """`segment` as it was before it was done."""
    return replace(segment, last=None, shots=(), predicted=0, digest="")
