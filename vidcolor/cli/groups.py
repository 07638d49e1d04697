"""Arguments that several commands have, and the way from parsed arguments to an options object.

An argument is named after its field: `--pix-fmt` fills `pix_fmt`. Its default is that of the field.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from vidcolor.cli.values import every, seconds
from vidcolor.live.streams.options import FORMATS, StreamOptions
from vidcolor.options import BACKENDS, CODECS, SIDECARS, SMOOTHERS, ColorOptions, EncodeOptions, FilmOptions

Arguments = dict[str, dict[str, Any]]  # field -> what argparse is told of it
Options = TypeVar("Options")

COLOR: Arguments = {
    "strength": {"type": float, "metavar": "0..2", "help": "amount of colour (%(default)g)"},
    "smoothing": {
        "type": float, "metavar": "0..1", "help": "how much colour is averaged along motion, 0 is off (%(default)g)",
    },
    "smoother": {
        "choices": SMOOTHERS,
        "help": "how: looking ahead within the shot, or flow (causal), ema, none (auto: lookahead, live: flow)",
    },
    "size": {"type": int, "metavar": "PIXELS", "help": "short side of what the network sees (%(default)s)"},
    "every": {
        "type": every, "metavar": "N|auto",
        "help": "let the network see every N-th frame, up to 32, and carry colour in between (auto: as motion asks)",
    },
    "backend": {"choices": BACKENDS, "help": "engine for the network (auto)"},
    "batch": {"type": int, "metavar": "N", "help": "frames at once where nothing is smoothed (%(default)s)"},
    "model": {"type": Path, "metavar": "FILE", "help": "ONNX model instead of the shipped one"},
}  # fmt: skip
ENCODE: Arguments = {
    "codec": {"choices": CODECS, "help": "video codec (x264; vp9 for .webm)"},
    "crf": {"type": float, "metavar": "N", "help": "quality on the codec's scale, lower is better"},
    "preset": {"metavar": "NAME", "help": "speed on the codec's scale, such as veryfast"},
    "pix_fmt": {"metavar": "NAME", "help": "pixel format (the source's, as far as the codec has it)"},
    "compare": {"action": "store_true", "help": "source on the left, result on the right"},
    "sidecar": {"choices": SIDECARS, "help": "write OUT.json: how it was made, digests of source and result"},
    "tag": {
        "action": argparse.BooleanOptionalAction,
        "help": "say in the metadata that vidcolor has coloured it (on)",
    },
}
FILM: Arguments = {
    "start": {"type": seconds, "metavar": "TIME", "help": "begin here: seconds or [HH:]MM:SS"},
    "end": {"type": seconds, "metavar": "TIME", "help": "stop here"},
    "references": {
        "type": Path, "nargs": "+", "metavar": "PATH",
        "help": "pictures of known colour, and folders of them: frames of the film (ref_000040.png); after INPUT",
    },
    "references_by": {
        "metavar": "COMMAND",
        "help": "have a program colour the frames worth it, as references: 'colorize {input} {output}'; no shell",
    },
    "references_timeout": {
        "type": float, "metavar": "SECONDS", "help": "what it may take for one frame (%(default)g, half an hour)",
    },
    "shots": {"type": Path, "metavar": "FILE", "help": "cut list to go by: JSON, or PySceneDetect's CSV"},
    "save_shots": {
        "type": Path, "nargs": "+", "metavar": "FILE",
        "help": "write the shots: .json a cut list, .pdf, .png or .jpg a contact sheet; after INPUT",
    },
    "verify": {"action": "store_true", "help": "read the finished film back and compare it with the source"},
    "framemd5": {
        "metavar": "FILE|auto", "help": "write checksums of the coloured frames as FFmpeg does; auto: OUT.framemd5",
    },
    "restart": {"action": "store_true", "help": "forget what an interrupted run of the same film has done"},
    "work": {
        "type": Path, "metavar": "DIR", "help": "keep here what is done of films that are not complete (beside OUT)",
    },
}  # fmt: skip
ALSO = {"references": "--reference"}  # another name of an argument
STREAM: Arguments = {
    "live": {"action": "store_true", "help": "treat a pipe or file as live: drop frames, never fall behind"},
    "realtime": {"action": "store_true", "help": "play a file at its own pace; network targets get that"},
    "reconnect": {
        "type": float, "metavar": "SECONDS",
        "help": "keep trying for so long when a peer is lost (60 for network, 0: off)",
    },
    "timeout": {"type": float, "metavar": "SECONDS", "help": "silence after which a peer is lost (%(default)g)"},
    "listen": {"action": "store_true", "help": "wait for the sender to connect (rtmp, rtsp, tcp, http)"},
    "format": {
        "choices": tuple(FORMATS),
        "help": "of -o -: nut (raw frames and sound), y4m (raw, no sound), mpegts, matroska (x264); --codec decides "
        "(nut)",
    },
}  # fmt: skip
STREAMS = (
    "INPUT and OUT may be addresses (rtsp, rtmp, srt, udp, rtp, http), playlists (.m3u8) or - for a pipe. Network "
    "sources are coloured as they come: frames for which there is no time are dropped, sound is passed on."
)


def add_fields(to: Any, options: type, arguments: Arguments, only: Iterable[str] | None = None) -> None:
    """Add `arguments`, or those that `only` names, to a parser or group; defaults are those of the class `options`."""
    defaults = options()
    for name in arguments if only is None else only:
        flags = [f"--{name.replace('_', '-')}", *([ALSO[name]] if name in ALSO else [])]
        to.add_argument(*flags, default=getattr(defaults, name), **arguments[name])


def color_group(parser: argparse.ArgumentParser, only: Iterable[str] | None = None) -> None:
    """How frames are coloured: `ColorOptions`."""
    add_fields(parser.add_argument_group("colour"), ColorOptions, COLOR, only)


def encode_group(parser: argparse.ArgumentParser) -> None:
    """How a film is written: `EncodeOptions`."""
    add_fields(parser.add_argument_group("writing"), EncodeOptions, ENCODE)


def film_group(parser: argparse.ArgumentParser) -> None:
    """Which part of a film, and its shots: `FilmOptions`."""
    add_fields(parser.add_argument_group("film"), FilmOptions, FILM)


def stream_group(parser: argparse.ArgumentParser) -> None:
    """How a stream is read and written: `StreamOptions`."""
    add_fields(parser.add_argument_group("streams", STREAMS), StreamOptions, STREAM)


def message_group(parser: argparse.ArgumentParser, *, quiet: str = "only errors", json: str = "") -> None:
    """What is told: `--quiet`, and `--json` where its help is given."""
    group = parser.add_argument_group("messages")
    group.add_argument("-q", "--quiet", action="store_true", help=quiet)
    if json:
        group.add_argument("--json", action="store_true", help=json)


def build(options: type[Options], parsed: argparse.Namespace) -> Options:
    """An object of the class `options`, from all of its fields that the command has; the others keep their defaults.

    Raises:
        OptionError: a value is out of its range, or two contradict each other.
    """
    given = {f.name: getattr(parsed, f.name) for f in fields(options) if hasattr(parsed, f.name)}  # type: ignore[arg-type]
    return options(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
