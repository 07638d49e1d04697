"""Names of what the work on films leaves on the disk: in a work folder, and in a folder of results."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".vidcolor"  # of a work folder
PLAN, SEGMENTS, REFERENCES, NOTE = "plan.jsonl", "segments", "references", "job.json"
LOCK, GUARD = "lock", "guard"
RECORDS = ".vidcolor.jsonl"  # in a folder of results


def is_work(folder: Path) -> bool:
    """Whether `folder` is a work folder, and no user's own of such a name."""
    return folder.name.endswith(SUFFIX) and any((folder / name).is_file() for name in (NOTE, PLAN, LOCK, GUARD))
