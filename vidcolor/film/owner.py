"""Who is at work on a film: a record that every machine that sees the folder can read, beside a lock of this one.

The system's lock (`guard`) ends with its process, but tells nothing of other machines, which may be at work in a shared
folder. So the file `lock` says which process of which machine it is.
"""

from __future__ import annotations

import errno
import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from filelock import FileLock, Timeout

from vidcolor import stored
from vidcolor.atomic import write_whole
from vidcolor.errors import OutputError
from vidcolor.film.names import GUARD, LOCK

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what disks without such locks say


class State(Enum):
    """What can be said of the process that a record names."""

    ALIVE = "at work"
    GONE = "gone"
    AWAY = "on another machine, where it cannot be looked for"


@dataclass(frozen=True)
class Owner:
    """A process that is, or was, at work."""

    host: str
    boot: str  # names the machine's present run; empty where the system has no name for it
    pids: str  # names the process numbers that `pid` is one of: a container has its own
    pid: int
    started: str  # when the process began, in the system's ticks; empty where the system does not say
    since: str  # ISO 8601, UTC

    @classmethod
    def this(cls) -> Owner:
        """This process, now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(platform.node(), boot_id(), pid_space(), os.getpid(), started(os.getpid()), now)

    def state(self, *, guarded: bool) -> State:
        """What is known of it here; `guarded`: this process holds the guard, so nobody else on this machine does.

        A machine that was started again has none of its processes left. Process numbers are compared only where they
        mean the same, together with the time when the process began: numbers are given anew.
        """
        here = Owner.this()
        if not self.boot or self.boot != here.boot:
            return State.AWAY if self.host != here.host else State.GONE
        if self.pids != here.pids:
            return State.GONE if guarded else State.ALIVE
        return State.ALIVE if self.started and self.started == started(self.pid) else State.GONE

    def is_this_process(self) -> bool:
        """Whether it is our own: a network disk can make a link although its answer is lost."""
        return replace(self, since="") == replace(Owner.this(), since="")

    def __str__(self) -> str:
        since = datetime.fromisoformat(self.since).astimezone()
        return f"process {self.pid} on {self.host} since {since:%Y-%m-%d %H:%M}"


def hold(folder: Path) -> FileLock | None:
    """Take `folder` for this process; the guard that it then holds, None where the disk has no such locks.

    Raises:
        OutputError: another process has it, or may have it.
        OSError: the folder cannot be written to.
    """
    guard = take_guard(folder)
    try:
        if not put_record(folder, Owner.this()):
            owner = read_owner(folder)
            if owner is not None and not (guard is not None and owner.is_this_process()):
                state = owner.state(guarded=guard is not None)
                if state is not State.GONE:
                    raise refusal(folder, owner, state)
            write_whole(folder / LOCK, content(Owner.this()), overwrite=True)
    except BaseException as error:
        owner = read_owner(folder)
        if not isinstance(error, Exception) and (owner is None or owner.is_this_process()):  # Ctrl-C
            let_go(folder, guard)
        elif guard is not None:
            guard.release()
        raise
    return guard


def take_guard(folder: Path) -> FileLock | None:
    """The system's lock on `folder`; None where the disk has none.

    Raises:
        OutputError: another process has it.
        OSError: it cannot be made.
    """
    guard = FileLock(folder / GUARD, timeout=0)
    try:
        guard.acquire()
    except Timeout:
        raise refusal(folder, read_owner(folder), State.ALIVE) from None
    except NotImplementedError:
        return None
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return guard


def put_record(folder: Path, owner: Owner) -> bool:
    """Write the record, in one step; False where there is one."""
    try:
        write_whole(folder / LOCK, content(owner), overwrite=False)
    except OutputError as error:
        if isinstance(error.__cause__, FileExistsError):
            return False
        raise
    return True


def let_go(folder: Path, guard: FileLock | None) -> None:
    """Give `folder` back; it goes where nothing stands in it."""
    with suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)
    if guard is not None:
        guard.release()
    with suppress(OSError):
        (folder / GUARD).unlink(missing_ok=True)  # who holds a guard without a name still has to write the record
        folder.rmdir()


def holder(folder: Path) -> Owner | None:
    """Who is, or may be, at work in `folder`."""
    owner = read_owner(folder)
    if owner is None:
        return None
    try:
        guard = take_guard(folder)
    except OutputError:
        return owner
    except OSError:
        guard = None
    state = owner.state(guarded=guard is not None)
    if guard is not None:
        guard.release()
    return None if state is State.GONE else owner


def content(owner: Owner) -> bytes:
    return json.dumps(asdict(owner)).encode() + b"\n"


def read_owner(folder: Path) -> Owner | None:
    """The record in `folder`; None where there is none, or where it says nothing."""
    try:
        found = stored.made(Owner, stored.parse((folder / LOCK).read_bytes()))
        datetime.fromisoformat(found.since)
    except (OSError, ValueError, TypeError):
        return None
    return found


def refusal(folder: Path, owner: Owner | None, state: State) -> OutputError:
    """Why this process may not work in `folder`, and what to do."""
    if owner is None:
        return OutputError(f"{folder}: another vidcolor is at work on this target; wait for it")
    if state is State.AWAY:
        return OutputError(
            f"{folder}: {owner} is at work on this target, and cannot be looked for from here; "
            f"if it is gone, delete {folder / LOCK} and give the command again"
        )
    return OutputError(f"{folder}: another vidcolor is at work on this target ({owner}); wait for it, or stop it")


def boot_id() -> str:
    """Linux's name for the time since the machine was started."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def pid_space() -> str:
    """Linux's name for the process numbers that this process sees."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def started(pid: int) -> str:
    """When process `pid` began, in ticks since the machine did; empty where it is gone, or nothing is known of it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]  # a zombie has no files any more
