"""The command line of `vidcolor webcam`, and of `--preview`."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidcolor.cli.terminal import Terminal
from vidcolor.errors import OptionError, VidcolorError
from vidcolor.live.options import MODES, CameraWish, WatchOptions
from vidcolor.options import BACKENDS, SMOOTHERS, ColorizeOptions

if TYPE_CHECKING:
    from vidcolor.live.watch import Watcher

EPILOG = """in the window: q quit, space pause, s snapshot, r record, c compare mode, + - 0 colour, h help

examples:
  vidcolor webcam                            the first camera
  vidcolor webcam webcam:1 -o evening.mp4    the second one, recorded
  vidcolor webcam rtsp://camera/stream       a network camera
  vidcolor film.mp4 --preview                a film, played in colour"""


def make_parser() -> argparse.ArgumentParser:
    defaults = ColorizeOptions()
    parser = argparse.ArgumentParser(
        prog="vidcolor webcam",
        description="A camera, a stream or a film in colour, in a window.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("source", nargs="?", default="webcam", metavar="SOURCE",
                        help="webcam, webcam:1, webcam:NAME, /dev/video0, an address or a file (webcam)")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name the cameras and stop")
    parser.add_argument(
        "--video-size", type=video_size, default=(640, 480), metavar="WxH", help="of the camera's picture (640x480)"
    )
    parser.add_argument("--framerate", type=float, default=30.0, metavar="N", help="of the camera (30)")
    parser.add_argument("--view", choices=MODES, default=MODES[0], help="compare mode at first (split)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="record into FILE from the start")
    parser.add_argument("-y", "--overwrite", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--folder", type=Path, default=Path(), metavar="DIR", help="for snapshots and recordings (here)"
    )
    parser.add_argument(
        "--virtual-camera", nargs="?", const="", metavar="DEVICE", help="show the picture as a camera to other programs"
    )
    parser.add_argument("--no-window", action="store_true", help="only record, or feed the virtual camera")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after so long")
    parser.add_argument("--loop", action="store_true", help="begin a file again at its end")
    parser.add_argument(
        "--strength", type=float, default=defaults.strength, metavar="0..2", help="amount of colour (1)"
    )
    parser.add_argument("--smoothing", type=float, default=defaults.smoothing, metavar="0..1",
                        help=f"how much colour is averaged along motion ({defaults.smoothing:g})")  # fmt: skip
    parser.add_argument("--smoother", choices=SMOOTHERS, default=defaults.smoother, help="how (auto: flow)")
    parser.add_argument("--size", type=int, default=defaults.size, metavar="PIXELS",
                        help=f"short side of what the network sees ({defaults.size})")  # fmt: skip
    parser.add_argument("--backend", choices=BACKENDS, default=defaults.backend, help="engine for the network (auto)")
    parser.add_argument("--model", type=Path, metavar="FILE", help="ONNX model instead of the shipped one")
    parser.add_argument("-q", "--quiet", action="store_true", help="only errors")
    return parser


def video_size(text: str) -> tuple[int, int]:
    """Width and height from "1280x720"."""
    try:
        width, height = (int(x) for x in text.lower().split("x"))
        if min(width, height) < 16:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give one such as 1280x720") from None
    return width, height


def webcam(argv: Sequence[str]) -> int:
    """`vidcolor webcam`: run it and give the exit status."""
    args = make_parser().parse_args(list(argv))
    terminal = Terminal(quiet=args.quiet, as_json=False)
    try:
        if args.list:
            return print_cameras(terminal)
        width, height = args.video_size
        options = ColorizeOptions(
            strength=args.strength, smoothing=args.smoothing, smoother=args.smoother, size=args.size,
            backend=args.backend, model=args.model, overwrite=args.overwrite,
        )  # fmt: skip
        watch = WatchOptions(
            camera=CameraWish(width, height, args.framerate), mode=args.view, output=args.output, folder=args.folder,
            virtual_camera=args.virtual_camera, window=not args.no_window, loop=args.loop, seconds=args.seconds,
        )  # fmt: skip
    except VidcolorError as error:
        terminal.error(str(error))
        return 2 if isinstance(error, OptionError) else 1
    return run(args.source, options, watch, terminal)


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
    return 0 if cameras else 1


def run(source: str, options: ColorizeOptions, watch: WatchOptions, terminal: Terminal) -> int:
    """Watch one source; a fault is one line and status 1."""
    from vidcolor.api import Colorizer
    from vidcolor.live.watch import Watcher

    try:
        if not watch.folder.is_dir():
            raise OptionError(f"{watch.folder}: is no folder; make it first")
        with Colorizer(options) as colorizer:
            terminal.note(f"backend {colorizer.backend.description} ({colorizer.why})")
            watcher = Watcher(source, colorizer, watch, terminal.note)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: end(watcher))
            watcher.run()
            meter, dropped, label = watcher.meter, watcher.session.dropped, watcher.capture.label
            terminal.note(f"{label}: {meter.rate:.1f} fps, {1000 * meter.latency:.0f} ms, {dropped} frames dropped")
    except VidcolorError as error:
        terminal.error(str(error))
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        return 130
    return 0
