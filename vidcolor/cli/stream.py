"""`vidcolor SOURCE -o TARGET` where one of them is a stream: signals, messages, exit status."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidcolor.atomic import is_special
from vidcolor.cli.faults import DONE, STOPPED, endings, line_for, status_of
from vidcolor.cli.terminal import Terminal
from vidcolor.errors import OptionError
from vidcolor.film.batch import names_file
from vidcolor.frames.summary import Summary
from vidcolor.live.streams.address import HTTP, PIPE, is_stream_target, name_of, scheme
from vidcolor.live.streams.options import StreamOptions, check_streams
from vidcolor.live.streams.pipes import give_stdout_back, take_stdout
from vidcolor.options import ColorizeOptions
from vidcolor.stills.formats import STILL_TARGETS


def is_wanted(sources: Sequence[str], output: str | None, stream: StreamOptions) -> bool:
    """Whether the command is about a stream: by an address or pipe, or by an option that only streams have."""
    if stream.wanted or (output is not None and is_stream_target(output)):
        return True
    if len(sources) != 1:
        return False
    if sources[0] == PIPE or is_special(Path(sources[0])):  # what can be read only once
        return output is None or Path(output).suffix.lower() not in STILL_TARGETS
    return bool(scheme(sources[0])) and not is_download(sources[0], output)


def is_download(source: str, output: str | None) -> bool:
    """Whether a finished file on a web server is meant: it goes into a folder, or becomes a still."""
    if scheme(source) not in HTTP or output is None:
        return False
    return not names_file(source, output) or Path(output).suffix.lower() in STILL_TARGETS


@dataclass(frozen=True)
class Names:
    """Source and target as messages call them."""

    source: str
    target: str


@dataclass
class Stopper:
    """The first Ctrl-C, SIGTERM or SIGHUP asks for an end, the second does not ask."""

    event: threading.Event

    def __call__(self, *_: object) -> None:
        if self.event.is_set():
            os._exit(STOPPED)  # whatever FFmpeg waits for, the user does not
        self.event.set()


def run(
    sources: Sequence[str], output: str | None, options: ColorizeOptions, stream: StreamOptions, terminal: Terminal
) -> int:
    """Colour one stream and give the exit status: a live one that the user stops has done what it was asked.

    Raises:
        OptionError: there are several sources, no target, or two wishes for standard output.
        OutputError: standard output is wanted and closed.
    """
    stop = threading.Event()
    for number in endings(ctrl_c=True):
        signal.signal(number, Stopper(stop))
    source, target = check_streams(list(sources), output)
    if target != PIPE:
        return color(source, target, options, stream, terminal, stop)
    if terminal.as_json:
        raise OptionError("json and -o - both want standard output; leave one of them out")
    stdout = take_stdout()
    try:
        return color(source, target, options, stream, terminal, stop, stdout)
    finally:
        give_stdout_back(stdout)


def color(
    source: str, target: str, options: ColorizeOptions, stream: StreamOptions, terminal: Terminal,
    stop: threading.Event, stdout: int | None = None,
) -> int:  # fmt: skip
    """Colour the stream, tell how it went, and give the exit status."""
    from vidcolor.api import Colorizer
    from vidcolor.live.streams.stream import STDOUT, StreamHooks, colorize_stream

    job = Names(name_of(source), name_of(target, output=True))
    hooks = StreamHooks(stop, terminal.progress, terminal.note, STDOUT if stdout is None else stdout)
    done: list[Summary] = []
    failed: list[tuple[Names, str]] = []
    status = DONE
    with terminal:
        try:
            with Colorizer(options) as colorizer:
                terminal.note(f"backend {colorizer.backend.description} ({colorizer.why})")
                terminal.begin(job, 1, 1)
                backend, model = colorizer.backend, colorizer.model.identity
                done.append(colorize_stream(source, target, backend, options, stream, hooks=hooks, model=model))
                terminal.done(done[0])
        except Exception as error:
            text, status = line_for(job.source, error), status_of(error)
            if written := getattr(error, "summary", None):  # of a source that was lost, after some of it was coloured
                terminal.done(written)
                done += [written] * terminal.as_json
            if status != STOPPED:
                failed.append((job, text))
            terminal.error(text)
    terminal.summary(done, failed)
    return status
