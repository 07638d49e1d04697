"""The rules for a target, checked before any work is done, and what is an address and what a file."""

from __future__ import annotations

import os
from pathlib import Path

from vidcolor.atomic import behind_links, is_special, told
from vidcolor.errors import OutputError

# Endings of films that can be written -> FFmpeg's name of the container.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# What streams are recorded into; films of a folder go into one of the others.
RECORDINGS = {".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts", ".flv": "flv"}


def is_address(source: str) -> bool:
    """Whether `source` is a stream's address; an existing file is none, whatever its name."""
    return "://" in source and not os.path.lexists(source)


def for_ffmpeg(source: str) -> str:
    """`source` as FFmpeg must be given it: without `file:` it would take `12:30.mkv` for a protocol named 12."""
    return source if is_address(source) else f"file:{source}"


def check_target(target: Path, *, overwrite: bool, source: str | None = None) -> None:
    """Refuse a target that must not or cannot be written, before any work is done.

    A pipe or device is not replaced but written into, so it needs no `overwrite`.

    Raises:
        OutputError: it is the source, exists without `overwrite`, has too long a name, or its folder is missing or
            closed to us.
    """
    if source is not None and not is_address(source) and is_same(target, source):
        raise OutputError(f"{target}: is the source itself; give another name")
    if os.path.isdir(target):
        raise OutputError(f"{target}: is a folder; give a file name in it")
    if is_special(target):
        return
    folder = folder_of(target)
    with told(target):
        try:
            os.stat(target)
        except (FileNotFoundError, NotADirectoryError):
            pass
        else:
            if not overwrite:
                raise OutputError(f"{target}: exists already; add -y to replace it")
    if not folder.is_dir():
        raise OutputError(f"{target}: its folder does not exist; make {folder} first")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{target}: no permission to write into {folder}; choose another folder")


def is_same(target: Path, source: str) -> bool:
    """Whether both are one file; a device such as a terminal may be read and written alike."""
    try:
        return not is_special(target) and os.path.samefile(target, source)
    except OSError:
        return False


def folder_of(target: Path) -> Path:
    """The folder in which the file will lie, behind symbolic links.

    Raises:
        OutputError: `target` is relative and the current folder has been removed.
    """
    try:
        return behind_links(target).absolute().parent
    except FileNotFoundError:
        raise OutputError(f"{target}: the current folder has been removed; change to another one") from None
