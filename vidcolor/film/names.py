"""Names on the disk: in a work folder, in a folder of results, and how long one may be."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".vidcolor"  # of a work folder
PLAN, SEGMENTS, REFERENCES, NOTE = "plan.jsonl", "segments", "references", "job.json"
STILLS, COLORED = "stills", "colored"  # frames for the user's program, and in there what it has made of them
LOCK, GUARD = "lock", "guard"
LONGEST = 255  # bytes of a name that every usual disk takes
RECORDS = ".vidcolor.jsonl"  # in a folder of results


def is_work(folder: Path) -> bool:
    """Whether `folder` is a work folder, and no user's own of such a name."""
    return folder.name.endswith(SUFFIX) and any((folder / name).is_file() for name in (NOTE, PLAN, LOCK, GUARD))


def fitted(stem: str, tail: str) -> str:
    """`stem` and `tail` as one name, `stem` cut so that a disk takes it."""
    room = LONGEST - len(os.fsencode(tail))
    if len(os.fsencode(stem)) > room:
        stem = os.fsencode(stem)[:room].decode(errors="ignore")
    return stem + tail
