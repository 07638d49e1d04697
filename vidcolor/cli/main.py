"""Which command is meant."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence
from typing import TextIO

from vidcolor.cli.faults import ended

# The first word of a command line -> the module whose `run` takes the rest. It is imported when it is asked for.
COMMANDS = {
    "info": "vidcolor.cli.info",
    "engines": "vidcolor.cli.engines",
    "jobs": "vidcolor.cli.jobs",
    "references": "vidcolor.cli.references",
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
    sys.exit(ended(main))


def escape_unknown(stream: TextIO | None) -> None:
    """Characters that a terminal does not have are escaped, as Python does it on standard error."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
