"""A stream from end to end: what is checked, opened, run and said at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from vidcolor.atomic import AtomicFile
from vidcolor.backends import Backend
from vidcolor.errors import Cancelled, InputError, OptionError
from vidcolor.frames.summary import Progress, Summary
from vidcolor.frames.workers import Worker
from vidcolor.live.streams.address import LIVE, PIPE, is_stream_target, name_of, scheme
from vidcolor.live.streams.feed import ENDED, Feed
from vidcolor.live.streams.muxer import ReaderGone, StreamMuxer
from vidcolor.live.streams.options import StreamOptions
from vidcolor.live.streams.outlet import Outlet
from vidcolor.live.streams.run import Run, Signals
from vidcolor.live.streams.settings import stream_settings
from vidcolor.live.streams.sink import Note, Sink
from vidcolor.live.streams.source import Source
from vidcolor.live.streams.templates import Templates
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorizeOptions, EncodeOptions, FilmOptions
from vidcolor.provenance import credit, credited
from vidcolor.video.encoder import VideoSettings, video_settings
from vidcolor.video.muxer import Muxer, default_codec
from vidcolor.video.target import check_target

STDOUT = 1


@dataclass(frozen=True)
class StreamHooks:
    """Who looks on, and who can end it."""

    stop: threading.Event = field(default_factory=threading.Event)  # ends the stream, and finishes the target properly
    progress: Progress | None = None
    note: Note = lambda _: None  # is told of connections lost and found
    stdout: int = STDOUT  # descriptor that a piped target is written to


class SourceLost(InputError):
    """The source went away and did not come back; `summary` says what was written until then."""

    def __init__(self, message: str, summary: Summary) -> None:
        super().__init__(message)
        self.summary = summary


def colorize_stream(
    source: str, target: str, backend: Backend, options: ColorizeOptions, stream: StreamOptions | None = None, *,
    hooks: StreamHooks | None = None, model: ModelIdentity | None = None,
) -> Summary:  # fmt: skip
    """Colour a stream into a stream or file until it ends or the hooks' `stop` is set.

    Only a film from a file into a playlist is a whole or nothing: there `stop` leaves nothing behind. `model` is the
    network's; a file says in its metadata that it was used.

    Raises:
        InputError: the source cannot be read.
        SourceLost: it was lost and has not come back; the target is finished, with what came before.
        OutputError: the target cannot be written, or was lost and has not come back.
        Cancelled: `stop` was set before anything came, or a whole was wanted.
    """
    began = time.perf_counter()
    job = StreamJob(source, target, options, stream or StreamOptions(), hooks or StreamHooks(), model)
    job.run(backend)
    job.summary.seconds = time.perf_counter() - began
    job.check_source()
    return job.summary


class StreamJob:
    """One stream being coloured; see `colorize_stream`."""

    def __init__(
        self, source: str, target: str, options: ColorizeOptions, stream: StreamOptions, hooks: StreamHooks,
        model: ModelIdentity | None,
    ) -> None:  # fmt: skip
        self.credit = credit(model or ModelIdentity()) if options.tag else ""
        self.target, self.options, self.hooks = target, options, hooks
        self.outlet = Outlet.of(target, stream) if is_stream_target(target) else None
        check(source, target, self.outlet, options)
        if self.outlet is not None and self.outlet.network and not stream.live:
            stream = replace(stream, realtime=True)  # a peer plays what it gets
        self.stream = stream
        self.ending, self.gave_up = threading.Event(), threading.Event()
        self.source = Source(source, stream, self.ending)
        self.summary = Summary(self.source.name, self.outlet.name if self.outlet else target)

    def run(self, backend: Backend) -> None:
        """From the first connection to the target's end."""
        self.summary.backend = backend.name
        self.feed = open_feed(self.source, self.options, self.hooks)
        whole = not self.feed.live and not self.source.once and self.target != PIPE
        self.connected = False
        try:
            self.color(backend)
            if whole and self.hooks.stop.is_set():
                raise Cancelled(f"{self.source.name}: stopped; nothing was written")
        except ReaderGone as error:
            self.summary.notes.append(str(error))
        except BaseException:
            if self.outlet is not None and whole and self.connected:
                self.outlet.remove_playlist()
            raise
        finally:
            self.ending.set()
            self.feed.leave()
        report(self.summary, self.feed)

    def color(self, backend: Backend) -> None:
        """Connect to the target, and run the threads."""
        settings, connect = self.to_file() if self.outlet is None else self.to_outlet(self.outlet)
        if self.outlet is not None and self.options.overwrite:
            self.outlet.remove_playlist()
        reconnect = self.stream.reconnect_timeout(network=self.outlet is not None and self.outlet.network)
        keys = self.outlet is not None
        sink = Sink(connect, settings, self.summary.target, reconnect, self.hooks.note, keys=keys)
        self.connected = True
        signals = Signals(self.hooks.stop, self.ending, self.gave_up)
        Run(self.feed, sink, self.options, self.summary, signals, self.hooks.progress).run(backend)

    def to_file(self) -> tuple[VideoSettings, Callable[[], Muxer]]:
        """Settings of the encoder, and what opens the target where it is a file."""
        reader, path = self.feed.reader, Path(self.target)
        assert reader is not None
        codec = self.options.codec or default_codec(path)
        encode: EncodeOptions = self.options
        if self.feed.live:
            settings = stream_settings(reader.info, encode, codec, live=True, plain=False)
        else:
            settings = video_settings(reader.info, encode, codec)
        others, covers = reader.others, reader.covers
        info = replace(reader.info, tags=credited(reader.info.tags, self.credit)) if self.credit else reader.info
        return settings, lambda: Muxer(
            path, info, settings, codec=codec, others=others, covers=covers,
            file=AtomicFile(path, overwrite=encode.overwrite),
        )  # fmt: skip

    def to_outlet(self, outlet: Outlet) -> tuple[VideoSettings, Callable[[], StreamMuxer]]:
        """The same where it is a stream."""
        reader, live = self.feed.reader, self.feed.live
        assert reader is not None
        codec = self.options.codec or outlet.codec
        settings = stream_settings(reader.info, self.options, codec, live=live, plain=outlet.plain)
        templates, stdout = Templates(reader), self.hooks.stdout

        def connect() -> StreamMuxer:
            return StreamMuxer(outlet, templates, settings, live=live, stdout=stdout, gave_up=self.gave_up)

        return settings, connect

    def check_source(self) -> None:
        """Whether the source has ended by itself or by the user.

        Raises:
            SourceLost: it has not.
        """
        name, lost = self.source.name, self.feed.lost
        if lost and lost != ENDED and not self.hooks.stop.is_set():
            raise SourceLost(
                f"{name}: {lost}; what came before is in {self.summary.target}, start it again or raise --reconnect",
                self.summary,
            )


def check(source: str, target: str, outlet: Outlet | None, options: ColorizeOptions) -> None:
    """Everything that can be refused before a connection is made."""
    if options.shots or options.save_shots:
        raise OptionError("shots and save-shots are for films in files; leave them out")
    if options.references or options.references_by is not None:
        raise OptionError("references are for films in files; save the film first, or leave them out")
    if options.verify or options.sidecar or options.framemd5:
        raise OptionError("verify, sidecar and framemd5 are for files that are read again; leave them out")
    if options.start is not None and scheme(source) in LIVE:
        raise OptionError(f"{name_of(source)}: is live and has no start; leave start out")
    if source != PIPE and not scheme(source) and not Path(source).exists():
        raise InputError(f"{source}: no such file; check the name")
    if outlet is None:
        check_target(Path(target), overwrite=options.overwrite, source=source)
        default_codec(Path(target))
        return
    outlet.check_codec(options.codec or outlet.codec)
    outlet.check(overwrite=options.overwrite, source=source)


def open_feed(source: Source, options: FilmOptions, hooks: StreamHooks) -> Feed:
    """Open the source in a thread of its own, so that the user can leave meanwhile.

    Raises:
        Cancelled: the hooks' `stop` was set.
    """
    found: list[Feed | BaseException] = []

    def open_source() -> None:
        try:
            feed = Feed(source, hooks.note, start=options.start, end=options.end)
            found.append(feed)
            if source.stop.is_set():
                feed.leave()
        except BaseException as error:
            found.append(error)

    worker = Worker("open", open_source, daemon=True)  # FFmpeg gives up late; who presses Ctrl-C need not wait for it
    worker.start()
    while not worker.over.wait(0.05):
        if hooks.stop.is_set():
            source.stop.set()
            raise Cancelled(f"{source.name}: stopped before anything came; nothing was written")
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def report(summary: Summary, feed: Feed) -> None:
    """What a stream has been through."""
    summary.damaged = feed.damaged
    summary.reconnected += feed.reconnected
    if feed.resized:
        summary.warnings.append(f"{feed.resized} frames came in another size and were scaled")
    if feed.retimed:
        summary.warnings.append(f"{feed.retimed} frames had no usable time stamp and got one")
    if feed.lost == ENDED and feed.reconnect:
        summary.warnings.append(f"the sender ended it and did not come back within {feed.reconnect:g} s")
