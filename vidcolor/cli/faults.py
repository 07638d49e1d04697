"""What becomes of an error: one line, and an exit status."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from vidcolor.cli.terminal import Terminal
from vidcolor.errors import Cancelled, OptionError, VidcolorError

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
    if os.environ.get("VIDCOLOR_DEBUG"):
        raise error
    kind = type(error).__name__
    return f"{source}: internal fault, {kind}: {error}; please report it (VIDCOLOR_DEBUG=1 shows where)"


def told(terminal: Terminal, work: Callable[[], int]) -> int:
    """The exit status of `work`; an error of ours becomes a line."""
    try:
        return work()
    except VidcolorError as error:
        terminal.error(str(error))
        return status_of(error)
    except KeyboardInterrupt:
        return STOPPED


def endings(*, ctrl_c: bool) -> list[signal.Signals]:
    """The signals by which the system asks for an end, and the user's Ctrl-C.

    One that was ignored when the program began, as `nohup` does with SIGHUP, stays ignored.
    """
    names = ("SIGINT", "SIGTERM", "SIGHUP") if ctrl_c else ("SIGTERM", "SIGHUP")
    found = [getattr(signal, name) for name in names if hasattr(signal, name)]  # Windows has no SIGHUP
    return [s for s in found if s == signal.SIGINT or signal.getsignal(s) != signal.SIG_IGN]
