"""What to say where a disk is full: how much more the film needs."""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vidcolor.errors import OutputError
from vidcolor.film.packets import PacketWriter, read_footer
from vidcolor.film.plan import FilmPlan

INDEX = 24  # bytes that a container's index may take for each packet
GO_ON = "what is done stays; make room, and the same command goes on from there"


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk, or a used-up share of one, is behind `error`."""
    seen = []
    while error is not None and error not in seen:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        seen.append(error)
        error = error.__cause__
    return False


def while_coloring(
    error: OutputError, plan: FilmPlan, begun: PacketWriter | None, target: Path, *, others: bool
) -> OutputError:
    """What to say of `error`, which ended the colouring; `begun` is the packet file that it ended in.

    The picture's size is estimated from the frames so far. It is needed twice where the target lies on the same disk.
    With `others` the source has more streams, whose size is not known yet.
    """
    if not is_full(error):
        return error
    done = sum(plan.path_of(segment).stat().st_size for segment in plan.segments)
    frames, size, of = plan.frames, done, plan.info.frames
    if begun is not None:
        frames, size = frames + begun.packets, size + begun.size
    more = "how much more it needs cannot be told yet"
    if of and frames:
        whole = size / frames * max(of, frames)
        copies = 2 if target.absolute().parent.stat().st_dev == plan.folder.stat().st_dev else 1
        more = f"about {amount(whole * copies - done - free(plan.folder))} more are needed"
        more += ", and what its other streams take" if others else ""
    total = f" of about {of}" if of else ""
    return OutputError(f"{plan.folder}: the disk is full after {plan.frames}{total} frames, and {more}; {GO_ON}")


class Room:
    """Room for the target: within `with`, a full disk becomes an error that says how much more is needed.

    `file` is the target under its temporary name, which is removed when its assembly ends; `segments` are the packet
    files that go into it.
    """

    def __init__(self, target: Path, file: Path, segments: Sequence[Path]) -> None:
        self.target, self.file = target, file
        footers = [read_footer(path) for path in segments]
        self.total, self.packets = sum(f.size for f in footers), sum(f.packets for f in footers)
        self.passed = self.others = 0  # bytes so far: of the picture, and of the other streams

    def passes(self, size: int, is_video: bool) -> None:
        """A packet of so many bytes goes into the target."""
        if is_video:
            self.passed += size
        else:
            self.others += size

    def needed(self) -> float:
        """Bytes of the whole target: the other streams' are as many for each of the picture's as so far."""
        others = self.others * self.total / self.passed if self.passed else 0.0
        return self.total + others + self.packets * INDEX

    def __enter__(self) -> Room:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not is_full(error):
            return
        written = self.file.stat().st_size if self.file.exists() else 0
        more = amount(self.needed() - written - free(self.target.absolute().parent))
        raise OutputError(
            f"{self.target}: the disk is full while the coloured film is put together, and about {more} more are "
            f"needed; {GO_ON}"
        ) from error


def free(folder: Path) -> int:
    """Bytes that may still be written on the disk of `folder`."""
    return shutil.disk_usage(folder).free


def amount(size: float) -> str:
    """Bytes in words, with two digits, never less than there are."""
    size = max(size, 1000.0)
    step = 10.0 ** (math.floor(math.log10(size)) - 1)
    size = math.ceil(size / step) * step
    unit, name = next((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= u)
    return f"{size / unit:.3g} {name}"
