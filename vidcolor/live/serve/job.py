"""One upload, what becomes of it, and its record on the disk."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from vidcolor import stored
from vidcolor.atomic import write_whole
from vidcolor.live.serve.process import Process
from vidcolor.live.serve.store import RECORD
from vidcolor.options import ColorOptions

OVER = ("done", "failed", "cancelled")
FORMAT = 1
OF_THE_SERVER = ("backend", "model")  # options that the server's own network has
KEPT = ("id", "visitor", "kind", "name", "facts", "options", "state", "error", "frames", "total", "created", "begun")
ENDINGS = {".tif": ".png", ".bmp": ".png", ".ppm": ".png", ".jp2": ".png", ".avif": ".png"}  # what browsers show


@dataclass(eq=False)
class Job:
    """An upload and what becomes of it; `visitor` alone may see it."""

    id: str
    visitor: str
    kind: str  # "film" or "still"
    name: str  # for display only
    folder: Path  # of its own
    source: Path
    facts: dict[str, Any]  # of the probe
    options: dict[str, Any]  # of ColorizeOptions
    state: str = "queued"
    error: str = ""
    frames: int = 0
    total: int = 0
    created: float = field(default_factory=time.time)
    begun: int = 0  # times that a server has begun it and not come to an end
    fps: float = 0.0
    began: float = 0.0
    heard: float = 0.0  # when its process last said something
    ended: float = 0.0  # as time.monotonic()
    before: int = -1  # frames that were done when this server began it; -1: not known yet
    preview: bytes = b""  # JPEG
    process: Process | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    gone: bool = False  # removed by its visitor
    late: bool = False  # ended because it said nothing for too long

    @property
    def work(self) -> Path:
        """The folder that its process may write to."""
        return self.folder / "work"

    @property
    def result(self) -> Path:
        suffix = self.source.suffix
        return self.work / f"result{'.mp4' if self.kind == 'film' else ENDINGS.get(suffix, suffix)}"

    @property
    def has_result(self) -> bool:
        """Whether the result is there, as a file: not as a link that leads to other files of the server."""
        try:
            return stat.S_ISREG(self.result.lstat().st_mode)
        except OSError:
            return False

    @property
    def download_name(self) -> str:
        return f"{Path(self.name).stem or 'vidcolor'}-color{self.result.suffix}"

    def save(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Write the record, in one step.

        Raises:
            OutputError: the disk is full or cannot be written to.
        """
        told = {name: getattr(self, name) for name in KEPT}
        ended = time.time() - (clock() - self.ended) if self.state in OVER else None
        told |= {"format": FORMAT, "source": self.source.name, "ended": ended}
        write_whole(self.folder / RECORD, json.dumps(told).encode(), overwrite=True)


def job_of(folder: Path, record: dict[str, Any], clock: Callable[[], float] = time.monotonic) -> Job:
    """The job of a record.

    Raises:
        ValueError: it is of another version.
        KeyError: it is no record.
        TypeError: it is no record.
    """
    if record["format"] != FORMAT:
        raise ValueError(f"format {record['format']}")
    kept = {name: record[name] for name in KEPT}
    stored.check_types(Job, kept)
    job = Job(folder=folder, source=folder / Path(record["source"]).name, **kept)
    if job.state in OVER:
        job.ended = clock() - max(0.0, time.time() - record["ended"])
    return job


def job_options(options: ColorOptions, kind: str, strength: float, facts: dict[str, Any]) -> dict[str, Any]:
    """How a visitor's upload is coloured: films so that browsers play them."""
    told = {f.name: getattr(options, f.name) for f in fields(ColorOptions) if f.name not in OF_THE_SERVER}
    told["strength"] = strength
    if kind == "film":
        even = facts["width"] % 2 == 0 and facts["height"] % 2 == 0
        told |= {"codec": "x264", "preset": "veryfast", "crf": 20, "pix_fmt": "yuv420p" if even else None}
    return told
