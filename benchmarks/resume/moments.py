"""Runs the real command, notes what it does to files, and kills it at a given moment.

    python -m benchmarks.resume.moments LOG ROOT STOP ARGUMENT ...

Every change of a name below ROOT, every sync, every coloured frame and every packet of the target is a moment. LOG gets
a line for each one that has passed; before the one of number STOP the process ends by SIGKILL (0: never). Files that
lose their name are kept in LOG's folder under the number of their inode: a power cut may bring them back.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

CREATES = ("w", "a", "x")


class Moments:
    """Takes the place of the system's functions, one at a time."""

    def __init__(self, log: Path, root: Path, stop: int) -> None:
        self.root, self.stop, self.kept = str(root), stop, log.parent
        self.count, self.lock = 0, threading.RLock()
        self.log = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.link, self.write = os.link, os.write

    def passes(self, what: str, **facts: Any) -> None:
        """A moment: the end, where it is the one to stop at, or its line."""
        self.count += 1
        if self.count == self.stop:
            os.kill(os.getpid(), signal.SIGKILL)
        self.write(self.log, (json.dumps({"what": what, **facts}) + "\n").encode())

    def path(self, path: Any, dir_fd: int | None = None) -> str | None:
        """`path` as text, None where it lies elsewhere."""
        if isinstance(path, int):
            return None
        place = os.readlink(f"/proc/self/fd/{dir_fd}") if dir_fd is not None else os.getcwd()
        full = os.path.normpath(os.path.join(place, os.fsdecode(path)))
        return full if full == self.root or full.startswith(self.root + "/") else None

    def keep(self, path: str) -> None:
        """Keep what is about to lose its name."""
        if os.path.isfile(path):
            kept = self.kept / str(os.stat(path).st_ino)
            if not kept.exists():
                self.link(path, kept)

    def install(self) -> None:
        """Wrap the functions by which Python changes names and syncs."""
        for name in ("replace", "rename", "link"):
            setattr(os, name, self.two(name, getattr(os, name)))
        for name in ("unlink", "remove", "mkdir", "rmdir"):
            setattr(os, name, self.one(name, getattr(os, name)))
        os.fsync = self.fsync(os.fsync)  # type: ignore[assignment]
        os.open = self.open(os.open)  # type: ignore[assignment]
        builtins.open = io.open = self.open_file(builtins.open)  # type: ignore[assignment]

    def two(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def work(old: Any, new: Any, **more: Any) -> None:
            source, target = self.path(old), self.path(new)
            if source is None or target is None:
                return real(old, new, **more)
            with self.lock:
                self.keep(target)
                if name == "link" and os.path.lexists(target):
                    return real(old, new, **more)  # which refuses
                self.passes(
                    "link" if name == "link" else "rename", old=source, new=target, inode=os.stat(source).st_ino
                )
                return real(old, new, **more)

        return work

    def one(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def work(path: Any, *rest: Any, dir_fd: int | None = None) -> None:
            place = self.path(path, dir_fd)
            exists = place is not None and os.path.lexists(place)
            if place is None or exists == (name == "mkdir") or (name == "rmdir" and os.listdir(place)):
                return real(path, *rest, dir_fd=dir_fd)
            with self.lock:
                self.keep(place)
                self.passes("unlink" if name == "remove" else name, path=place)
                return real(path, *rest, dir_fd=dir_fd)

        return work

    def fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def work(handle: int) -> None:
            place = self.path(os.readlink(f"/proc/self/fd/{handle}"))
            if place is None:
                return real(handle)
            with self.lock:
                facts = os.fstat(handle)
                real(handle)
                self.passes("sync", path=place, inode=facts.st_ino, size=facts.st_size)

        return work

    def open(self, real: Callable[..., int]) -> Callable[..., int]:
        def work(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            place = self.path(path, dir_fd)
            if place is None or not flags & os.O_CREAT or os.path.lexists(place):
                return real(path, flags, mode, dir_fd=dir_fd)
            with self.lock:
                handle = real(path, flags, mode, dir_fd=dir_fd)
                self.passes("create", path=place, inode=os.fstat(handle).st_ino)
                return handle

        return work

    def open_file(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def work(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            place = self.path(file) if mode[0] in CREATES else None
            if place is None or os.path.lexists(place):
                return real(file, mode, *rest, **more)
            with self.lock:
                opened = real(file, mode, *rest, **more)
                self.passes("create", path=place, inode=os.fstat(opened.fileno()).st_ino)
                return opened

        return work

    def watch(self) -> None:
        """Coloured frames and packets are moments too."""
        from vidcolor.film.run import FilmRun
        from vidcolor.video.output import Output

        def wrap(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
            def work(*args: Any) -> Any:
                with self.lock:
                    self.passes(what)
                return real(*args)

            return work

        FilmRun.passed = wrap("frame", FilmRun.passed)  # type: ignore[method-assign]
        Output.write = wrap("packet", Output.write)  # type: ignore[method-assign]


def main() -> None:
    log, root, stop, *args = sys.argv[1:]
    moments = Moments(Path(log), Path(root), int(stop))
    moments.watch()
    moments.install()
    sys.argv = ["vidcolor", *args]
    from vidcolor.cli.main import entry

    entry()


if __name__ == "__main__":
    main()
