"""What a folder holds to be coloured, and what in it is passed over, in words."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from vidcolor.atomic import is_special
from vidcolor.errors import OptionError, one_line
from vidcolor.film.names import is_work
from vidcolor.stills.content import content_of
from vidcolor.stills.formats import STILLS

FILMS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".vob", ".wmv",
         ".flv", ".ogv", ".3gp", ".mxf", ".apng", ".gif", ".dv")  # fmt: skip
# Folders that systems make for themselves, with previews or deleted files in them; those with a dot count as hidden.
SYSTEMS = ("@eaDir", "@Recycle", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "__MACOSX",
           "lost+found", "Network Trash Folder")  # fmt: skip
RESULT = "-color"  # what the name of a result beside its source ends in
NAMED = 3  # names in a note


@dataclass
class Found:
    """The media below a folder, and what was passed over."""

    folder: Path
    media: list[Path] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)  # endings
    closed: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def by_count(self) -> list[tuple[str, int]]:
        """Unknown endings, the most frequent first."""
        return sorted(self.unknown.items(), key=lambda item: (-item[1], item[0]))

    def notes(self) -> list[str]:
        """One line for each reason why something was passed over."""
        endings = [f"{ending or 'no ending'} ({count})" for ending, count in self.by_count()]
        lines = (
            (self.unknown.total(), "file", "of unknown kind", ", ".join(endings)),
            (len(self.closed), "folder", "that cannot be read", some(self.closed)),
            (len(self.linked), "linked folder", "", f"{some(self.linked)}; name them to colour what is in them"),
            (len(self.special), "pipe or device", "", some(self.special)),
            (len(self.results), "result", "of an earlier run", some(self.results)),
        )
        return [
            one_line(f"{self.folder}: {count} {plural(what, count)}{' ' * bool(which)}{which} skipped: {names}")
            for count, what, which, names in lines
            if count
        ]


def plural(what: str, count: int) -> str:
    if count == 1:
        return what
    return "pipes or devices" if what == "pipe or device" else f"{what}s"


def some(names: list[str]) -> str:
    """The first names, and how many more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(sorted(names)[:NAMED]) + more


def media_below(folder: Path, results: Path | None = None) -> Found:
    """All films and stills in `folder` and below, but for `results`, work folders, hidden ones and those of systems.

    Raises:
        OptionError: the folder cannot be read.
    """
    found = Found(folder)

    def refused(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise OptionError(f"{folder}: cannot be read, {str(error.strerror).lower()}; change its permissions")
        found.closed.append(str(Path(error.filename).relative_to(folder)))

    for root, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(n for n in folders if is_wanted(Path(root) / n, found, results))
        sort(Path(root), sorted(names), found)
    found.media.sort()
    return found


def is_wanted(folder: Path, found: Found, results: Path | None) -> bool:
    """Whether to look into a folder; links are noted."""
    if folder.name.startswith(".") or folder.name in SYSTEMS or is_work(folder):
        return False
    if folder.is_symlink():
        found.linked.append(str(folder.relative_to(found.folder)))
        return False
    return not (results is not None and results.is_dir() and os.path.samefile(folder, results))


def sort(root: Path, names: list[str], found: Found) -> None:
    """The files of one folder into what is coloured and what is not."""
    media = []
    for path in (root / name for name in names if not name.startswith(".")):
        ending = path.suffix.lower()
        if is_special(path):
            found.special.append(str(path.relative_to(found.folder)))
        elif ending in STILLS + FILMS or (not ending and content_of(path)):
            media.append(path)
        else:
            found.unknown[ending] += 1
    stems = {name for path in media for name in (path.stem, path.name)}
    for path in media:
        if path.stem.endswith(RESULT) and path.stem.removesuffix(RESULT) in stems:
            found.results.append(str(path.relative_to(found.folder)))
        else:
            found.media.append(path)
