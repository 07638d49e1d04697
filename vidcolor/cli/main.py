"""Which command is meant, and what becomes of standard output at the end."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from vidcolor.cli.terminal import standard_output
from vidcolor.errors import VidcolorError

# The first word of a command line -> the module whose `run` takes the rest. It is imported when it is asked for.
COMMANDS = {
    "info": "vidcolor.cli.info",
    "engines": "vidcolor.cli.engines",
    "jobs": "vidcolor.cli.jobs",
    "webcam": "vidcolor.cli.webcam",
    "serve": "vidcolor.cli.serve",
}
COLORIZE = "vidcolor.cli.colorize"  # where the first word is none of them


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped."""
    args = list(sys.argv[1:] if argv is None else argv)
    module, rest = (COMMANDS[args[0]], args[1:]) if args and args[0] in COMMANDS else (COLORIZE, args)
    status: int = importlib.import_module(module).run(rest)
    return status


def entry() -> None:
    """The console script: `main`, and nothing worse than one line about standard output."""
    for stream in (sys.stdout, sys.stderr):
        escape_unknown(stream)
    try:
        status: int | str | None = main()
    except SystemExit as ended:  # argparse
        status = ended.code
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = 1
    sys.exit(flushed(status))


def escape_unknown(stream: TextIO | None) -> None:
    """Characters that a terminal does not have are escaped, as Python does it on standard error."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def flushed(status: int | str | None) -> int | str | None:
    """Write what is left for standard output. A reader that goes away (`vidcolor ... | head`) is not worth a line."""
    try:
        with standard_output():
            pass
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status or 1
    except VidcolorError as error:
        print(f"vidcolor: {error}", file=sys.stderr)
        return status or 1
    return status
