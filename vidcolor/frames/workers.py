"""Threads that say when they are done, and one place for their errors."""

from __future__ import annotations

import threading
from collections.abc import Callable

import cv2

from vidcolor.errors import Cancelled


class Stopped(Cancelled):
    """The threads are to leave; why, another one has said."""


class Worker(threading.Thread):
    """A thread that says itself when its work is over.

    `Thread.join` cannot be trusted for that: interrupted by Ctrl-C, CPython 3.11 takes a running thread for ended.
    """

    def __init__(self, name: str, work: Callable[[], object], *, daemon: bool = False) -> None:
        super().__init__(name=name, daemon=daemon)
        self.work = work
        self.over = threading.Event()

    def run(self) -> None:
        try:
            self.work()
        finally:
            self.over.set()


class Crew:
    """Runs work in threads that end together: the first error stops all of them, and is kept.

    Attributes:
        stop: set when all threads are to leave their channels.
        errors: what went wrong, first things first.
    """

    def __init__(self, on_error: Callable[[], None] = lambda: None) -> None:
        self.stop = threading.Event()
        self.errors: list[BaseException] = []
        self.workers: list[Worker] = []
        self.on_error = on_error

    def start(self, name: str, work: Callable[[], object], *, daemon: bool = False) -> Worker:
        """Run `work` in a thread of its own."""
        worker = Worker(name, lambda: self.guard(work), daemon=daemon)
        self.workers.append(worker)
        worker.start()
        return worker

    def guard(self, work: Callable[[], object]) -> None:
        """Run `work` in this thread, and keep its error."""
        try:
            work()
        except Stopped:
            pass
        except BaseException as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)
        self.stop.set()
        self.on_error()

    def join(self) -> None:
        """Wait for every thread; a Ctrl-C meanwhile stops them and comes first among the errors."""
        for worker in self.workers:
            while worker.ident is not None and not worker.over.is_set():
                try:
                    worker.over.wait(0.5)
                except BaseException as error:
                    self.errors.insert(0, error)
                    self.stop.set()
                    self.on_error()

    def raise_first(self) -> None:
        if self.errors:
            raise self.errors[0]


class OneCvThread:
    """Within `with`, OpenCV works in the calling threads alone: ours and the codecs' share the cores already.

    OpenCV's setting is the process's. It is restored when the last of several that overlap ends.
    """

    lock = threading.Lock()
    active = 0
    before = 0

    def __enter__(self) -> None:
        with OneCvThread.lock:
            if OneCvThread.active == 0:
                OneCvThread.before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            OneCvThread.active += 1

    def __exit__(self, *_: object) -> None:
        with OneCvThread.lock:
            OneCvThread.active -= 1
            if OneCvThread.active == 0:
                cv2.setNumThreads(OneCvThread.before)
