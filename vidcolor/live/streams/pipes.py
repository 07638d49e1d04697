"""Standard input and output as FFmpeg reads and writes them: never stuck once the work is to end."""

from __future__ import annotations

import os
import select
import sys
import threading

from vidcolor.errors import OutputError

POLL = 0.1  # seconds between looks at whether the work is to end
CHUNK = 1 << 16  # bytes; what a pipe holds


class PipeIn:
    """Reads file descriptor `fd`; ends early where `stop` is set.

    Attributes:
        head: what came first.
    """

    name = "standard input"

    def __init__(self, fd: int, stop: threading.Event) -> None:
        self.fd, self.stop = fd, stop
        self.head = b""

    def read(self, size: int) -> bytes:
        while not self.stop.is_set():
            if os.name == "nt" or select.select([self.fd], [], [], POLL)[0]:
                data = os.read(self.fd, min(size, CHUNK))
                self.head = self.head or data
                return data
        return b""


class PipeOut:
    """Writes file descriptor `fd`, which a reader may close (BrokenPipeError) or leave full: then `gave_up` ends it."""

    name = "standard output"

    def __init__(self, fd: int, gave_up: threading.Event) -> None:
        self.fd, self.gave_up = fd, gave_up
        self.blocking = os.get_blocking(fd) if os.name != "nt" else True
        if os.name != "nt":
            os.set_blocking(fd, False)

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            if self.gave_up.is_set():
                raise BrokenPipeError("given up")
            try:
                left = left[os.write(self.fd, left) :]
            except BlockingIOError:
                select.select([], [self.fd], [], POLL)
        return len(data)

    def release(self) -> None:
        """Leave the descriptor as it was found."""
        if os.name != "nt":
            os.set_blocking(self.fd, self.blocking)


def take_stdout() -> int:
    """Standard output's descriptor for the film alone: whatever else is printed from now on goes to standard error.

    Raises:
        OutputError: it is closed.
    """
    if sys.stdout is None:
        raise OutputError("standard output: is closed; pipe it, or name a file")
    sys.stdout.flush()
    fd = os.dup(1)
    os.dup2(2, 1)
    return fd


def give_stdout_back(fd: int) -> None:
    os.dup2(fd, 1)
    os.close(fd)
