"""`vidcolor jobs`: what is unfinished below a folder, and its removal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidcolor.cli.faults import DONE, FAILED, told
from vidcolor.cli.terminal import Terminal
from vidcolor.errors import OptionError, VidcolorError, one_line

if TYPE_CHECKING:
    from vidcolor.film.jobs import Unfinished

CLEAN = "clean"


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vidcolor jobs", description="Films whose colouring was begun and is not complete.", allow_abbrev=False
    )
    parser.add_argument("words", nargs="*", metavar="[clean] [FOLDER]",
                        help="clean: remove what was done of them; FOLDER: look here and below (.)")  # fmt: skip
    parser.add_argument("-y", "--yes", action="store_true", help="clean without asking")
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser


def run(argv: Sequence[str]) -> int:
    """List or remove, and give the exit status."""
    parsed = make_parser().parse_intermixed_args(list(argv))
    terminal = Terminal(quiet=False, as_json=parsed.json)
    return told(terminal, lambda: act(parsed, terminal))


def act(parsed: argparse.Namespace, terminal: Terminal) -> int:
    """What is asked for.

    Raises:
        OptionError: more than one folder is named, or it cannot be read.
    """
    from vidcolor.film.jobs import unfinished

    cleans = parsed.words[:1] == [CLEAN]
    folders = parsed.words[cleans:]
    if len(folders) > 1:
        raise OptionError(f"one folder is looked through, and {len(folders)} are named; give the one above them")
    folder = Path(folders[0] if folders else ".")
    found = list(unfinished(folder))
    if cleans:
        return clean(found, folder, parsed, terminal)
    if parsed.json:
        terminal.out(json.dumps({"folder": str(folder), "jobs": [described(job) for job in found]}, indent=2))
    else:
        lines = [line_of(job) for job in found] or [one_line(f"nothing unfinished in {folder} and below")]
        terminal.out("\n".join(lines))
    return DONE


def clean(found: list[Unfinished], folder: Path, parsed: argparse.Namespace, terminal: Terminal) -> int:
    """Remove all that nobody is at work on."""
    from vidcolor.film.jobs import remove

    free = [job for job in found if job.owner is None]
    for job in found:
        if job.owner is not None:
            terminal.note(f"{job.folder}: kept, {job.owner} is at work on it")
    if free and not parsed.yes and not agreed(free, terminal):
        return FAILED
    removed, status = [], DONE
    for job in free:
        try:
            remove(job)
            removed.append(job)
        except VidcolorError as error:
            terminal.error(str(error))
            status = FAILED
    freed = sum(job.size for job in removed)
    if parsed.json:
        kept = [described(job) for job in found if job not in removed]
        facts = {"folder": str(folder), "removed": [described(job) for job in removed], "freed": freed, "kept": kept}
        terminal.out(json.dumps(facts, indent=2))
    else:
        terminal.out(one_line(f"{films(removed)} removed in {folder} and below, {megabytes(freed)} freed"))
    return status


def agreed(found: list[Unfinished], terminal: Terminal) -> bool:
    """Ask on the terminal.

    Raises:
        OptionError: nobody is there to be asked.
    """
    asked = f"{films(found)}, {megabytes(sum(job.size for job in found))}"
    if not sys.stdin or not sys.stdin.isatty():
        raise OptionError(f"{asked} would be removed, and nobody is there to be asked; add -y")
    for job in found:
        terminal.note(line_of(job))
    terminal.say(f"Remove what was done of {asked}? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def described(job: Unfinished) -> dict[str, Any]:
    """A job as JSON values."""
    owner = job.owner and {"host": job.owner.host, "pid": job.owner.pid, "since": job.owner.since}
    return {
        "target": job.target, "source": job.source, "frames": job.done, "of": job.frames, "bytes": job.size,
        "touched": job.touched.isoformat(timespec="seconds"), "folder": str(job.folder), "owner": owner,
    }  # fmt: skip


def line_of(job: Unfinished) -> str:
    """A job in words."""
    source = f" of {job.source}" if job.source else ""
    owner = f"; {job.owner} is at work on it" if job.owner else ""
    return one_line(
        f"{job.target}: {frames_of(job)}{source}, {megabytes(job.size)} kept, last touched {local(job)}{owner}"
    )


def frames_of(job: Unfinished) -> str:
    return f"{job.done} of {job.frames} frames" if job.frames else f"{job.done} frames"


def films(found: list[Unfinished]) -> str:
    return f"{len(found)} unfinished film{'' if len(found) == 1 else 's'}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def local(job: Unfinished) -> str:
    return f"{job.touched.astimezone():%Y-%m-%d %H:%M}"
