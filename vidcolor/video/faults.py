"""What to tell of an error that FFmpeg or the disk has raised."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidcolor.atomic import REMEDIES
from vidcolor.errors import OutputError


def reason(error: BaseException) -> str:
    """The short text of a library's error."""
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def disk_failure(path: Path, error: OSError | ValueError) -> OutputError:
    """What to say of `error` while `path` was written."""
    if isinstance(error, OutputError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputError(f"{path}: {REMEDIES[error.errno]}")
    return OutputError(f"{path}: writing stopped, {reason(error)}; check the disk, or try .mkv")


@contextmanager
def disk_failures(path: Path) -> Iterator[None]:
    """Within `with`, an error of the system becomes what `disk_failure` says of it."""
    try:
        yield
    except OSError as error:
        raise disk_failure(path, error) from error
