"""Mutants through `vidcolor MUTANT ... -o FOLDER`, in batches, which end or outlive each of them, or one by one.

A batch is one process for many files, as a user has it, so that starting costs little: the command itself forks before
anything heavy is loaded and outlives what its decoders do. Every ALONE-th batch runs each mutant by a command of its
own, and so does every batch in which something is wrong, so that it gets a number.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.fuzz.check import fault_of
from benchmarks.fuzz.mutants import KINDS, Mutant, Source, mutant, sources_in
from benchmarks.machine import commit

BATCH = 24  # mutants of a command
ALONE = 40
LONGEST = 60.0  # seconds that a mutant may take
MOST_MB = 2048  # of the memory in use, all processes of a command together
EVERY = 0.1  # seconds between two looks at a process
OPTIONS = ("--size", "64", "--preset", "ultrafast", "--json", "-y")


@dataclass
class Ran:
    """One command: how it ended, what it said, and the most it took."""

    status: int
    out: str
    said: str
    longest: float  # seconds without anything getting done
    memory: float  # MB
    ended: str = ""  # why it was ended: "hang" or "memory"


@dataclass
class Outcome:
    """What became of mutants; faults are lines that begin with a mutant's number."""

    mutants: int = 0
    done: int = 0
    failed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)
    longest: tuple[float, int] = (0.0, -1)
    memory: tuple[float, int] = (0.0, -1)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        for name in ("mutants", "done", "failed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("statuses", "kinds", "groups"):
            getattr(self, name).update(getattr(other, name))
        self.longest, self.memory = max(self.longest, other.longest), max(self.memory, other.memory)
        self.faults += other.faults


def media(clips: Path, work: Path) -> list[Source]:
    """The clips, the odd files below them and the cases beside them."""
    folders = [clips, clips / "odd", clips.parent / "cases"]
    (work / "short").mkdir(parents=True, exist_ok=True)
    return sources_in([folder for folder in folders if folder.is_dir()], work / "short")


def keep(sources: list[Source], folder: Path, *, first: int, count: int, seed: int) -> None:
    """Write these mutants as files, to look at them one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in (mutant(sources, number, seed) for number in range(first, first + count)):
        (folder / one.name).write_bytes(one.data)


def fuzz(
    sources: list[Source], work: Path, *, first: int = 0, count: int = 3000, seed: int = 1, lanes: int = 2
) -> dict:
    """Mutants `first` to `first + count`, some batches at a time; counts and faults as in README.md."""
    batches = [range(n, min(n + BATCH, first + count)) for n in range(first, first + count, BATCH)]
    total, begun = Outcome(), time.monotonic()
    with ThreadPoolExecutor(lanes) as pool:
        try:
            for outcome in pool.map(partial(run_batch, sources, work, seed), batches):
                total.add(outcome)
                seconds = time.monotonic() - begun
                print(
                    f"{total.mutants} of {count} mutants, {seconds:.0f} s", *outcome.faults, sep="\n", file=sys.stderr
                )
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)  # what is done counts
    return {
        "seed": seed, "first": first, "mutants": total.mutants, "sources": len(sources),
        "coloured": total.done, "refused": total.failed, "exit": dict(total.statuses),
        "kinds": {k: total.kinds[k] for k in KINDS}, "groups": dict(total.groups),
        "alone": sum(total.statuses.values()), "batch": BATCH, "seconds": round(time.monotonic() - begun),
        "longest_s": {"seconds": round(total.longest[0], 1), "mutant": total.longest[1]},
        "memory_mb": {"most": round(total.memory[0]), "mutant": total.memory[1]},
        "faults": total.faults,
    }  # fmt: skip


def again(sources: list[Source], work: Path, earlier: dict[str, Any]) -> dict[str, Any]:
    """The mutants of the faults of an earlier run once more, each by a command of its own."""
    numbers = sorted({int(fault.split(":")[0]) for fault in earlier["faults"]})
    outcome = Outcome()
    for number in numbers:
        outcome.add(attempt([mutant(sources, number, earlier["seed"])], work, alone=True))
    return {"commit": commit(), "mutants": numbers, "faults": outcome.faults}


def run_batch(sources: list[Source], work: Path, seed: int, numbers: range) -> Outcome:
    """A batch by one command; one by one where it is its turn or something is wrong."""
    mutants = [mutant(sources, number, seed) for number in numbers]
    outcome = Outcome()
    alone = numbers.start // BATCH % ALONE == 0
    if not alone:
        outcome = attempt(mutants, work, alone=False)
    if alone or outcome.faults:
        outcome, before = Outcome(), outcome.faults
        for one in mutants:
            outcome.add(attempt([one], work, alone=True))
        if before and not outcome.faults:  # only together
            outcome.faults = before
    outcome.mutants = len(mutants)
    outcome.kinds.update(m.kind for m in mutants)
    outcome.groups.update(m.group for m in mutants)
    return outcome


def attempt(mutants: list[Mutant], work: Path, *, alone: bool) -> Outcome:
    """Run the command on these mutants and look at what it leaves."""
    number = mutants[0].number
    folder = work / f"{number:06}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    (folder / "tmp").mkdir()
    paths = [folder / "in" / m.name for m in mutants]
    for path, one in zip(paths, mutants, strict=True):
        path.write_bytes(one.data)
    ran = command(paths, folder)
    outcome = Outcome(longest=(ran.longest, number), memory=(ran.memory, number))
    if alone:
        outcome.statuses[str(ran.status)] += 1
    try:
        told = json.loads(ran.out)
    except ValueError:
        told = {"files": [], "failed": []}
        outcome.faults.append(f"{number}: no summary, {ran.said[-300:]!r}")
    outcome.done, outcome.failed = len(told["files"]), len(told["failed"])
    faults = faults_of(ran, told, folder, len(mutants))
    outcome.faults += [f"{number}: {fault}".replace(f"{folder}/in/", "") for fault in faults]
    for file in told["files"]:
        if fault := fault_of(Path(file["source"]), Path(file["target"]), file):
            outcome.faults.append(f"{int(Path(file['source']).stem)}: {fault}")
    shutil.rmtree(folder)
    return outcome


def faults_of(ran: Ran, told: dict[str, Any], folder: Path, count: int) -> Iterable[str]:
    """What is wrong with a run as a whole."""
    if ran.ended:
        yield f"{ran.ended}: {ran.longest:.0f} s, {ran.memory:.0f} MB"
    if ran.status not in (0, 1):
        yield f"exit status {ran.status}"
    for line in ran.said.splitlines():
        if "Traceback" in line or "internal fault" in line or "twice" in line:
            yield f"not a message for a user: {ran.said[-600:] if 'Traceback' in line else line!r}"
    if len(told["files"]) + len(told["failed"]) != count or (ran.status == 0) != (not told["failed"]):
        yield f"{count} files, told are {len(told['files'])} done and {len(told['failed'])} failed, exit {ran.status}"
    if sum(line.startswith("vidcolor: ") for line in ran.said.splitlines()) != len(told["failed"]):
        yield f"not one line for each failure: {ran.said[-300:]!r}"
    targets = {Path(file["target"]).name for file in told["files"]} | {".vidcolor.jsonl"}
    failed = {Path(file["target"]).name for file in told["failed"]}
    for path in (folder / "out").glob("*") if (folder / "out").exists() else ():
        if path.name not in targets and path.name.removesuffix(".vidcolor") not in failed:
            yield f"left behind: {path.name}"
        if path.name in failed:
            yield f"a target of what failed: {path.name}"
    for path in (folder / "tmp").iterdir():
        yield f"left behind: temporary {path.name}"


def command(paths: list[Path], folder: Path) -> Ran:
    """The real command in bounded time and memory."""
    arguments = [sys.executable, "-m", "vidcolor", *map(str, paths), "-o", f"{folder / 'out'}/", *OPTIONS]
    out, said = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, said.open("wb") as stderr:
        process = psutil.Popen(
            arguments, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(folder / "tmp")},
        )  # fmt: skip
    state: tuple[object, ...] = ()
    since, longest, memory, ended = time.monotonic(), 0.0, 0.0, ""
    while process.poll() is None:
        time.sleep(EVERY)
        now = time.monotonic()
        seen = (said.stat().st_size, tuple(sorted(p.name for p in (folder / "out").glob("*"))))
        if seen != state:
            state, since = seen, now
        longest = max(longest, now - since)
        memory = max(memory, memory_of(process))
        ended = "hang" if longest > LONGEST else "memory" if memory > MOST_MB else ""
        if ended:
            end(process)
    return Ran(process.wait(), out.read_text(), said.read_text(errors="replace"), longest, memory, ended)


def memory_of(process: psutil.Process) -> float:
    """MB in use by a process and those that it has started."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total / 2**20


def end(process: psutil.Popen) -> None:
    for one in (*process.children(recursive=True), process):
        one.kill()
