"""The rules for a target, checked before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

from vidcolor.errors import OutputError

# Endings of films that can be written -> FFmpeg's name of the container.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}


def check_target(target: Path, *, overwrite: bool, source: str | None = None) -> None:
    """Refuse a target that must not or cannot be written, before any work is done.

    Raises:
        OutputError: it is the source, exists without `overwrite`, or its folder is missing or closed to us.
    """
    if source is not None and "://" not in source and target.exists() and target.samefile(source):
        raise OutputError(f"{target}: is the source itself; give another name")
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; give a file name in it")
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: exists already; add -y to replace it")
    folder = target.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"{target}: its folder does not exist; make {folder} first")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{target}: no permission to write into {folder}; choose another folder")
