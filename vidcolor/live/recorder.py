"""Records coloured live frames to a file, without delaying the picture."""

from __future__ import annotations

import os
import queue
import threading
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from vidcolor.color.encoding import UNSPECIFIED
from vidcolor.errors import OutputError, VidcolorError
from vidcolor.live.session import Shown
from vidcolor.options import CODECS, EncodeOptions
from vidcolor.video.encoder import EVEN_ONLY, PRIMARIES, Encoder, VideoSettings, divides, encoder_options
from vidcolor.video.faults import reason
from vidcolor.video.formats import choose_format, copy_properties, plane
from vidcolor.video.muxer import container_for, default_codec
from vidcolor.video.probe import encoding_of
from vidcolor.video.target import check_target

TICKS = Fraction(1, 90_000)
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
        self.name = container_for(target)
        self.partial = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
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
                os.replace(self.partial, self.target)
        except VidcolorError as error:
            self.error = error
        except (av.FFmpegError, OSError, ValueError) as error:
            self.error = OutputError(f"{self.target}: recording stopped, {reason(error)}; check the disk")
        finally:
            self.partial.unlink(missing_ok=True)

    def write(self, first: Shown) -> None:
        settings = self.settings(first)
        with av.open(str(self.partial), "w", format=self.name) as container:
            stream = container.add_stream(settings.encoder, rate=30)
            assert isinstance(stream, VideoStream)
            settings.configure(stream.codec_context)
            stream.time_base = settings.time_base
            encoder = Encoder(settings, stream.codec_context)
            shown: Shown | None = first
            last = -1
            while shown is not None:
                stamp = max(last + 1, round((shown.taken - first.taken) / TICKS))
                frame = shown.frame.reformat(settings.width, settings.height, settings.pix_fmt)
                if frame is shown.frame:
                    frame = copied(frame)  # other outputs use it too
                frame.pts, frame.time_base, last = stamp, TICKS, stamp
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    container.mux(packet)
                self.frames += 1
                shown = self.queue.get()
            for packet in encoder.finish():
                packet.stream = stream
                container.mux(packet)

    def settings(self, first: Shown) -> VideoSettings:
        """Settings of the file, from its first frame."""
        frame = first.frame
        encoder, name = CODECS[self.codec], frame.format.name
        available = [f.name for f in av.Codec(encoder, "w").video_formats or ()]
        if encoder in EVEN_ONLY:
            available = [n for n in available if divides(n, frame.width, frame.height)]
        pix_fmt = choose_format(available, name, self.options.pix_fmt, self.codec)
        encoding = encoding_of(name, pix_fmt, frame.width, frame.height, frame.colorspace, frame.color_range)
        options = dict(encoder_options(self.codec, encoder, self.options))
        if encoder in ("libx264", "libx265"):
            options.setdefault("preset", PRESET)
        tags = frame.color_primaries, frame.color_trc
        if tags == (UNSPECIFIED, UNSPECIFIED):
            tags = PRIMARIES.get(encoding.matrix, tags)  # those that a player assumes, as for films
        return VideoSettings(
            encoder, tuple(options.items()), frame.width, frame.height, pix_fmt, encoding, TICKS, None, first.aspect,
            None, *tags,
        )  # fmt: skip


def copied(frame: av.VideoFrame) -> av.VideoFrame:
    """A planar frame of its own."""
    out = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for i in range(len(frame.planes)):
        plane(out, i)[:] = plane(frame, i)
    copy_properties(frame, out)
    return out
