"""The other streams of a source, kept without its connection: to be declared again on every new one."""

from __future__ import annotations

import io

import av
from av.stream import Stream

from vidcolor.video.output import kept_tags
from vidcolor.video.reader import Reader


class Templates:
    """Copies of a reader's sound and subtitle streams, held by a container in memory that is never written.

    A stream of the reader itself must not be touched once its connection is closed.

    Attributes:
        streams: by the index that the reader gives them.
        warnings: one line for each stream that is left out.
    """

    def __init__(self, reader: Reader) -> None:
        self.holder = av.open(io.BytesIO(), "w", format="nut")
        self.streams: dict[int, Stream] = {}
        self.warnings: list[str] = []
        for stream in reader.others:
            if stream.type not in ("audio", "subtitle") or stream.codec_context is None:
                self.warnings.append(f"{stream.type} stream {stream.index} dropped: streams carry picture and sound")
                continue
            try:
                copy = self.holder.add_stream_from_template(stream, opaque=True)
            except (av.FFmpegError, ValueError):
                self.warnings.append(f"{stream.type} stream {stream.index} dropped: it cannot be passed on")
                continue
            copy.metadata.update(kept_tags(stream.metadata))
            copy.disposition = stream.disposition
            self.streams[stream.index] = copy
