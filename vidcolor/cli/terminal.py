"""Progress and messages: a live line on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from rich.console import Console
from rich.control import Control, ControlType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from vidcolor.errors import OutputError, one_line
from vidcolor.frames.summary import Summary
from vidcolor.video.address import mask

LABEL = 24  # characters of a file's name beside the bar
PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal


class Named(Protocol):
    """What is worked on, as messages call it."""

    @property
    def source(self) -> str: ...

    @property
    def target(self) -> object: ...


class Notes(logging.Handler):
    """Passes on what the library reports while it works, such as the building of an engine."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.INFO)
        self.terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self.terminal.note(record.getMessage())


class Terminal:
    """Messages go to standard error; standard output is for what was asked for.

    Nothing is said about a standard error that cannot be written to: its terminal may be gone, and the work goes on.
    """

    def __init__(self, *, quiet: bool, as_json: bool = False) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.quiet = quiet or as_json
        self.as_json = as_json
        self.live = self.console.is_terminal and not self.quiet
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[slowest]}"),
            console=self.console,
            transient=True,
        )
        logger = logging.getLogger("vidcolor")
        logger.setLevel(logging.INFO)
        logger.handlers = [Notes(self)]
        self.task: TaskID | None = None
        self.label = ""
        self.began = self.spoke = 0.0
        self.told = 0  # notes of the present job that have been shown

    def __enter__(self) -> Terminal:
        if self.live:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            with suppress(OSError):
                self.bar.stop()

    def restore(self) -> None:
        """Give the terminal back as it was, behind a process that could not do it itself."""
        if self.live:
            with suppress(OSError):
                self.console.control(Control((ControlType.ERASE_IN_LINE, 2)), Control((ControlType.CARRIAGE_RETURN,)))
                self.console.show_cursor(True)

    def begin(self, job: Named, number: int, count: int) -> None:
        self.label = one_line(f"[{number}/{count}] {mask(job.source)}" if count > 1 else mask(job.source))
        self.began = self.spoke = time.monotonic()
        self.told = 0
        if self.live:
            name = self.label if len(self.label) <= LABEL else "…" + self.label[1 - LABEL :]
            self.task = self.bar.add_task(escape(name), total=None, rate="", slowest="")

    def progress(self, summary: Summary, total: int) -> None:
        """Called by the pipeline after each batch."""
        now = time.monotonic()
        rate = (summary.frames - summary.resumed) / max(now - self.began, 1e-6)
        self.tell(summary)
        if self.live and self.task is not None:
            known = max(total, summary.frames) if total else None
            slowest = f"slowest: {summary.bottleneck}"
            self.bar.update(self.task, completed=summary.frames, total=known, rate=f"{rate:.1f} fps", slowest=slowest)
        elif not self.quiet and now - self.spoke >= PLAIN_EVERY:
            self.spoke = now
            share = f" of {total}, {(total - summary.frames) / max(rate, 1e-6):.0f} s left" if total else ""
            self.note(f"{self.label}: {summary.frames}{share}, {rate:.1f} fps, slowest: {summary.bottleneck}")

    def tell(self, summary: Summary) -> None:
        """The notes that have come since."""
        for line in summary.notes[self.told :]:
            self.note(f"{summary.source}: {line}")
        self.told = len(summary.notes)

    def end(self) -> None:
        if self.live and self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None

    def done(self, summary: Summary) -> None:
        self.end()
        self.tell(summary)
        for line in summary.warnings:
            self.note(f"{summary.source}: {line}")
        if summary.damaged:
            self.note(f"{summary.source}: {summary.damaged} damaged frames or packets, coloured as far as they decode")
        if summary.dropped:
            self.note(f"{summary.source}: {summary.dropped} frames dropped to keep up")
        if summary.earlier:
            self.note(f"{summary.target}: was made before")
            return
        frames = f"{summary.frames} frames" if summary.frames != 1 else "1 frame"
        shots = f", {summary.shots} shots" if summary.shots > 1 else ""
        speed = f", {summary.fps:.1f} fps, slowest: {summary.bottleneck}" if summary.frames > 1 else ""
        self.note(f"{summary.target}: {frames}{shots} in {summary.seconds:.1f} s{speed}")

    def note(self, text: str) -> None:
        if not self.quiet:
            self.say(text)

    def error(self, text: str) -> None:
        self.end()
        self.say(f"vidcolor: {text}")

    def say(self, text: str) -> None:
        """One line on standard error, whatever names are in it."""
        with suppress(OSError):
            self.console.print(escape(one_line(text)))

    def out(self, content: str | Table) -> None:
        """What was asked for, on standard output.

        Raises:
            OutputError: it cannot be written, for instance onto a full disk.
            BrokenPipeError: its reader is gone.
        """
        with standard_output():
            if isinstance(content, str):
                print(content)
            else:
                Console(soft_wrap=True).print(content)

    def summary(self, done: list[Summary], failed: Sequence[tuple[Named, str]]) -> None:
        if len(done) + len(failed) > 1:
            earlier = sum(s.earlier for s in done)
            before = f" ({earlier} of them before)" if earlier else ""
            self.note(f"{len(done)} done{before}, {len(failed)} failed")
        if self.as_json:
            files = [dataclasses.asdict(s) | {"fps": s.fps, "bottleneck": s.bottleneck} for s in done]
            errors = [{"source": mask(job.source), "target": str(job.target), "error": text} for job, text in failed]
            self.out(json.dumps({"files": files, "failed": errors}, indent=2))


@contextmanager
def standard_output() -> Iterator[None]:
    """Flush what is written within, and turn a fault into one of ours.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: its reader is gone.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again at its end
        raise OutputError(f"standard output: cannot be written, {error.strerror}; check the disk") from error
