"""Films and stills of the visitors: queued, coloured one after the other, each by its own process, kept for a while."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from vidcolor.color.proxy import MULTIPLE
from vidcolor.errors import OutputError
from vidcolor.live.serve.backend import Priority, SharedBackend
from vidcolor.live.serve.box import Bounds
from vidcolor.live.serve.job import OVER, Job, job_of
from vidcolor.live.serve.limits import FILM_CPU, STILL_CPU, Limits
from vidcolor.live.serve.messages import Message, packed, unpacked
from vidcolor.live.serve.process import REMEDY, Process
from vidcolor.live.serve.store import Store
from vidcolor.models.files import ModelIdentity

LOG = logging.getLogger(__name__)
MOST_BEGUN = 3  # times that a job may be at work when the server is killed
MOST_PREVIEW, MOST_WORDS = 1 << 20, 500  # bytes, characters


class Jobs:
    """The queue and its one worker thread; every method may be called from any thread.

    What an earlier server has left in `store` goes on.

    Args:
        most: bytes of the largest input of the network.
        model: the network's.

    Attributes:
        version: changes whenever something of any job does.
    """

    def __init__(
        self, backend: SharedBackend, limits: Limits, priority: Priority, store: Store, *, most: int,
        model: ModelIdentity, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.backend, self.limits, self.priority, self.store, self.clock = backend, limits, priority, store, clock
        self.most, self.model = most, model
        self.jobs: dict[str, Job] = {}
        self.queue: deque[Job] = deque()
        self.changed = threading.Condition()
        self.stopping = False
        self.version = 0
        self.spare: Process | None = None  # its imports are done while its upload comes in
        self.restore()
        self.thread = threading.Thread(target=self.work, name="jobs")
        self.thread.start()

    def restore(self) -> None:
        """Take up the jobs of an earlier server; those that were not over begin again from what was done of them."""
        for folder, record in list(self.store.records()):
            try:
                job = job_of(folder, record, self.clock)
            except (ValueError, KeyError, TypeError) as error:
                LOG.warning("%s: is no job of this version (%s), and is removed", folder, error)
                shutil.rmtree(folder, ignore_errors=True)
                continue
            if job.state == "done" and not job.has_result:
                self.end(job, "failed", f"{job.name}: its file is gone; upload it again")
            elif job.state not in OVER and job.begun >= MOST_BEGUN:
                self.end(job, "failed", f"{job.name}: the server ended {job.begun} times while it was at work on it")
            elif job.state not in OVER:
                job.state = "queued"
            self.jobs[job.id] = job
        self.jobs = dict(sorted(self.jobs.items(), key=lambda item: item[1].created))
        self.queue.extend(job for job in self.jobs.values() if job.state == "queued")

    def has_room(self, visitor: str) -> str:
        """Why this visitor may not add a job now; empty where it may."""
        with self.changed:
            own = sum(j.visitor == visitor for j in self.jobs.values())
            if own >= self.limits.max_visitor_jobs:
                return f"you have {own} jobs already; remove one first"
            if len(self.jobs) >= self.limits.max_jobs:
                return "the server has no room for more jobs now; try again later"
        return ""

    def warm_up(self) -> None:
        """A job is on its way."""
        with self.changed:
            if self.spare is None and not self.stopping:
                self.spare = Process(self.most)

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
            job.gone = True
            self.jobs.pop(job.id, None)
            if job in self.queue:
                self.queue.remove(job)
            running = job.state == "running"
            self.stop(job)
            self.touch()
        if not running:  # else the worker does it, when the process has let go of the files
            shutil.rmtree(job.folder, ignore_errors=True)

    def stop(self, job: Job) -> None:
        """End the process of a job."""
        job.stop.set()
        if job.process is not None:
            job.process.kill()

    def sweep(self) -> None:
        """Remove what has been kept long enough, and end what says nothing any more."""
        now = self.clock()
        for job in list(self.jobs.values()):
            if job.state in OVER and now - job.ended > self.limits.keep_seconds:
                self.remove(job)
            elif job.state == "running" and now - job.heard > self.silence(job):
                job.late = True
                self.stop(job)

    def silence(self, job: Job) -> float:
        """Seconds that a job may say nothing: as it does while the part of a film that is done is read again."""
        again = (job.facts["seconds"] or self.limits.max_seconds) if job.kind == "film" and job.begun > 1 else 0.0
        return self.limits.silent_seconds + again

    def close(self) -> None:
        with self.changed:
            self.stopping = True
            for job in self.jobs.values():
                self.stop(job)
            self.changed.notify_all()
        self.thread.join()
        if self.spare is not None:
            self.spare.close()

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
                job.state, job.began, job.heard, job.before = "running", self.clock(), self.clock(), -1
                job.begun += 1
                self.touch()
            try:
                told = self.run(job)
            except Exception as fault:
                LOG.exception("%s failed", job.source)
                told = {"tell": "fault", "error": type(fault).__name__}
            self.settle(job, told)

    def run(self, job: Job) -> dict[str, Any]:
        """Have a process do the job and give its last message."""
        self.save(job)
        job.work.mkdir(exist_ok=True)
        with self.changed:
            process, self.spare = self.spare or Process(self.most), None
            job.process = process
            if job.stop.is_set():
                process.kill()
            if self.queue:
                self.spare = Process(self.most)
        return process.run(self.order(job), lambda told, data: self.answer(job, told, data))

    def settle(self, job: Job, told: dict[str, Any]) -> None:
        """What becomes of a job whose process is gone, and of its files."""
        state, error = self.outcome(job, told)
        if self.stopping and state == "cancelled":
            state, job.begun = "queued", job.begun - 1  # for the next server
        if state == "failed":
            shutil.rmtree(job.work, ignore_errors=True)
        if not job.gone:
            self.save(replace(job, state=state, error=error, ended=self.clock()))  # what is told of it, is kept
        with self.changed:
            job.process = None
            self.end(job, state, error)
            self.touch()
        if job.gone:
            shutil.rmtree(job.folder, ignore_errors=True)

    def order(self, job: Job) -> dict[str, Any]:
        """What the process is told."""
        limits, backend = self.limits, self.backend
        seconds = STILL_CPU if job.kind == "still" else STILL_CPU + round(FILM_CPU * limits.max_seconds)
        facts = {"stride": backend.stride, "takes_conditions": backend.takes_conditions}
        return {
            "kind": job.kind, "name": job.name, "source": str(job.source), "target": str(job.result),
            "options": job.options, "max_seconds": limits.max_seconds, "model": asdict(self.model),
            "backend": {**facts, "description": backend.description},
            "bounds": asdict(Bounds(limits.max_memory, seconds, 4 * limits.max_bytes)),
        }  # fmt: skip

    def answer(self, job: Job, told: dict[str, Any], data: bytes) -> Message | None:
        """Do what a process asks for.

        Raises:
            ValueError: it asks for nothing that there is.
            KeyError: likewise.
        """
        reply: Message | None = None
        if told["tell"] == "predict":
            reply = self.predict(unpacked(told, data))
        elif told["tell"] == "progress":
            job.frames, job.total = int(told["frames"]), int(told["total"])
            job.before = job.frames if job.before < 0 else job.before  # an earlier server's are not of this speed
            job.fps = (job.frames - job.before) / max(1e-6, self.clock() - job.began)
            self.priority.rest(job.stop)
            with self.changed:
                self.touch()
            reply = {}, b""
        elif told["tell"] == "preview" and len(data) <= MOST_PREVIEW:
            job.preview = data
        else:
            raise ValueError("an odd message")
        job.heard = self.clock()
        return reply

    def predict(self, arrays: list[np.ndarray]) -> Message:
        """What the network makes of L* pictures.

        Raises:
            ValueError: they are none.
        """
        if not arrays or arrays[0].ndim != 4 or any(side % MULTIPLE for side in arrays[0].shape[2:]):
            raise ValueError("no pictures for the network")
        try:
            return packed([self.backend.predict(*arrays[:2])])
        except Exception as fault:
            LOG.exception("the network failed")
            return {"fault": f"the network failed: {type(fault).__name__}"}, b""

    def outcome(self, job: Job, told: dict[str, Any]) -> tuple[str, str]:
        """State and error of a job whose process is gone."""
        if told["tell"] == "done":
            return ("done", "") if job.has_result else ("failed", f"{job.name}: its result is gone; try again")
        if job.late:
            return "failed", f"{job.name}: takes for ever and was stopped; {REMEDY}"
        if job.stop.is_set():
            return "cancelled", ""
        error = str(told.get("error", ""))[:MOST_WORDS]
        if told["tell"] == "failed":
            return "failed", own_words(error, job)
        if told["tell"] == "died":
            LOG.warning("%s: %s", job.source, told.get("trace", error))
            return "failed", f"{job.name}: {error}"
        LOG.error("%s failed: %s", job.source, told.get("trace", error))
        return "failed", f"{job.name}: internal fault, {error}; the server's owner is told"

    def end(self, job: Job, state: str, error: str) -> None:
        """Note how it ended."""
        job.state, job.error, job.ended = state, error, self.clock()

    def save(self, job: Job) -> None:
        """Write the record; where that cannot be, this server goes on without it."""
        try:
            job.save(self.clock)
        except OutputError as error:
            if job.id in self.jobs:  # else its folder is gone, as it must be
                LOG.warning("%s", error)

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
    for path in (job.source, job.result):
        text = text.replace(str(path), job.name)
    return text.replace(str(job.folder), "")
