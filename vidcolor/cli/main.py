"""The command line: arguments to options, one call for each file, one line for each fault."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from vidcolor import __version__
from vidcolor.cli.stream import add_arguments, is_wanted, stream_options
from vidcolor.cli.stream import run as run_stream
from vidcolor.cli.terminal import Terminal
from vidcolor.errors import OptionError, OutputError, VidcolorError
from vidcolor.film.batch import Job, plan
from vidcolor.frames.summary import Summary
from vidcolor.options import BACKENDS, CODECS, SMOOTHERS, ColorizeOptions

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
  vidcolor engines [build|clear]             what NVIDIA cards run, kept for the next start

exit status: 0 done, 1 a file failed, 2 wrong usage, 130 stopped by Ctrl-C"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args and args[0] in COMMANDS:
        return COMMANDS[args[0]](args[1:])
    parser = make_parser()
    parsed = parser.parse_args(args)
    try:
        options, stream = to_options(parsed), stream_options(parsed)
        if not parsed.preview and is_wanted(parsed.sources, parsed.output, stream):
            return run_stream(parsed, options, stream, Terminal(quiet=parsed.quiet, as_json=parsed.json))
        jobs = plan(parsed.sources, parsed.output, parsed.codec)
        if (options.shots or options.save_shots) and len(jobs) > 1:
            raise OptionError(f"shots are those of one film, and {len(jobs)} files are given; colour it alone")
    except OptionError as error:
        print(f"vidcolor: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, interrupt)
    terminal = Terminal(quiet=parsed.quiet, as_json=parsed.json)
    if parsed.preview:
        return preview(parsed, options, terminal)
    return run(jobs, options, terminal)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def make_parser() -> argparse.ArgumentParser:
    defaults = ColorizeOptions()
    parser = argparse.ArgumentParser(
        prog="vidcolor",
        description="Colour black-and-white films and stills; the luma stays as it is.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("sources", nargs="+", metavar="INPUT", help="film, still, folder or stream address")
    parser.add_argument("-o", "--output", metavar="OUT", help="file or folder; default: beside INPUT as NAME-color")
    parser.add_argument("-y", "--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--version", action="version", version=f"vidcolor {__version__}")

    colour = parser.add_argument_group("colour")
    colour.add_argument(
        "--strength", type=float, default=defaults.strength, metavar="0..2", help="amount of colour (1)"
    )
    colour.add_argument(
        "--smoothing", type=float, default=defaults.smoothing, metavar="0..1",
        help=f"how much colour is averaged along motion, 0 is off ({defaults.smoothing:g})",
    )  # fmt: skip
    colour.add_argument(
        "--smoother", choices=SMOOTHERS, default=defaults.smoother,
        help="how: looking ahead within the shot, or flow (causal), ema, none (auto: lookahead)",
    )  # fmt: skip
    colour.add_argument(
        "--size", type=int, default=defaults.size, metavar="PIXELS",
        help=f"short side of what the network sees ({defaults.size})",
    )  # fmt: skip
    colour.add_argument(
        "--every", type=every, default=defaults.every, metavar="N|auto",
        help="let the network see every N-th frame, up to 32, and carry colour in between (auto: as motion asks)",
    )  # fmt: skip
    colour.add_argument("--backend", choices=BACKENDS, default=defaults.backend, help="engine for the network (auto)")
    colour.add_argument(
        "--batch",
        type=int,
        default=defaults.batch,
        metavar="N",
        help=f"frames at once where nothing is smoothed ({defaults.batch})",
    )
    colour.add_argument("--model", type=Path, metavar="FILE", help="ONNX model instead of the shipped one")

    film = parser.add_argument_group("film")
    film.add_argument("--codec", choices=CODECS, help="video codec (x264; vp9 for .webm)")
    film.add_argument("--crf", type=float, metavar="N", help="quality on the codec's scale, lower is better")
    film.add_argument("--preset", metavar="NAME", help="speed on the codec's scale, such as veryfast")
    film.add_argument("--pix-fmt", metavar="NAME", help="pixel format (the source's, as far as the codec has it)")
    film.add_argument("--start", type=seconds, metavar="TIME", help="begin here: seconds or [HH:]MM:SS")
    film.add_argument("--end", type=seconds, metavar="TIME", help="stop here")
    film.add_argument("--shots", type=Path, metavar="FILE", help="cut list to go by: JSON, or PySceneDetect's CSV")
    film.add_argument(
        "--save-shots", type=Path, nargs="+", default=(), metavar="FILE",
        help="write the shots: .json a cut list, .pdf, .png or .jpg a contact sheet; after INPUT",
    )  # fmt: skip
    film.add_argument(
        "--preview", action="store_true", help="play it in colour in a window; see vidcolor webcam --help"
    )
    film.add_argument("--compare", action="store_true", help="source on the left, result on the right")

    add_arguments(parser)
    shown = parser.add_argument_group("messages")
    shown.add_argument("-q", "--quiet", action="store_true", help="only errors")
    shown.add_argument("--json", action="store_true", help="a JSON summary on standard output, nothing else")
    return parser


def preview(parsed: argparse.Namespace, options: ColorizeOptions, terminal: Terminal) -> int:
    """`--preview`: play one source in a window instead of writing it."""
    from vidcolor.cli.webcam import run
    from vidcolor.live.options import WatchOptions

    if len(parsed.sources) > 1 or parsed.output is not None:
        terminal.error("preview plays one source and writes nothing; leave -o and the other sources out, r records")
        return 2
    return run(parsed.sources[0], options, WatchOptions(), terminal)


def seconds(text: str) -> float:
    """Seconds from "83.5", "1:23.5" or "0:01:23.5"."""
    try:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        if not math.isfinite(total):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give seconds or [HH:]MM:SS") from None
    return total


def every(text: str) -> int | None:
    """A number of frames, or None for "auto"."""
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames; give one, or auto") from None


def to_options(parsed: argparse.Namespace) -> ColorizeOptions:
    names = [f.name for f in dataclasses.fields(ColorizeOptions)]
    return ColorizeOptions(**{n: getattr(parsed, n) for n in names} | {"save_shots": tuple(parsed.save_shots)})


def run(jobs: list[Job], options: ColorizeOptions, terminal: Terminal) -> int:
    """Colour every job; one that fails is reported and the rest goes on."""
    from vidcolor.api import Colorizer

    done: list[Summary] = []
    failed: list[tuple[Job, str]] = []
    status = 0
    try:
        with terminal, Colorizer(options) as colorizer:
            terminal.note(f"backend {colorizer.backend.description} ({colorizer.why})")
            for number, job in enumerate(jobs, 1):
                terminal.begin(job, number, len(jobs))
                try:
                    make_folder(job)
                    done.append(colorizer.file(job.source, job.target, progress=terminal.progress))
                    terminal.done(done[-1])
                except Exception as error:  # one bad file must not end the batch
                    if os.environ.get("VIDCOLOR_DEBUG"):
                        raise
                    failed.append((job, describe(job, error)))
                    terminal.error(failed[-1][1])
    except VidcolorError as error:
        terminal.error(str(error))
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        terminal.error("stopped; the file being written was removed, finished ones stay")
        status = 130
    terminal.summary(done, failed)
    return status or (1 if failed else 0)


def make_folder(job: Job) -> None:
    """The folder of a target that the user did not name as a file."""
    if job.makes_folder:
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{job.target.parent}: cannot be made, {error.strerror}; choose another folder"
            ) from error


def describe(job: Job, error: Exception) -> str:
    """The line for a failed job; what is not one of our own errors is a fault of this program."""
    if isinstance(error, VidcolorError):
        return str(error)
    kind = type(error).__name__
    return f"{job.source}: internal fault, {kind}: {error}; please report it (VIDCOLOR_DEBUG=1 shows where)"


def info(argv: Sequence[str]) -> int:
    """`vidcolor info`: what is installed, what would be chosen, and the model card."""
    parser = argparse.ArgumentParser(prog="vidcolor info", description="Versions, backends and the model.")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--model", type=Path, metavar="FILE", help="ONNX model instead of the shipped one")
    args = parser.parse_args(argv)
    from vidcolor.cli.info import gather, show

    try:
        facts = gather(args.model)
    except VidcolorError as error:
        print(f"vidcolor: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(facts, indent=2))
    else:
        show(facts)
    return 0


def engines(argv: Sequence[str]) -> int:
    """`vidcolor engines`: list, build or clear the engine cache."""
    parser = argparse.ArgumentParser(prog="vidcolor engines", description="Engines that are kept for the next start.")
    parser.add_argument("action", nargs="?", choices=("list", "build", "clear"), default="list")
    parser.add_argument("--backend", choices=("tensorrt", "rtx"), help="to build for (default: all that are installed)")
    parser.add_argument("--model", type=Path, metavar="FILE", help="ONNX model instead of the shipped one")
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    args = parser.parse_args(argv)
    from vidcolor.backends.cache import EngineCache
    from vidcolor.cli.engines import build, listed, show

    terminal = Terminal(quiet=False, as_json=args.json)
    try:
        if args.action == "build":
            for description in build([args.backend] if args.backend else [], args.model):
                terminal.note(f"ready: {description}")
        elif args.action == "clear":
            cache = EngineCache()
            terminal.note(f"{cache.clear()} engines removed from {cache.folder}")
        elif args.json:
            print(json.dumps(listed(), indent=2))
        else:
            show(listed())
    except (VidcolorError, OSError) as error:
        terminal.error(str(error))
        return 1
    return 0


def webcam(argv: Sequence[str]) -> int:
    """`vidcolor webcam`: a live picture in a window."""
    from vidcolor.cli.webcam import webcam

    return webcam(argv)


def serve(argv: Sequence[str]) -> int:
    """`vidcolor serve`: a page for the browser."""
    from vidcolor.cli.serve import serve

    return serve(argv)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "info": info,
    "engines": engines,
    "webcam": webcam,
    "serve": serve,
}


def entry() -> None:
    """The console script: a reader that goes away (`vidcolor ... | head`) is no error of ours."""
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
