"""What a power cut leaves of a folder: nothing that was not synced is sure to be there.

The data of a file are sure up to its last sync, a name from the sync of its folder on. Of the rest chance decides, as
with real disks: of each file some of the data behind the last sync, of each folder the first few of the changes since.
The model leaves data below the last sync alone, for no file of ours is changed there.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Disk:
    """What lies below `root` after a cut; made before the run, so that all that is there by then is safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = {str(path) for path in (root, *root.rglob("*")) if path.is_dir()}
        self.names = {str(path): path.stat().st_ino for path in root.rglob("*") if path.is_file()}
        self.synced = {path.stat().st_ino: path.stat().st_size for path in root.rglob("*") if path.is_file()}
        self.pending: dict[str, list[Event]] = {}

    def replay(self, events: Iterable[Event]) -> None:
        """Take what a run has done."""
        for event in events:
            if event["what"] == "sync" and event["path"] in self.folders | self.coming():
                for change in self.pending.pop(event["path"], []):
                    self.apply(change)
            elif event["what"] == "sync":
                self.synced[event["inode"]] = event["size"]
            elif event["what"] not in ("frame", "packet"):
                changed = event.get("new") or event["path"]
                self.pending.setdefault(os.path.dirname(changed), []).append(event)

    def coming(self) -> set[str]:
        """Folders whose own names are not safe yet."""
        return {change["path"] for changes in self.pending.values() for change in changes if change["what"] == "mkdir"}

    def apply(self, change: Event) -> None:
        """A change of a name is on the disk."""
        what = change["what"]
        if what == "mkdir":
            self.folders.add(change["path"])
        elif what == "rmdir":
            self.folders.discard(change["path"])
        elif what == "unlink":
            self.names.pop(change["path"], None)
        else:
            self.names[change.get("new") or change["path"]] = change["inode"]
            if what == "rename":
                self.names.pop(change["old"], None)

    def cut(self, kept: Path, chance: random.Random | None) -> None:
        """Leave below the root what is safe, and what `chance` lets come through (None: nothing).

        `kept` holds files that have lost their names, by their inodes' numbers.
        """
        for changes in self.pending.values():
            for change in changes[: chance.randint(0, len(changes)) if chance else 0]:
                self.apply(change)
        found = {path.stat().st_ino: path for path in (*kept.iterdir(), *self.root.rglob("*")) if path.is_file()}
        fresh = self.root.with_name(f"{self.root.name} after the cut")
        fresh.mkdir()
        for folder in sorted(self.folders - {str(self.root)}):
            if (place := fresh / os.path.relpath(folder, self.root)).parent.is_dir():
                place.mkdir(exist_ok=True)
        for name, inode in self.names.items():
            place = fresh / os.path.relpath(name, self.root)
            if place.parent.is_dir():
                data, sure = found[inode].read_bytes(), self.synced.get(inode, 0)
                place.write_bytes(data[: chance.randint(min(sure, len(data)), len(data)) if chance else sure])
        shutil.rmtree(self.root)
        fresh.rename(self.root)


def read_log(path: Path) -> list[Event]:
    return [json.loads(line) for line in path.read_text().splitlines()]
