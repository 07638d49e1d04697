"""Runs the command line as a user does: in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def vidcolor(*args: object, **extra) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vidcolor", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **extra)
