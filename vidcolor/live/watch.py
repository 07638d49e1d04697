"""One live source from capture to window, recording and virtual camera; what `vidcolor webcam` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from PIL import Image

from vidcolor.api import Colorizer
from vidcolor.atomic import AtomicFile
from vidcolor.errors import OutputError
from vidcolor.live.capture import Capture, Captured
from vidcolor.live.colorizer import LiveColorizer
from vidcolor.live.controls import Controls
from vidcolor.live.newest import Closed, Newest
from vidcolor.live.options import WatchOptions
from vidcolor.live.recorder import Recorder
from vidcolor.live.session import LiveSession, Meter, Shown
from vidcolor.live.view import compose
from vidcolor.live.virtual import VirtualCamera
from vidcolor.live.window import Status, Window, show

MESSAGE_SECONDS = 2.5  # that a message stays in the window


class Watcher:
    """The source, its colouring and its outputs; `run` returns when the user or the source ends it.

    Attributes:
        meter: rate and latency of what was shown.
    """

    def __init__(
        self, source: str, colorizer: Colorizer, watch: WatchOptions, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self.source, self.watch, self.note = source, watch, note
        self.options = colorizer.options
        strength = self.options.strength
        self.controls = Controls(mode=watch.mode, strength=strength, usual=strength)
        self.capture = Capture(source, Newest[Captured](), request=watch.camera, loop=watch.loop, note=note)
        self.session = LiveSession(self.capture, LiveColorizer(colorizer.backend, self.options))
        self.recorder: Recorder | None = None
        self.meter = Meter()
        self.message, self.said, self.began = "", 0.0, 0.0

    def run(self) -> None:
        """Watch until the end; recordings are finished whatever happens."""
        with ExitStack() as stack:
            stack.callback(self.capture.close)  # where the threads were not started
            window = self.open_window(stack) if self.watch.window else None
            if self.watch.virtual_camera is not None:
                camera = VirtualCamera(self.watch.virtual_camera)
                stack.callback(camera.close)
                self.session.outputs.append(camera)
            stack.callback(self.stop_recording)
            if self.watch.output is not None:
                self.start_recording(self.watch.output)
            self.began = time.monotonic()
            with self.session:
                if window is not None:
                    self.meter = show(self.session, window, self.describe, self.serve)
                else:
                    self.run_blind()

    def open_window(self, stack: ExitStack) -> Window:
        title = f"vidcolor: {self.capture.label}"
        return stack.enter_context(Window(title, self.controls, self.capture.size))

    def run_blind(self) -> None:
        """Run without a window."""
        while not self.controls.quit:
            try:
                shown = self.session.next(0.1)
            except Closed:
                return
            if shown is not None:
                self.meter.add(shown.taken)
            self.serve(shown)

    def serve(self, shown: Shown | None) -> None:
        """Do what the user has asked for since the last frame."""
        controls = self.controls
        self.session.colorizer.strength = controls.strength
        if self.capture.is_file:
            (self.capture.paused.set if controls.paused else self.capture.paused.clear)()
        if controls.snapshot and shown is not None:
            controls.snapshot = False
            self.snapshot(shown)
        if controls.record and self.recorder is None:
            self.start_recording(self.free_name(".mp4"))
        elif not controls.record and self.recorder is not None:
            self.stop_recording()
        if self.recorder is not None and self.recorder.error is not None:
            self.stop_recording()
        if self.watch.seconds is not None and time.monotonic() - self.began > self.watch.seconds:
            controls.quit = True

    def start_recording(self, target: Path) -> None:
        self.recorder = Recorder(target, self.options)
        self.session.outputs.append(self.recorder)
        self.controls.record = True
        self.say(f"recording {target}")

    def stop_recording(self) -> None:
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return
        self.controls.record = False
        self.session.outputs.remove(recorder)
        recorder.close()
        if recorder.error is not None:
            if self.watch.output == recorder.target:
                raise recorder.error
            self.say(str(recorder.error))
        elif recorder.frames:
            missed = f", {recorder.dropped} dropped: the encoder was too slow" if recorder.dropped else ""
            self.say(f"{recorder.target}: {recorder.frames} frames{missed}")

    def snapshot(self, shown: Shown) -> None:
        target = self.free_name(".png")
        picture = Image.fromarray(compose(shown.frame, shown.size, "color", rotation=shown.rotation))
        try:
            with AtomicFile(target, overwrite=False) as partial:
                picture.save(partial, "PNG")
        except OutputError as error:
            self.say(str(error))
            return
        self.say(f"{target}")

    def free_name(self, suffix: str) -> Path:
        """A file that does not exist yet, named by date and time."""
        stem = f"vidcolor-{datetime.now():%Y%m%d-%H%M%S}"
        target, number = self.watch.folder / f"{stem}{suffix}", 1
        while target.exists():
            target, number = self.watch.folder / f"{stem}-{number}{suffix}", number + 1
        return target

    def say(self, text: str) -> None:
        self.message, self.said = text, time.monotonic()
        self.note(text)

    def describe(self, meter: Meter) -> Status:
        """The lines in the window."""
        controls = self.controls
        lines = [
            f"{meter.rate:.1f} fps   {1000 * meter.latency:.0f} ms   {self.session.dropped} dropped   "
            f"colour {controls.strength:.1f}" + ("   REC" if self.recorder is not None else "")
        ]
        if time.monotonic() - self.said < MESSAGE_SECONDS:
            lines.append(self.message)
        alert = "paused: space goes on" if controls.paused else self.capture.status
        return Status(lines, alert)
