"""Has a program of the user's colour the stills of a film, which are its references then."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image

from vidcolor import __version__
from vidcolor.atomic import sync_folder, write_whole
from vidcolor.conditions.reference import SHOWN, Reference, decode, is_grey, number_of
from vidcolor.conditions.registration import place
from vidcolor.errors import InputError, OptionError, OutputError
from vidcolor.film.names import COLORED, STILLS
from vidcolor.film.plan import plan_of
from vidcolor.film.recipe import SourceFacts
from vidcolor.film.stills import CONTENTS, COVER, write_stills
from vidcolor.options import PLACEHOLDER, ColorizeOptions, words_of
from vidcolor.pictures.source import read_bytes
from vidcolor.video.reader import Reader

STATE, RECORD, NEW = "state.json", "colored.json", "new"
EVERY = 10.0  # seconds between notes
POLL = 0.05  # seconds between looks at the program
TAIL = 4096  # bytes of its messages that are read
SAME_SHAPE = 0.3  # how far the aspects may differ, as a logarithm; registration finds crops and stretched pictures

log = logging.getLogger("vidcolor")
Check = Callable[[], None]


def with_stills(
    options: ColorizeOptions, source: str, folder: Path, kinds: dict[int, str] | None, check: Check
) -> tuple[ColorizeOptions, list[str]]:
    """`options` with the stills of `source` as references, coloured by `references_by`; and what is to be said of them.

    Stills and what is coloured lie in the work folder `folder`; what lies there of the same film and command stands.

    Raises:
        OptionError: there are other references too, or the program is not installed.
        InputError: the film has no frame that can be coloured.
        OutputError: the program fails, or what it writes is of no use; or the film was begun with another one.
    """
    if options.references:
        raise OptionError("references and references-by are both given; leave one of them out")
    command = Command(options.references_by or "", options.references_timeout, check)
    check_plan(folder, options)
    place_of = folder / STILLS
    files, warnings = stills_in(place_of, source, options.end, kinds, check)
    colored = Colored(place_of, command)
    began = time.monotonic()
    todo = [path for path in files if not colored.has(path)]
    for done, path in enumerate(todo, 1):
        colored.color(path)
        if time.monotonic() - began >= EVERY and done < len(todo):
            began = time.monotonic()
            log.info("%s: %d of %d stills coloured", source, len(files) - len(todo) + done, len(files))
    count = f"{len(files)} still{'s' * (len(files) != 1)}"
    warnings.insert(0, f"{count} coloured by {command.words[0]}")
    return replace(options, references=tuple(colored.path_of(path) for path in files)), warnings


def check_plan(folder: Path, options: ColorizeOptions) -> None:
    """Refuse another command than the one with which a film was begun, before it is run for hours."""
    plan = plan_of(folder)
    before = plan.recipe.options.get("references_by") if plan and plan.segments else options.references_by
    if before != options.references_by:
        raise OutputError(
            f"{folder}: was begun in another way (references_by was {before!r} and is {options.references_by!r}); "
            "give the same options, or add --restart to start anew"
        )


def stills_in(
    folder: Path, source: str, end: float | None, kinds: dict[int, str] | None, check: Check
) -> tuple[list[Path], list[str]]:
    """The grey stills of a film up to `end` seconds, most useful first, and what is to be said of them.

    Those that an earlier run has made stand.
    """
    facts = asdict(SourceFacts.of(source))
    key = digest_of(json.dumps([facts, sorted((kinds or {}).items()), end, __version__]).encode())
    state = read_json(folder / STATE)
    contents = read_json(folder / CONTENTS)
    if (
        state.get("key") == key
        and contents
        and all(is_file(folder / x["file"], x["sha256"]) for x in contents["stills"])
    ):
        return [folder / still["file"] for still in contents["stills"]], list(state["warnings"])
    (folder / STATE).unlink(missing_ok=True)
    made = write_stills(
        source, lambda: Reader(source, end=end, packets=False), folder, cover=COVER, kinds=kinds, check=check
    )
    write_whole(folder / STATE, json.dumps({"key": key, "warnings": made.warnings}).encode(), overwrite=True)
    return made.files, list(made.warnings)


class Command:
    """A program that colours one picture, `text` as a shell would split it; `timeout` in seconds.

    Raises:
        OptionError: it is not installed.
    """

    def __init__(self, text: str, timeout: float, check: Check) -> None:
        self.text, self.timeout, self.check = text, timeout, check
        self.words = words_of("references-by", text)
        if shutil.which(self.words[0]) is None:
            raise OptionError(f"references-by: {self.words[0]} is no program that can be run; check its name and path")

    def run(self, given: Path, wanted: Path) -> None:
        """Have it make `wanted` of `given`.

        Raises:
            OutputError: it fails, or takes too long.
        """
        paths = {"input": str(given.resolve()), "output": str(wanted.resolve())}
        words = [PLACEHOLDER.sub(lambda found: paths[found[1]], word) for word in self.words]
        with tempfile.TemporaryFile() as messages:
            try:
                with running(words, messages) as process:
                    self.wait(process, given)
            except OSError as error:
                if isinstance(error, OutputError):
                    raise
                raise OptionError(f"references-by: {words[0]} cannot be run, {error.strerror}") from error
            if process.returncode:
                raise OutputError(self.failed(given, ended(process.returncode) + last_line(messages)))

    def wait(self, process: subprocess.Popen[bytes], given: Path) -> None:
        end = time.monotonic() + self.timeout
        while process.poll() is None:
            self.check()
            if time.monotonic() > end:
                raise OutputError(self.failed(
                    given, f"was not done after {self.timeout:g} s and was stopped; give --references-timeout more"
                ))  # fmt: skip
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL)

    def failed(self, given: Path, why: str) -> str:
        return f"references-by: {self.words[0]} on {given.name} {why}; what is coloured is kept for the next run"


class Colored:
    """What a program has coloured, in a folder of stills; a record beside it says of what and by which command."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder, self.command = folder, command
        self.record: dict[str, Any] = read_json(folder / RECORD)
        for path in (folder / COLORED, folder / NEW):
            path.mkdir(exist_ok=True)

    def path_of(self, still: Path) -> Path:
        return self.folder / COLORED / still.name

    def has(self, still: Path) -> bool:
        """Whether the still was coloured before, by this command."""
        made = self.record.get(still.name, {})
        said = made.get("command") == self.command.text and made.get("input") == digest_of(still.read_bytes())
        return said and is_file(self.path_of(still), made.get("output", ""))

    def color(self, still: Path) -> None:
        """Have the still coloured; it is kept when it is whole and of use.

        Raises:
            OutputError: it is not.
        """
        new = self.folder / NEW / still.name
        new.unlink(missing_ok=True)
        self.command.run(still, new)
        if why := fault(still, new):
            raise OutputError(self.command.failed(still, why))
        data = new.read_bytes()
        write_whole(self.path_of(still), data, overwrite=True)
        self.record[still.name] = {
            "command": self.command.text, "input": digest_of(still.read_bytes()), "output": digest_of(data)
        }  # fmt: skip
        write_whole(self.folder / RECORD, json.dumps(self.record, indent=1).encode(), overwrite=True)
        new.unlink()
        sync_folder(self.folder)


@contextmanager
def running(words: list[str], messages: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program that writes nothing to our terminal; it and all that it has started end with this."""
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=messages, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            if os.name == "nt":
                process.kill()
            else:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"failed with exit status {status}"


def last_line(messages: Any) -> str:
    """The last line that a program has written, behind a colon; empty where it has written none."""
    messages.seek(max(0, messages.seek(0, os.SEEK_END) - TAIL))
    lines = [line for line in messages.read().decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1].strip()}" if lines else ""


def fault(still: Path, new: Path) -> str:
    """What is wrong with `new` as a coloured picture of `still`, or ""."""
    if not new.is_file() or not new.stat().st_size:
        return f"wrote nothing; it must write to {{output}}, here {new}"
    grey = decode(still, read_bytes(still))
    try:
        made = decode(new, read_bytes(new))
    except InputError:
        return "wrote a file that is no picture, or a damaged one"
    sizes = f"{sides(new)} for {sides(still)}"
    shapes = [picture.alpha.shape[1] / picture.alpha.shape[0] for picture in (made, grey)]
    if abs(math.log(shapes[0] / shapes[1])) > SAME_SHAPE:
        return f"wrote a picture of another shape, {sizes}"
    if made.alpha.mean() < SHOWN:
        return "wrote a picture that shows nothing, its alpha is 0 everywhere"
    if is_grey(made):
        return "wrote a grey picture, or one of a single tint"
    reference = Reference.of(made.lightness, made.ab, made.alpha, name=new.name, number=number_of(new.stem))
    if place(reference, grey.lightness) is None:
        return f"wrote another picture than the one it was given, {sizes}"
    return ""


def sides(path: Path) -> str:
    with Image.open(path) as picture:
        return f"{picture.width} x {picture.height}"


def read_json(path: Path) -> dict[str, Any]:
    """What a file of ours holds; nothing where it is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_file(path: Path, digest: str) -> bool:
    """Whether a file is there with this SHA-256."""
    try:
        return digest_of(path.read_bytes()) == digest
    except OSError:
        return False


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
