"""`vidcolor INPUT ... -o OUT`: films, stills, folders and streams."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence
from functools import partial

from vidcolor import __version__
from vidcolor.cli import stream
from vidcolor.cli.crashes import Tally, can_outlive, outlive
from vidcolor.cli.faults import STOPPED, Stop, endings, line_for, told
from vidcolor.cli.groups import build, color_group, encode_group, film_group, message_group, stream_group
from vidcolor.cli.terminal import Terminal
from vidcolor.errors import Cancelled, OptionError, OutputError
from vidcolor.film.batch import Batch, Job, plan_batch
from vidcolor.live.streams.options import StreamOptions
from vidcolor.options import AUTO, ColorizeOptions
from vidcolor.video import careful

EPILOG = """examples:
  vidcolor film.mp4 -o out.mp4               colour a film; sound, subtitles and chapters stay as they are
  vidcolor reel.mkv -o out.mkv --codec ffv1  lossless: every luma sample as it was
  vidcolor photos/ -o coloured/              a folder of stills and films
  vidcolor film.mp4 -o side.mp4 --compare    source and result side by side
  vidcolor rtsp://cam -o rtmp://host/live/key   a stream, coloured as it comes; also -o out.m3u8, -o film.mkv
  ffmpeg ... -f nut - | vidcolor - -o - | ffplay -
  vidcolor info                              versions, backends and the model
  vidcolor webcam                            a camera or a stream, live in a window
  vidcolor serve                             a page for the browser: live, films, photos
  vidcolor references film.mp4 -o refs/      the frames that are worth colouring by hand or another program
  vidcolor jobs [clean] [FOLDER]             films that were begun and are not complete
  vidcolor engines [build|clear]             what NVIDIA cards run, kept for the next start

exit status: 0 done, 1 a file failed, 2 wrong usage, 130 stopped by Ctrl-C"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vidcolor",
        description="Colour black-and-white films and stills; the luma stays as it is.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("sources", nargs="+", metavar="INPUT", help="film, still, folder or stream address")
    add("-o", "--output", metavar="OUT", help="file or folder; default: beside INPUT as NAME-color")
    add("-y", "--overwrite", action="store_true", help="replace files that exist")
    add("--preview", action="store_true", help="play INPUT in colour in a window; see vidcolor webcam --help")
    add("--version", action="version", version=f"vidcolor {__version__}")
    color_group(parser)
    encode_group(parser)
    film_group(parser)
    stream_group(parser)
    message_group(parser, json="a JSON summary on standard output, nothing else")
    return parser


def run(argv: Sequence[str]) -> int:
    """Colour what is named and give the exit status."""
    parsed = make_parser().parse_args(list(argv))
    terminal = Terminal(quiet=parsed.quiet, as_json=parsed.json)
    return told(terminal, lambda: start(parsed, terminal))


def start(parsed: argparse.Namespace, terminal: Terminal) -> int:
    """Stills and films one by one, a stream, or a window."""
    options, streaming = build(ColorizeOptions, parsed), build(StreamOptions, parsed)
    if (options.references or options.references_by is not None) and parsed.preview:
        raise OptionError("references are for films that are written; leave preview or references out")
    if parsed.preview:
        return preview(parsed, options, terminal)
    if stream.is_wanted(parsed.sources, parsed.output, streaming):
        return stream.run(parsed.sources, parsed.output, options, streaming, terminal)
    batch = plan_batch(parsed.sources, parsed.output, options.codec)
    if (options.shots or options.save_shots) and len(batch.jobs) > 1:
        raise OptionError(f"shots are those of one film, and {len(batch.jobs)} files are given; colour it alone")
    if options.references and len(batch.jobs) > 1:
        raise OptionError(f"references are those of one film, and {len(batch.jobs)} files are given; colour it alone")
    if options.framemd5 not in (None, AUTO) and len(batch.jobs) > 1:
        raise OptionError(f"{options.framemd5}: is one file for {len(batch.jobs)} results; give --framemd5 auto")
    for note in batch.notes:
        terminal.note(note)
    stop = Stop()
    for number in endings(ctrl_c=True):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    return color_all(batch, options, terminal, stop.asked)


def preview(parsed: argparse.Namespace, options: ColorizeOptions, terminal: Terminal) -> int:
    """`--preview`: play one source in a window instead of writing it."""
    from vidcolor.cli.webcam import watch
    from vidcolor.live.options import WatchOptions

    if len(parsed.sources) > 1 or parsed.output is not None:
        raise OptionError("preview plays one source and writes nothing; leave -o and the other sources out, r records")
    view = WatchOptions(mode="side") if options.compare else WatchOptions()
    return watch(parsed.sources[0], options, view, terminal)


def color_all(batch: Batch, options: ColorizeOptions, terminal: Terminal, stop: threading.Event) -> int:
    """Colour every job, whatever crashes; one that fails is reported and the rest goes on."""
    tally = Tally(batch.jobs)
    work = partial(color_rest, batch, options, terminal, tally, stop)
    return outlive(lambda: told(terminal, work), tally, terminal) if can_outlive() else work()


def color_rest(
    batch: Batch, options: ColorizeOptions, terminal: Terminal, tally: Tally, stop: threading.Event
) -> int:  # fmt: skip
    """Colour the jobs that are not over yet, until `stop` is set."""
    from vidcolor.api import Colorizer

    stopped = False
    try:
        with terminal, Colorizer(options) as colorizer:
            terminal.note(f"backend {colorizer.backend.description} ({colorizer.why})")
            color = partial(colorizer.file, progress=terminal.progress, cancel=stop, recorded=batch.recorded)
            tally.begin()
            for number, job in enumerate(batch.jobs[tally.over :], tally.over + 1):
                terminal.begin(job, number, len(batch.jobs))
                careful.begin(tally.care)
                try:
                    make_folder(job)
                    tally.succeed(color(job.source, job.target))
                    terminal.done(tally.done[-1])
                except Cancelled:
                    raise KeyboardInterrupt from None
                except Exception as error:  # one bad file must not end the batch
                    tally.fail(line_for(job.source, error))
                    terminal.error(tally.failed[-1][1])
    except KeyboardInterrupt:
        terminal.error("stopped; what is complete stays, and the same command goes on from there")
        stopped = True
    terminal.summary(tally.done, tally.failed)
    return STOPPED if stopped else tally.status


def make_folder(job: Job) -> None:
    """The folder of a target that the user did not name as a file."""
    if job.makes_folder:
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{job.target.parent}: cannot be made, {error.strerror}; choose another folder"
            ) from error
