"""`vidcolor SOURCE -o TARGET` where one of them is a stream: signals, messages, exit status."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from dataclasses import dataclass, fields

from vidcolor.cli.terminal import Terminal
from vidcolor.errors import Cancelled, OptionError, VidcolorError
from vidcolor.film.batch import names_file
from vidcolor.live.streams.address import HTTP, PIPE, is_stream_target, name_of, scheme
from vidcolor.live.streams.options import FORMATS, StreamOptions, check_streams
from vidcolor.live.streams.pipes import give_stdout_back, take_stdout
from vidcolor.options import ColorizeOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of streams, for the main command."""
    defaults = StreamOptions()
    group = parser.add_argument_group(
        "streams",
        "INPUT and OUT may be addresses (rtsp, rtmp, srt, udp, rtp, http), playlists (.m3u8) or - for a pipe. Network "
        "sources are coloured as they come: frames for which there is no time are dropped, sound is passed on.",
    )
    group.add_argument(
        "--live", action="store_true", help="treat a pipe or file as live: drop frames, never fall behind"
    )
    group.add_argument("--realtime", action="store_true", help="play a file at its own pace; network targets get that")
    group.add_argument(
        "--reconnect", type=float, metavar="SECONDS",
        help="keep trying for so long when a peer is lost (60 for network, 0: off)",
    )  # fmt: skip
    group.add_argument(
        "--timeout", type=float, default=defaults.timeout, metavar="SECONDS",
        help=f"silence after which a peer is lost ({defaults.timeout:g})",
    )  # fmt: skip
    group.add_argument("--listen", action="store_true", help="wait for the sender to connect (rtmp, rtsp, tcp, http)")
    group.add_argument(
        "--format", choices=tuple(FORMATS),
        help="of -o -: nut (raw frames and sound), y4m (raw, no sound), mpegts, matroska (x264); --codec decides (nut)",
    )  # fmt: skip


def stream_options(parsed: argparse.Namespace) -> StreamOptions:
    return StreamOptions(**{f.name: getattr(parsed, f.name) for f in fields(StreamOptions)})


def is_wanted(sources: list[str], output: str | None, stream: StreamOptions) -> bool:
    """Whether the command is about a stream: by an address or pipe, or by an option that only streams have."""
    if stream.wanted or (output is not None and is_stream_target(output)):
        return True
    if len(sources) != 1:
        return False
    download = scheme(sources[0]) in HTTP and output is not None and not names_file(sources[0], output)
    return sources[0] == PIPE or (bool(scheme(sources[0])) and not download)


@dataclass(frozen=True)
class Names:
    """Source and target as messages call them."""

    source: str
    target: str


@dataclass
class Stopper:
    """The first Ctrl-C or SIGTERM asks for an end, the second does not ask."""

    event: threading.Event

    def __call__(self, *_: object) -> None:
        if self.event.is_set():
            os._exit(130)  # whatever FFmpeg waits for, the user does not
        self.event.set()


def run(parsed: argparse.Namespace, options: ColorizeOptions, stream: StreamOptions, terminal: Terminal) -> int:
    """Colour one stream and give the exit status: a live one that the user stops has done what it was asked."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, Stopper(stop))
    try:
        source, target = check_streams(parsed.sources, parsed.output)
        if target == PIPE and parsed.json:
            raise OptionError("json and -o - both want standard output; leave one of them out")
    except OptionError as error:
        terminal.error(str(error))
        return 2
    stdout = take_stdout() if target == PIPE else None
    try:
        return color(source, target, options, stream, terminal, stop, stdout)
    finally:
        if stdout is not None:
            give_stdout_back(stdout)


def color(
    source: str, target: str, options: ColorizeOptions, stream: StreamOptions, terminal: Terminal,
    stop: threading.Event, stdout: int | None,
) -> int:  # fmt: skip
    from vidcolor.api import Colorizer
    from vidcolor.live.streams.stream import STDOUT, SourceLost, colorize_stream

    job = Names(name_of(source), name_of(target, output=True))
    done, failed, status = [], [], 0
    with terminal:
        try:
            with Colorizer(options) as colorizer:
                terminal.note(f"backend {colorizer.backend.description} ({colorizer.why})")
                terminal.begin(job, 1, 1)
                done.append(
                    colorize_stream(
                        source, target, colorizer.backend, options, stream, stop=stop, progress=terminal.progress,
                        note=terminal.note, stdout=STDOUT if stdout is None else stdout,
                    )
                )  # fmt: skip
                terminal.done(done[0])
        except Cancelled as error:
            terminal.error(str(error))
            status = 130
        except Exception as error:
            if os.environ.get("VIDCOLOR_DEBUG"):
                raise
            if isinstance(error, SourceLost):
                terminal.done(error.summary)
                if terminal.as_json:
                    done.append(error.summary)
            text = str(error) if isinstance(error, VidcolorError) else fault(job, error)
            failed.append((job, text))
            terminal.error(text)
            status = 2 if isinstance(error, OptionError) else 1
    terminal.summary(done, failed)
    return status


def fault(job: Names, error: Exception) -> str:
    kind = type(error).__name__
    return f"{job.source}: internal fault, {kind}: {error}; please report it (VIDCOLOR_DEBUG=1 shows where)"
