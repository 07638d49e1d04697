"""`vidcolor webcam`: a live picture in a window; also what `--preview` shows."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidcolor.cli.faults import DONE, FAILED, endings, told
from vidcolor.cli.groups import build, color_group, message_group
from vidcolor.cli.terminal import Terminal
from vidcolor.cli.values import video_size
from vidcolor.errors import OptionError
from vidcolor.live.options import MODES, CameraRequest, WatchOptions
from vidcolor.options import ColorizeOptions

if TYPE_CHECKING:
    from vidcolor.live.watch import Watcher

EPILOG = """in the window: q quit, space pause, s snapshot, r record, c compare mode, + - 0 colour, h help

examples:
  vidcolor webcam                            the first camera
  vidcolor webcam webcam:1 -o evening.mp4    the second one, recorded
  vidcolor webcam rtsp://camera/stream       a network camera
  vidcolor film.mp4 --preview                a film, played in colour"""


COLOR_FIELDS = ("strength", "smoothing", "smoother", "size", "backend", "model")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vidcolor webcam",
        description="A camera, a stream or a film in colour, in a window.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    camera, watch = CameraRequest(), WatchOptions()
    add = parser.add_argument
    add("source", nargs="?", default="webcam", metavar="SOURCE",
        help="webcam, webcam:1, webcam:NAME, /dev/video0, an address or a file (webcam)")  # fmt: skip
    add("--list", action="store_true", help="name the cameras and stop")
    add("--video-size", type=video_size, default=(camera.width, camera.height), metavar="WxH",
        help=f"of the camera's picture ({camera.width}x{camera.height})")  # fmt: skip
    add("--framerate", type=float, default=camera.rate, metavar="N", help="of the camera (%(default)g)")
    add("--view", dest="mode", choices=MODES, default=watch.mode, help="compare mode at first (%(default)s)")
    add("-o", "--output", type=Path, metavar="FILE", help="record into FILE from the start")
    add("-y", "--overwrite", action="store_true", help="replace FILE if it exists")
    add("--folder", type=Path, default=watch.folder, metavar="DIR", help="for snapshots and recordings (here)")
    add(
        "--virtual-camera", nargs="?", const="", metavar="DEVICE", help="show the picture as a camera to other programs"
    )
    add("--no-window", dest="window", action="store_false", help="only record, or feed the virtual camera")
    add("--seconds", type=float, metavar="N", help="stop after so long")
    add("--loop", action="store_true", help="begin a file again at its end")
    color_group(parser, COLOR_FIELDS)
    message_group(parser)
    return parser


def run(argv: Sequence[str]) -> int:
    """Show what is asked for and give the exit status."""
    parsed = make_parser().parse_args(list(argv))
    terminal = Terminal(quiet=parsed.quiet)
    return told(terminal, lambda: start(parsed, terminal))


def start(parsed: argparse.Namespace, terminal: Terminal) -> int:
    """The list of cameras, or a window."""
    if parsed.list:
        return print_cameras(terminal)
    width, height = parsed.video_size
    view = replace(build(WatchOptions, parsed), camera=CameraRequest(width, height, parsed.framerate))
    return watch(parsed.source, build(ColorizeOptions, parsed), view, terminal)


def end(watcher: Watcher) -> None:
    """Ctrl-C: end as the key q does, which finishes a recording; the second time at once."""
    if watcher.controls.quit:
        raise KeyboardInterrupt
    watcher.controls.quit = True


def print_cameras(terminal: Terminal) -> int:
    from vidcolor.live.devices import list_cameras

    cameras = list_cameras()
    for number, camera in enumerate(cameras):
        terminal.out(f"webcam:{number}  {camera.name}  {camera.address}")
    if not cameras:
        terminal.error("no camera is connected; plug one in, or give a file or an address")
    return DONE if cameras else FAILED


def watch(source: str, options: ColorizeOptions, view: WatchOptions, terminal: Terminal) -> int:
    """Watch one source until the user or the source ends it.

    Raises:
        VidcolorError: it cannot be opened, coloured, shown or recorded.
    """
    from vidcolor.api import Colorizer
    from vidcolor.live.watch import Watcher

    if not view.folder.is_dir():
        raise OptionError(f"{view.folder}: is no folder; make it first")
    with Colorizer(options) as colorizer:
        terminal.note(f"backend {colorizer.backend.description} ({colorizer.why})")
        watcher = Watcher(source, colorizer, view, terminal.note)
        for number in endings(ctrl_c=True):
            signal.signal(number, lambda *_: end(watcher))
        watcher.run()
        meter, dropped, label = watcher.meter, watcher.session.dropped, watcher.capture.label
        terminal.note(f"{label}: {meter.rate:.1f} fps, {1000 * meter.latency:.0f} ms, {dropped} frames dropped")
    return DONE
