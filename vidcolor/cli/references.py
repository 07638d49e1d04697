"""`vidcolor references FILM -o FOLDER`: the frames that are worth colouring by hand or by another program."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidcolor.cli.faults import DONE, told
from vidcolor.cli.groups import message_group
from vidcolor.cli.terminal import Terminal
from vidcolor.errors import InputError, OptionError, OutputError

if TYPE_CHECKING:
    from vidcolor.film.stills import Written

EPILOG = """Colour the pictures under the same names, or into another folder, and go on:
  vidcolor FILM -o OUT --reference FOLDER
--references-by of vidcolor has a program colour them and goes on by itself."""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vidcolor references", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Write the frames of a film worth colouring: as few as motion needs to reach all of each shot.",
        allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("film", metavar="FILM", help="film to look through; it is read twice")
    add("-o", "--output", required=True, type=Path, metavar="FOLDER",
        help="pictures by frame number (ref_000040.png), sheet.pdf and refs.json; a new or empty folder")  # fmt: skip
    add("--cover", type=float, default=0.9, metavar="0..1", help="share of each shot's pixels to cover (%(default)g)")
    add("--most", type=int, metavar="N", help="no more pictures than these, those that cover most of the film")
    add("--shots", type=Path, metavar="FILE", help="cut list to go by: JSON, or PySceneDetect's CSV")
    add("-y", "--overwrite", action="store_true", help="write into a folder that holds something, and replace pictures")
    message_group(parser, json="refs.json on standard output, nothing else")
    return parser


def run(argv: Sequence[str]) -> int:
    """Write the pictures and give the exit status."""
    parsed = make_parser().parse_args(list(argv))
    terminal = Terminal(quiet=parsed.quiet, as_json=parsed.json)
    return told(terminal, lambda: act(parsed, terminal))


def act(parsed: argparse.Namespace, terminal: Terminal) -> int:
    """What is asked for.

    Raises:
        OptionError: a value is out of its range.
        InputError: the film cannot be read.
        OutputError: the folder holds something, or cannot be written.
    """
    from vidcolor.film.stills import write_stills
    from vidcolor.shots.cutlist import read_shots
    from vidcolor.stills.content import is_still
    from vidcolor.video.reader import Reader

    check(parsed)
    if is_still(parsed.film):
        raise InputError(f"{parsed.film}: is a still; give a film")
    kinds = read_shots(parsed.shots).kinds if parsed.shots else None
    made = write_stills(
        parsed.film, lambda: Reader(parsed.film, packets=False), parsed.output,
        cover=parsed.cover, count=parsed.most, kinds=kinds,
    )  # fmt: skip
    for line in made.warnings:
        terminal.note(f"{parsed.film}: {line}")
    if parsed.json:
        terminal.out(json.dumps(made.contents, indent=2))
    terminal.note(line_of(made))
    return DONE


def check(parsed: argparse.Namespace) -> None:
    """Whether the arguments can be, before anything is read."""
    if not 0.0 < parsed.cover <= 1.0:
        raise OptionError(f"cover {parsed.cover:g} is not a share; give more than 0, and 1 at most")
    if parsed.most is not None and parsed.most < 1:
        raise OptionError(f"most {parsed.most} is no number of pictures; give 1 or more")
    folder: Path = parsed.output
    try:
        full = folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read, {error.strerror}; choose another folder") from error
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder")
    if full and not parsed.overwrite:
        raise OutputError(f"{folder}: holds something already; name a new folder, or add -y")


def line_of(made: Written) -> str:
    contents: dict[str, Any] = made.contents
    count, shots = len(contents["stills"]), len(contents["shots"])
    kinds = f"{count} picture{'s' * (count != 1)} of {shots} shot{'s' * (shots != 1)}"
    return f"{made.folder}: {kinds}; with them {contents['covered']:.0%} of the film is covered; see sheet.pdf"
