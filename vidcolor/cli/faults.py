"""What becomes of an error: one line, and an exit status; and of standard output at the end."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from vidcolor.cli.terminal import Terminal, standard_output
from vidcolor.errors import Cancelled, OptionError, VidcolorError

TWICE = 0.3  # seconds
NO_MEMORY = ("bad_alloc", "Insufficient memory", "out of memory", "Failed to allocate")  # C++, OpenCV, CUDA and torch
DONE, FAILED, USAGE, STOPPED = 0, 1, 2, 130  # exit status


def status_of(error: BaseException) -> int:
    """The exit status of a command that ends with `error`."""
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return STOPPED
    return USAGE if isinstance(error, OptionError) else FAILED


def line_for(source: str, error: Exception) -> str:
    """The line for a source that failed; what is not one of our own errors is a fault of this program.

    With VIDCOLOR_DEBUG in the environment such a fault is raised instead.
    """
    if isinstance(error, VidcolorError):
        return str(error)
    if lacks_memory(error):
        return f"{source}: there is not enough memory for it; close other programs, or give a smaller --size"
    if os.environ.get("VIDCOLOR_DEBUG"):
        raise error
    kind = type(error).__name__
    return f"{source}: internal fault, {kind}: {error}; please report it (VIDCOLOR_DEBUG=1 shows where)"


def lacks_memory(error: Exception) -> bool:
    """Whether memory has run out; libraries in C++ say it in their own words."""
    ran_out = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    return ran_out or any(word in str(error) for word in NO_MEMORY)


def told(terminal: Terminal, work: Callable[[], int]) -> int:
    """The exit status of `work`; an error of ours becomes a line."""
    try:
        return work()
    except VidcolorError as error:
        terminal.error(str(error))
        return status_of(error)
    except KeyboardInterrupt:
        return STOPPED


def ended(work: Callable[[], int]) -> int | str | None:
    """The exit status of a process that does `work`, and nothing worse than one line about standard output."""
    try:
        status: int | str | None = work()
    except SystemExit as left:  # argparse
        status = left.code
    except KeyboardInterrupt:
        status = STOPPED
    except BrokenPipeError:
        status = FAILED
    return flushed(status)


def flushed(status: int | str | None) -> int | str | None:
    """Write what is left for standard output. A reader that goes away (`vidcolor ... | head`) is not worth a line."""
    try:
        with standard_output():
            pass
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status or FAILED
    except VidcolorError as error:
        print(f"vidcolor: {error}", file=sys.stderr)
        return status or FAILED
    return status


class Stop:
    """A handler of signals that does what Ctrl-C does.

    A signal that comes again at once is the same one: a terminal sends it to all of a command's processes, and one of
    them passes it on.

    Attributes:
        asked: set from then on, for the exception may get lost in a library.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.last = -TWICE  # seconds

    def __call__(self, number: int, frame: object) -> None:
        before, self.last = self.last, time.monotonic()
        if self.last - before >= TWICE:
            self.asked.set()
            raise KeyboardInterrupt


def endings(*, ctrl_c: bool) -> list[signal.Signals]:
    """The signals by which the system asks for an end, and the user's Ctrl-C.

    One that was ignored when the program began, as `nohup` does with SIGHUP, stays ignored.
    """
    names = ("SIGINT", "SIGTERM", "SIGHUP") if ctrl_c else ("SIGTERM", "SIGHUP")
    found = [getattr(signal, name) for name in names if hasattr(signal, name)]  # Windows has no SIGHUP
    return [s for s in found if s == signal.SIGINT or signal.getsignal(s) != signal.SIG_IGN]
