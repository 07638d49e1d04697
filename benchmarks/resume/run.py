"""A film that is killed at random moments, or loses power, and the same command again."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle, product
from pathlib import Path

from benchmarks.resume.cut import Disk, Event, read_log
from benchmarks.resume.film import make_film
from vidcolor.film.names import NOTE, PLAN, SEGMENTS
from vidcolor.film.work import folder_of

OPTIONS = ("--size", "64", "--preset", "ultrafast", "--json")
KINDS = ("planned", "coloured", "renamed", "assembled", "named")
NAMES = ("out.mkv", "out.mp4")
DONE = re.compile(r"(\d+) frames were done already")
Color = Callable[[list[str]], tuple[int, str]]  # arguments of the command to its exit status and standard output


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbs."""

    film: Path
    name: str  # of its target
    data: bytes
    events: list[Event]
    seconds: float
    ends: list[int]  # frames up to the end of each segment

    def moments(self, kind: str) -> list[int]:
        """Numbers of the moments of a kind: up to the first frame; at frames; where a segment's files are made, synced
        and renamed; at packets of the target; and from the last of these on."""
        told = [event["what"] for event in self.events]
        first = told.index("frame")
        packet, last = told.index("packet", first), len(told) - 1 - told[::-1].index("packet")
        found = {
            "planned": range(first + 1),
            "coloured": [n for n in range(first, packet) if told[n] == "frame"],
            "renamed": [n for n in range(first, packet) if told[n] in ("sync", "rename", "create")],
            "assembled": range(packet, last),
            "named": range(last, len(told)),
        }
        return [n + 1 for n in found[kind]]


@dataclass(frozen=True)
class Outcome:
    """What became of one disturbed film."""

    kind: str
    cut: str  # what a power cut left; empty where there was none
    complete: bool  # the target had its name, and nothing was left to do
    again: int  # segments that were begun, and begun again
    fault: str  # empty where all is as it must be


def command(film: Path, target: Path) -> list[str]:
    return [str(film), "-o", str(target), *OPTIONS]


def colored(args: list[str]) -> tuple[int, str]:
    """The real command in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "vidcolor", *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def watched(args: list[str], root: Path, notes: Path, stop: int = 0) -> int:
    """The command with its moments below `root` noted in `notes`; its exit status, -9 where it was stopped."""
    driver = [sys.executable, "-m", "benchmarks.resume.moments", str(notes / "log"), str(root), str(stop)]
    return subprocess.run([*driver, *args], capture_output=True, check=False).returncode


def killed_after(seconds: float, args: list[str]) -> None:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", "vidcolor", *args], stdout=quiet, stderr=quiet)
    time.sleep(seconds)
    process.kill()
    process.wait()


def fresh(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)


def undisturbed(film: Path, name: str, work: Path) -> Undisturbed:
    """The run that the others are compared with.

    Raises:
        RuntimeError: it fails, or two of them differ.
    """
    fresh(root := work / "run", notes := work / "notes")
    began = time.perf_counter()
    status, _ = colored(command(film, root / name))
    seconds = time.perf_counter() - began
    data = (root / name).read_bytes() if status == 0 else b""
    fresh(root)
    if status or watched(command(film, root / name), root, notes) or (root / name).read_bytes() != data:
        raise RuntimeError(f"{film}: two undisturbed runs fail or differ")
    events = read_log(notes / "log")
    plan = next(e["inode"] for e in events if e["what"] == "create" and e["path"].endswith(PLAN))
    lines = [json.loads(line) for line in (notes / str(plan)).read_text().splitlines()]
    ends = [line["segment"]["last"] + 1 for line in lines[1:]]
    return Undisturbed(film, name, data, events, seconds, ends)


def disturbed(
    run: Undisturbed, kind: str, chance: random.Random, work: Path, *, color: Color = colored, cut: str = "",
    moment: int = 0,
) -> Outcome:  # fmt: skip
    """Kill the command at a moment of `kind` ("any time": after some seconds), or at `moment`, and give it again.

    With `cut` the power goes too: "worst" leaves nothing that was not synced, "chance" some of it.
    """
    fresh(root := work / "run", notes := work / "notes")
    target, disk = root / run.name, Disk(root)
    if kind == "any time":
        killed_after(chance.uniform(0, run.seconds), command(run.film, target))
    else:
        watched(command(run.film, target), root, notes, moment or chance.choice(run.moments(kind)))
    begun = len(run.ends) if target.exists() else len(list((folder_of(target) / SEGMENTS).glob("*")))
    if cut:
        disk.replay(read_log(notes / "log"))
        disk.cut(notes, chance if cut == "chance" else None)
    left = {path.name for path in folder_of(target).glob("*")}
    complete = target.exists() and not {NOTE, PLAN} & left  # of the work folder the lock at most
    half = target.exists() and target.read_bytes() != run.data
    status, told = color(command(run.film, target))
    file: dict = next(iter(json.loads(told)["files"]), {}) if told else {}
    done = next((int(found[1]) for note in file.get("notes", ()) if (found := DONE.match(note))), 0)
    again = 0 if complete or file.get("earlier") else max(0, begun - sum(end <= done for end in run.ends))
    rest = [path.name for path in root.iterdir() if path != target]
    faults = {
        "something else stood at the target's name": half,
        f"exit status {status}": bool(status) and not complete,  # what is complete is not made again
        "no target": not target.exists(),
        "other bytes": target.exists() and target.read_bytes() != run.data,
        f"left: {', '.join(rest)}": bool(rest),
        f"{again} segments begun again": again > 1,
    }
    return Outcome(kind, cut, complete, again, "; ".join(text for text, holds in faults.items() if holds))


def disk_use(film: Path, target: Path, options: tuple[str, ...]) -> dict[str, float]:
    """Peaks of what lies on the disk while `film` is coloured, in sizes of its target: the work folder, and all."""
    fresh(target.parent)
    args = [sys.executable, "-m", "vidcolor", str(film), "-o", str(target), *options]
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    work = total = 0
    while process.poll() is None:
        sizes = {}
        for path in target.parent.rglob("*"):
            try:
                sizes[path] = path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue
        work = max(work, sum(size for path, size in sizes.items() if folder_of(target) in path.parents))
        total = max(total, sum(sizes.values()))
        time.sleep(0.002)
    size = target.stat().st_size
    return {"target_bytes": size, "work": round(work / size, 3), "all": round(total / size, 3)}


def resume(clip: Path, work: Path, *, kills: int, cuts: int, seed: int) -> dict:
    """Figures of `kills` kills and `cuts` power cuts at random moments, and of the room that a film takes."""
    chance = random.Random(seed)
    work.mkdir(parents=True, exist_ok=True)
    film = make_film(work / "resume.mkv", shots=8)
    runs = [undisturbed(film, name, work / name) for name in NAMES]
    plan = [(kind, "") for kind, _ in zip(cycle((*KINDS, "any time")), range(kills), strict=False)]
    plan += [moment for moment, _ in zip(cycle(product(KINDS, ("worst", "chance"))), range(cuts), strict=False)]
    outcomes = []
    for (kind, cut), run in zip(plan, cycle((*runs, *reversed(runs))), strict=False):
        outcomes.append(disturbed(run, kind, chance, work / run.name, cut=cut))
        print(len(outcomes), outcomes[-1], flush=True)
    size = {clip.stem: disk_use(clip, work / "disk" / "out.mp4", ()),
            f"{clip.stem}, ffv1": disk_use(clip, work / "disk" / "out.mkv", ("--codec", "ffv1"))}  # fmt: skip
    return {
        "film": {"frames": runs[0].ends[-1], "segments": len(runs[0].ends), "seconds": round(runs[0].seconds, 2)},
        "kills": summed([o for o in outcomes if not o.cut]),
        "cuts": summed([o for o in outcomes if o.cut]),
        "disk": size,
        "each": [asdict(o) for o in outcomes],
    }


def summed(outcomes: list[Outcome]) -> dict:
    return {
        "count": len(outcomes),
        "right": sum(not o.fault for o in outcomes),
        "again": max(o.again for o in outcomes),
        "kinds": {kind: sum(o.kind == kind for o in outcomes) for kind in dict.fromkeys(o.kind for o in outcomes)},
    }
