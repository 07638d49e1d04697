"""From what a user names to a list of files to colour and where each goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidcolor.errors import OptionError
from vidcolor.stills.formats import STILL_TARGETS, STILLS
from vidcolor.video.target import CONTAINERS

FILMS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".vob", ".wmv",
         ".flv", ".ogv", ".3gp", ".mxf", ".apng", ".gif", ".dv")  # fmt: skip
FILM_TARGETS = tuple(CONTAINERS)
HOMES = {"ffv1": ".mkv", "prores": ".mov"}  # endings that always hold a codec, for targets that the user does not name


@dataclass(frozen=True)
class Job:
    source: str  # a path, or a URL
    target: Path
    makes_folder: bool = False  # the target's folder is ours to make


def plan(sources: list[str], output: str | None, codec: str | None = None) -> list[Job]:
    """One job for each file; a folder stands for all films and stills in it and below.

    `output` is a file for one source file, else a folder, which is made when the first job is done. Without it the
    target lies beside its source as NAME-color.ENDING. A film keeps its ending where a `codec` can go into it.

    Raises:
        OptionError: `output` is a single file for many sources, two jobs would write the same file, or a folder
            holds nothing to colour.
    """
    if output is not None and len(sources) == 1 and names_file(sources[0], output):
        return [Job(sources[0], Path(output))]
    if output is not None and looks_like_file(output):
        raise OptionError(f"{output}: is one file for several sources; give a folder, such as {Path(output).stem}/")
    jobs = []
    for source in sources:
        folder = Path(source)
        if "://" not in source and folder.is_dir():
            found = media_below(folder)
            if not found:
                raise OptionError(f"{source}: holds no film or still; give another folder")
            jobs += [Job(str(f), target_for(f, output, folder, codec), output is not None) for f in found]
        else:
            jobs.append(Job(source, target_for(folder, output, folder.parent, codec), output is not None))
    check_distinct(jobs)
    return jobs


def names_file(source: str, output: str) -> bool:
    """Whether `output` is meant as the target file of `source`."""
    if "://" not in source and Path(source).is_dir():
        return False
    return not Path(output).is_dir() and not output.endswith(("/", "\\")) and bool(Path(output).suffix)


def looks_like_file(output: str) -> bool:
    suffix = Path(output).suffix.lower()
    return suffix in FILM_TARGETS + STILL_TARGETS and not Path(output).is_dir() and not output.endswith(("/", "\\"))


def media_below(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in STILLS + FILMS and not p.name.startswith("."))


def target_for(source: Path, output: str | None, root: Path, codec: str | None) -> Path:
    """Where the coloured `source` goes; below `output` it keeps its place relative to `root`."""
    suffix = source.suffix.lower()
    if suffix in STILLS:
        suffix = suffix if suffix in STILL_TARGETS else ".png"
    elif codec in HOMES:
        suffix = HOMES[codec]
    elif suffix not in FILM_TARGETS or (suffix == ".webm" and codec not in (None, "vp9", "svtav1")):
        suffix = ".mkv"
    if output is None:
        return source.with_name(f"{source.stem}-color{suffix}")
    return Path(output) / source.relative_to(root).with_suffix(suffix)


def check_distinct(jobs: list[Job]) -> None:
    taken: dict[Path, str] = {}
    for job in jobs:
        if job.target in taken:
            raise OptionError(
                f"{job.source} and {taken[job.target]} would both become {job.target}; colour them one by one"
            )
        taken[job.target] = job.source
