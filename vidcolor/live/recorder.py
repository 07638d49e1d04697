"""Records coloured live frames to a file, without delaying the picture."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from vidcolor.atomic import AtomicFile
from vidcolor.errors import OutputError, VidcolorError
from vidcolor.live.session import Shown
from vidcolor.options import EncodeOptions
from vidcolor.video.encoder import Encoder, VideoSettings, video_settings
from vidcolor.video.faults import reason
from vidcolor.video.formats import copy_properties, plane
from vidcolor.video.info import FilmInfo
from vidcolor.video.muxer import Muxer, default_codec
from vidcolor.video.probe import encoding_of
from vidcolor.video.sidedata import rotation_matrix
from vidcolor.video.target import check_target

TICKS = Fraction(1, 90_000)
RATE = Fraction(30)  # frames a second that an encoder reckons with; every frame has a time stamp of its own
WAITING = 30  # frames that may wait for the encoder; any more are dropped and counted
PRESET = "veryfast"  # for x264 and x265 while the picture is live


class Recorder:
    """Writes frames with the times of their capture; `close` gives the file its name.

    The size is that of the first frame; frames of another one are scaled. It is an output of `LiveSession`: call it
    with every coloured frame.

    Attributes:
        target: the file.
        frames: written so far.
        dropped: frames dropped because the encoder was too slow.
        error: why writing has stopped, if it has.

    Raises:
        OutputError: the target exists already, or cannot be written.
    """

    def __init__(self, target: Path, options: EncodeOptions) -> None:
        check_target(target, overwrite=options.overwrite)
        self.target, self.options = target, options
        self.codec = options.codec or default_codec(target)
        self.frames = self.dropped = 0
        self.error: VidcolorError | None = None
        self.queue: queue.Queue[Shown | None] = queue.Queue(WAITING)
        self.thread = threading.Thread(target=self.work, name="record")
        self.thread.start()

    def __call__(self, shown: Shown) -> None:
        try:
            self.queue.put_nowait(shown)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write the waiting frames and finish the file. Without a frame, or after an error, no file is left."""
        while self.thread.is_alive():  # after an error nobody empties the queue
            try:
                self.queue.put(None, timeout=0.1)
                break
            except queue.Full:
                continue
        self.thread.join()

    def work(self) -> None:
        try:
            first = self.queue.get()
            if first is not None:
                self.write(first)
        except VidcolorError as error:
            self.error = error
        except (av.FFmpegError, OSError, ValueError) as error:
            self.error = OutputError(f"{self.target}: recording stopped, {reason(error)}; check the disk")

    def write(self, first: Shown) -> None:
        """All frames, until None comes."""
        info = info_of(first)
        settings = video_settings(info, self.encode_options(), self.codec)
        file = AtomicFile(self.target, overwrite=self.options.overwrite)
        muxer = Muxer(self.target, info, settings, codec=self.codec, file=file)
        try:
            self.encode(first, settings, muxer)
            muxer.finish()
        except BaseException:
            muxer.abandon()
            raise

    def encode(self, first: Shown, settings: VideoSettings, muxer: Muxer) -> None:
        encoder = Encoder(settings, muxer.video.codec_context)
        shown: Shown | None = first
        last = -1
        while shown is not None:
            stamp = max(last + 1, round((shown.taken - first.taken) / TICKS))
            frame = shown.frame.reformat(settings.width, settings.height, settings.pix_fmt)
            if frame is shown.frame:
                frame = copied(frame)  # other outputs use it too
            frame.pts, frame.time_base, last = stamp, TICKS, stamp
            muxer.mux_video(encoder.encode(frame))
            self.frames += 1
            shown = self.queue.get()
        muxer.mux_video(encoder.finish())

    def encode_options(self) -> EncodeOptions:
        """The user's, with a preset that is fast enough for a live picture."""
        if self.options.preset is None and self.codec in ("x264", "x265"):
            return replace(self.options, preset=PRESET)
        return self.options


def info_of(first: Shown) -> FilmInfo:
    """A recording as a film, from its first frame."""
    frame = first.frame
    encoding = encoding_of(
        frame.format.name, frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range
    )
    matrix = rotation_matrix(first.rotation) if first.rotation else None
    return FilmInfo(
        frame.width, frame.height, frame.format.name, encoding, TICKS, RATE, 0, aspect=first.aspect, is_tagged=False,
        display_matrix=matrix, primaries=frame.color_primaries, transfer=frame.color_trc,
    )  # fmt: skip


def copied(frame: av.VideoFrame) -> av.VideoFrame:
    """A planar frame of its own."""
    out = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for i in range(len(frame.planes)):
        plane(out, i)[:] = plane(frame, i)
    copy_properties(frame, out)
    return out
