"""Shuts a process in before it touches what a stranger sent: bounded, alone with its files, without network.

The limits are those of POSIX. On Linux, Landlock leaves it the files that it is given and what Python needs, and
seccomp takes away sockets, other programs and other processes. What a system lacks is left out; see SECURITY.md.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}  # NumPy's threads would begin at its import, outside of the box
FILES = 256  # that may be open
SPARE = 5  # seconds of processor time between the signal that says so and the one that kills

# What Python and its libraries read while they work.
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/nix/store", "/etc/ld.so.cache", "/etc/localtime", "/dev/null",
          "/dev/urandom", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm",
          "/proc/sys/kernel/random/boot_id",          "/sys/devices/system", "/sys/fs/cgroup")  # fmt: skip

PR_SET_PDEATHSIG, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 21, 22, 38
SECCOMP_MODE_FILTER = 2
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same on every processor
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE

# System calls that no decoder needs, by the processor's name and its number in AUDIT_ARCH.
REFUSED = {
    ("x86_64", 0xC000003E): {
        "socket": 41, "connect": 42, "socketpair": 53, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101,
        "mount": 165, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
        "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "bpf": 321, "execveat": 322,
        "userfaultfd": 323, "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_getfd": 438,
    },
    ("aarch64", 0xC00000B7): {
        "mount": 40, "unshare": 97, "ptrace": 117, "kill": 129, "socket": 198, "socketpair": 199, "connect": 203,
        "add_key": 217, "request_key": 218, "keyctl": 219, "execve": 221, "perf_event_open": 241, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "bpf": 280, "execveat": 281, "userfaultfd": 282,
        "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_getfd": 438,
    },
}  # fmt: skip
CLONE, CLONE3, CLONE_THREAD = {"x86_64": 56, "aarch64": 220}, 435, 0x10000
X32 = 0x40000000  # from here on, numbers of a second table of x86_64


@dataclass(frozen=True)
class Bounds:
    """What a process may use."""

    memory: int  # bytes
    seconds: int  # of processor time
    file_bytes: int  # of a file that it writes


def shut(bounds: Bounds, reads: Iterable[Path], writes: Iterable[Path] = ()) -> None:
    """Shut this process in, for good; it should have one thread only.

    Args:
        reads: files and folders that it needs beside those of Python.
        writes: folders in which it may do as it likes.
    """
    limit(bounds)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        die_with_parent(os.getppid())
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            confine([*reads, *python_paths(), *map(Path, SYSTEM)], writes)
            refuse_calls()


def die_with_parent(parent: int) -> None:
    """On Linux: have this process killed as soon as `parent`, which started it, has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was quicker
            os._exit(1)


def means() -> list[str]:
    """What this system has for it, in words."""
    found = ["limits"] if os.name == "posix" else []
    if abi():
        found.append("Landlock")
    if machine() and ctypes.CDLL(None).prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0:
        found.append("seccomp")
    return found


def limit(bounds: Bounds) -> None:
    """Bound memory, processor time, open files and the size of files."""
    try:
        import resource
    except ImportError:  # Windows
        return
    # What is only reserved, for the heaps of many threads, counts as address space, but not as data.
    memory = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for what, soft, hard in (
        (memory, bounds.memory, bounds.memory), (resource.RLIMIT_CPU, bounds.seconds, bounds.seconds + SPARE),
        (resource.RLIMIT_FSIZE, bounds.file_bytes, bounds.file_bytes), (resource.RLIMIT_NOFILE, FILES, FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ):  # fmt: skip
        ceiling = resource.getrlimit(what)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(what, (soft, hard))


def python_paths() -> list[Path]:
    """Where modules and libraries lie."""
    package = str(Path(__file__).parents[2])
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return [Path(p) for p in (sys.prefix, sys.base_prefix, *sys.path, package, *libraries) if p]


@lru_cache(maxsize=1)
def abi() -> int:
    """Landlock's version; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    found: int = ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    return max(0, found)


def confine(reads: Iterable[Path], writes: Iterable[Path]) -> None:
    """By Landlock: leave this thread the files below `reads`, to be read, and all rights in the folders `writes`."""
    version = abi()
    if not version:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    rights = (1 << {1: 13, 2: 14}.get(version, 15)) - 1  # the first version had 13 rights of files, the third has 15
    network, scopes = (0b11 if version >= 4 else 0), (0b11 if version >= 6 else 0)  # TCP; sockets and signals of others
    told = struct.pack("<QQQ", rights, network, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(CREATE_RULESET, told, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return
    try:
        for path in reads:
            allow(libc, ruleset, path, EXECUTE | READ_FILE | READ_DIR)
        for path in writes:
            allow(libc, ruleset, path, rights & ~EXECUTE)
        libc.syscall(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    """Add a rule for `path` and what is below it, if it is there."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = rights if path.is_dir() else rights & FILE_RIGHTS
        libc.syscall(ADD_RULE, ruleset, 1, struct.pack("<Qi", rights, handle), 0)
    finally:
        os.close(handle)


def machine() -> str:
    """The processor's name, where the system is Linux and its system calls are known here."""
    name = platform.machine() if sys.platform == "linux" else ""
    return name if sys.maxsize > 2**32 and any(name == known for known, _ in REFUSED) else ""


def refuse_calls() -> None:
    """By seccomp: have the kernel refuse system calls that lead out of the process."""
    if not (name := machine()):
        return
    program = seccomp_filter(name)
    held = ctypes.create_string_buffer(program, len(program))
    told = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, told, 0, 0)


def seccomp_filter(name: str) -> bytes:
    """The filter as a program of BPF: a list with EPERM, processes with EPERM, threads and all else allowed."""
    (arch, calls) = next((number, calls) for (known, number), calls in REFUSED.items() if known == name)
    load, equal, above, mask, give = 0x20, 0x15, 0x35, 0x45, 0x06
    eperm, enosys, allowed, killed = 0x00050000 | 1, 0x00050000 | 38, 0x7FFF0000, 0x80000000
    head = [(load, 0, 0, 4), (equal, 1, 0, arch), (give, 0, 0, killed), (load, 0, 0, 0)]  # the processor; the number
    if name == "x86_64":
        head += [(above, 0, 1, X32), (give, 0, 0, eperm)]
    for number in sorted(calls.values()):
        head += [(equal, 0, 1, number), (give, 0, 0, eperm)]
    head += [
        (equal, 0, 1, CLONE3), (give, 0, 0, enosys),  # its flags are out of reach; the C library then takes clone
        (equal, 0, 3, CLONE[name]), (load, 0, 0, 16), (mask, 1, 0, CLONE_THREAD), (give, 0, 0, eperm),
        (give, 0, 0, allowed),
    ]  # fmt: skip
    return b"".join(struct.pack("<HBBI", *line) for line in head)
