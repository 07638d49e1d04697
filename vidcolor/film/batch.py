"""From what a user names to a list of files to colour and where each goes."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from vidcolor.errors import OptionError
from vidcolor.film.folders import FILMS, RESULT, media_below
from vidcolor.film.names import fitted
from vidcolor.stills.content import content_of, is_still
from vidcolor.stills.formats import STILL_TARGETS, ending_for
from vidcolor.video.target import CONTAINERS, is_address

__all__ = ["FILMS", "Batch", "Job", "plan_batch"]

FILM_TARGETS = tuple(CONTAINERS)
HOMES = {"ffv1": ".mkv", "prores": ".mov"}  # endings that always hold a codec, for targets that the user does not name
ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}")  # others are part of a name, as in "Reel 2. Take 1"


@dataclass(frozen=True)
class Job:
    source: str  # a path, or a URL
    target: Path
    makes_folder: bool = False  # the target's folder is ours to make


@dataclass(frozen=True)
class Batch:
    """What is to be done, and what of the named folders is passed over, in lines for the user."""

    jobs: list[Job]
    notes: list[str] = field(default_factory=list)
    recorded: bool = False  # a batch knows by records what it has done: folders and several files, not a single one


def plan_batch(sources: list[str], output: str | None, codec: str | None = None) -> Batch:
    """One job for each file; a folder stands for all films and stills in it and below.

    `output` is a file for one source file, else a folder, which is made when the first job is done. Without it the
    target lies beside its source as NAME-color.ENDING. A film keeps its ending where a `codec` can go into it. Results
    of earlier runs, beside their sources or in `output`, are not coloured again.

    Raises:
        OptionError: `output` is a single file for many sources, two jobs would write the same file, or a folder
            holds nothing to colour or cannot be read.
    """
    if output is not None and len(sources) == 1 and names_file(sources[0], output):
        return Batch([Job(sources[0], Path(output))])
    if output is not None and looks_like_file(output):
        raise OptionError(f"{output}: is one file for several sources; give a folder, such as {Path(output).stem}/")
    files: list[tuple[str, Path]] = []  # and the folders that their places are relative to
    notes: list[str] = []
    for source in sources:
        if is_folder(source):
            found = media_below(Path(source), None if output is None else Path(output))
            notes += found.notes()
            if not found.media:
                raise OptionError(f"{source}: holds no film or still to colour; give another folder")
            files += [(str(path), Path(source)) for path in found.media]
        else:
            files.append((source, Path(source).parent))
    targets = [target_for(source, output, root, codec) for source, root in files]
    shared = Counter(targets)
    jobs = []
    for (source, root), target in zip(files, targets, strict=True):
        if shared[target] > 1 and Path(source).suffix != target.suffix:
            target = target_for(source, output, root, codec, whole=True)
        jobs.append(Job(source, target, output is not None))
    check_distinct(jobs)
    return Batch(jobs, notes, recorded=len(sources) > 1 or is_folder(sources[0]))


def is_folder(source: str) -> bool:
    return not is_address(source) and os.path.isdir(source)


def names_file(source: str, output: str) -> bool:
    """Whether `output` is meant as the target file of `source`."""
    if is_folder(source) or os.path.isdir(output) or output.endswith(("/", "\\")):
        return False
    return bool(Path(output).suffix) or os.path.exists(output)


def looks_like_file(output: str) -> bool:
    suffix = Path(output).suffix.lower()
    return suffix in FILM_TARGETS + STILL_TARGETS and not os.path.isdir(output) and not output.endswith(("/", "\\"))


def target_for(source: str, output: str | None, root: Path, codec: str | None, *, whole: bool = False) -> Path:
    """Where the coloured `source` goes; below `output` it keeps its place relative to `root`.

    With `whole` its ending stays in the name: of `a.png` and `a.jp2` the second becomes `a.jp2.png`.
    """
    path, suffix = Path(source), target_ending(source, codec)
    stem = path.stem if ENDING.fullmatch(path.suffix) and not whole else path.name
    if output is None:
        return path.with_name(fitted(stem, f"{RESULT}{suffix}"))
    return Path(output) / path.relative_to(root).with_name(fitted(stem, suffix))


def target_ending(source: str, codec: str | None) -> str:
    """The ending of what `source` becomes, by its content."""
    suffix = Path(source).suffix.lower()
    if is_still(source):
        return ending_for(suffix, content_of(Path(source)))
    if codec in HOMES:
        return HOMES[codec]
    if suffix not in FILM_TARGETS or (suffix == ".webm" and codec not in (None, "vp9", "svtav1")):
        return ".mkv"
    return suffix


def check_distinct(jobs: list[Job]) -> None:
    taken: dict[Path, str] = {}
    for job in jobs:
        if job.target in taken:
            raise OptionError(
                f"{job.source} and {taken[job.target]} would both become {job.target}; colour them one by one"
            )
        taken[job.target] = job.source
