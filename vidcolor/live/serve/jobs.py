"""Films and stills of the visitors: queued, coloured one after the other, kept for a while."""

from __future__ import annotations

import io
import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import av
from PIL import Image

from vidcolor.backends import Backend
from vidcolor.errors import Cancelled, InputError, VidcolorError
from vidcolor.film.run import Hooks, colorize_film
from vidcolor.frames.summary import Summary
from vidcolor.live.serve.backend import Priority
from vidcolor.live.serve.limits import Limits
from vidcolor.options import ColorizeOptions, ColorOptions
from vidcolor.stills.image import colorize_still

LOG = logging.getLogger(__name__)
PREVIEW_WIDTH, PREVIEW_EVERY = 640, 1.0  # pixels; seconds
OVER = ("done", "failed", "cancelled")
SLACK, MAX_RATE = 1.0, 240  # seconds beyond the limit; frames a second: what the probe reads in a header may be a lie


@dataclass
class Job:
    """An upload and what becomes of it; `visitor` alone may see it."""

    id: str
    visitor: str
    kind: str  # "film" or "still"
    name: str  # for display only
    folder: Path  # of its own
    source: Path
    facts: dict[str, Any]  # of the probe
    options: ColorizeOptions
    state: str = "queued"
    error: str = ""
    frames: int = 0
    total: int = 0
    fps: float = 0.0
    began: float = 0.0
    ended: float = 0.0  # time.monotonic()
    preview: bytes = b""  # JPEG
    previewed: float = 0.0
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def result(self) -> Path:
        still = {".tif": ".png", ".bmp": ".png", ".ppm": ".png", ".jp2": ".png", ".avif": ".png"}
        suffix = self.source.suffix
        return self.folder / f"result{'.mp4' if self.kind == 'film' else still.get(suffix, suffix)}"

    @property
    def download_name(self) -> str:
        return f"{Path(self.name).stem or 'vidcolor'}-color{self.result.suffix}"


class Jobs:
    """The queue and its one worker thread; every method may be called from any thread.

    Attributes:
        version: changes whenever something of any job does.
    """

    def __init__(
        self, backend: Backend, limits: Limits, priority: Priority, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.backend, self.limits, self.priority, self.clock = backend, limits, priority, clock
        self.jobs: dict[str, Job] = {}
        self.queue: deque[Job] = deque()
        self.changed = threading.Condition()
        self.stopping = False
        self.version = 0
        self.thread = threading.Thread(target=self.work, name="jobs")
        self.thread.start()

    def has_room(self, visitor: str) -> str:
        """Why this visitor may not add a job now; empty where it may."""
        with self.changed:
            own = sum(j.visitor == visitor for j in self.jobs.values())
            if own >= self.limits.max_visitor_jobs:
                return f"you have {own} jobs already; remove one first"
            if len(self.jobs) >= self.limits.max_jobs:
                return "the server has no room for more jobs now; try again later"
        return ""

    def add(self, job: Job) -> None:
        with self.changed:
            self.jobs[job.id] = job
            self.queue.append(job)
            self.touch()

    def get(self, visitor: str, id: str) -> Job | None:
        """A job of this visitor."""
        job = self.jobs.get(id)
        return job if job is not None and job.visitor == visitor else None

    def of(self, visitor: str) -> list[dict[str, Any]]:
        """The jobs of a visitor as JSON values, newest first."""
        with self.changed:
            return [self.describe(j) for j in reversed(self.jobs.values()) if j.visitor == visitor]

    def remove(self, job: Job) -> None:
        """Stop it if it runs, and delete its files."""
        with self.changed:
            job.cancel.set()
            self.jobs.pop(job.id, None)
            if job in self.queue:
                self.queue.remove(job)
            running = job.state == "running"
            self.touch()
        if not running:  # the worker removes the folder of a running one, when it has let go of the files
            shutil.rmtree(job.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what has been kept long enough."""
        for job in list(self.jobs.values()):
            if job.state in OVER and self.clock() - job.ended > self.limits.keep_seconds:
                self.remove(job)

    def close(self) -> None:
        with self.changed:
            self.stopping = True
            for job in self.jobs.values():
                job.cancel.set()
            self.changed.notify_all()
        self.thread.join()

    def touch(self) -> None:
        self.version += 1
        self.changed.notify_all()

    def work(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.queue or self.stopping)
                if self.stopping:
                    return
                job = self.queue.popleft()
                job.state, job.began = "running", self.clock()
                self.touch()
            self.run(job)

    def run(self, job: Job) -> None:
        state, error = "done", ""
        try:
            if job.kind == "still":
                colorize_still(job.source, job.result, self.backend, job.options)
            else:
                self.color_film(job)
        except Cancelled:
            state = "cancelled"
        except VidcolorError as fault:
            state, error = "failed", own_words(str(fault), job)
        except Exception as fault:
            LOG.exception("%s failed", job.source)
            state, error = "failed", f"{job.name}: internal fault, {type(fault).__name__}; the server's owner is told"
        with self.changed:
            job.state, job.error, job.ended = state, error, self.clock()
            gone = job.id not in self.jobs
            self.touch()
        if gone or state != "done":
            job.result.unlink(missing_ok=True)
        if gone:
            shutil.rmtree(job.folder, ignore_errors=True)

    def color_film(self, job: Job) -> None:
        def progress(summary: Summary, total: int) -> None:
            job.frames, job.total = summary.frames, total
            if summary.frames > self.limits.max_seconds * MAX_RATE:
                raise InputError(f"{job.name}: has more than {MAX_RATE} frames a second; bring it to fewer")
            job.fps = summary.frames / max(1e-6, self.clock() - job.began)
            self.priority.rest(job.cancel)
            with self.changed:
                self.touch()

        start: list[float] = []

        def watch(frame: av.VideoFrame) -> None:
            if frame.time is not None:
                start[:] = start or [frame.time]
                if frame.time - start[0] > self.limits.max_seconds + SLACK:
                    raise InputError(f"{job.name}: is longer than it says, and than the server takes; cut it")
            if self.clock() - job.previewed >= PREVIEW_EVERY:
                job.previewed, job.preview = self.clock(), jpeg(frame)

        hooks = Hooks(progress, job.cancel, watch)
        colorize_film(job.source, job.result, self.backend, job.options, hooks=hooks)

    def describe(self, job: Job) -> dict[str, Any]:
        """A job as JSON values."""
        with self.changed:  # for the queue must not change while a place in it is looked up
            return self.values_of(job)

    def values_of(self, job: Job) -> dict[str, Any]:
        base, done = f"/api/jobs/{job.id}", job.state == "done"
        left = (job.total - job.frames) / job.fps if job.fps and job.total else None
        kept = self.limits.keep_seconds - (self.clock() - job.ended) if job.state in OVER else None
        return {
            "id": job.id, "kind": job.kind, "name": job.name, "state": job.state, "error": job.error or None,
            "place": self.queue.index(job) if job in self.queue else None,
            "frames": job.frames, "total": job.total, "fps": round(job.fps, 1),
            "seconds_left": round(left) if left is not None and job.state == "running" else None,
            "width": job.facts["width"], "height": job.facts["height"], "duration": job.facts["seconds"],
            "size": job.facts["bytes"], "expires_in": round(kept) if kept is not None else None,
            "source_url": f"{base}/source" if job.facts["type"] else None,
            "result_url": f"{base}/result" if done else None,
            "download_url": f"{base}/result?download=1" if done else None,
            "preview_url": f"{base}/preview" if job.preview else None,
        }  # fmt: skip


def own_words(text: str, job: Job) -> str:
    """A message as the visitor may see it: by the name that he gave, and without paths of the server."""
    return text.replace(str(job.source), job.name).replace(str(job.result), job.name).replace(str(job.folder), "")


def jpeg(frame: av.VideoFrame) -> bytes:
    """A frame as a small JPEG."""
    width = min(PREVIEW_WIDTH, frame.width)
    small = frame.reformat(width, max(1, round(frame.height * width / frame.width)), "rgb24")
    out = io.BytesIO()
    Image.fromarray(small.to_ndarray()).save(out, "JPEG", quality=80)
    return out.getvalue()


def job_options(options: ColorOptions, kind: str, strength: float, facts: dict[str, Any]) -> ColorizeOptions:
    """How a visitor's upload is coloured: films so that browsers play them."""
    coloring = {f.name: getattr(options, f.name) for f in fields(ColorOptions)} | {"strength": strength}
    if kind == "still":
        return ColorizeOptions(**coloring)
    even = facts["width"] % 2 == 0 and facts["height"] % 2 == 0
    return ColorizeOptions(**coloring, codec="x264", preset="veryfast", crf=20, pix_fmt="yuv420p" if even else None)
