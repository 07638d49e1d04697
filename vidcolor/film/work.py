"""The work folder of a film, beside its target: the plan, the packet files, and a lock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from vidcolor.errors import OutputError
from vidcolor.film.packets import DamagedPackets, check
from vidcolor.film.plan import PLAN, SEGMENTS, FilmPlan, Segment, read_plan
from vidcolor.film.recipe import Recipe, SourceFacts
from vidcolor.video.info import FilmInfo

SUFFIX = ".vidcolor"
LOCK = "lock"


def folder_of(target: Path) -> Path:
    """The work folder that belongs to `target`."""
    return target.with_name(target.name + SUFFIX)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; it goes when nothing that is done stands in it.

    Raises:
        OutputError: another process has it, or it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(f"{folder}: another vidcolor is at work on this target; wait for it") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    try:
        yield
    finally:
        if not any((folder / "segments").glob("*.packets")):
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def forget(folder: Path) -> None:
    """Remove what an earlier run has left in `folder`, which is locked by this one."""
    (folder / PLAN).unlink(missing_ok=True)
    shutil.rmtree(folder / SEGMENTS, ignore_errors=True)


def open_plan(folder: Path, source: SourceFacts, info: FilmInfo, recipe: Recipe) -> tuple[FilmPlan, Segment | None]:
    """The plan in `folder` and the segment to go on with (None: from the start, or all done), or a new plan.

    Segments whose packet files are not whole are done again, and all that come after them.

    Raises:
        OutputError: what stands there was made from another source or in another way.
    """
    try:
        found = read_plan(folder)
    except ValueError as error:
        raise OutputError(f"{error}; delete {folder}, or take the version that made it") from error
    if found is None or not found[0].segments:
        plan = FilmPlan(folder, source, info, recipe)
        plan.create()
        return plan, None
    plan, coming = found
    remedy = f"delete {folder} to start anew"
    if plan.source != source:
        raise OutputError(f"{folder}: belongs to another source, or {source.name} has changed since; {remedy}")
    if why := plan.recipe.difference(recipe):
        raise OutputError(f"{folder}: was begun in another way ({why}); give the same options, or {remedy}")
    whole = sum(1 for _ in takewhile_whole(plan))
    if whole < len(plan.segments):
        return restarted(plan, whole)
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


def restarted(plan: FilmPlan, whole: int) -> tuple[FilmPlan, Segment | None]:
    """The plan with its first `whole` segments only."""
    kept, again = plan.segments[:whole], plan.segments[whole]
    fresh = FilmPlan(plan.folder, plan.source, plan.info, plan.recipe)
    fresh.create()
    for segment, after in zip(kept, [*kept[1:], again], strict=True):
        fresh.add(segment, next_start=after, exact=plan.exact)
    return fresh, replace(again, last=None, shots=(), predicted=0, digest="") if kept else None
