"""A stream from end to end: what is checked, opened, run and said at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from vidcolor.backends import Backend
from vidcolor.errors import Cancelled, InputError, OptionError
from vidcolor.frames.summary import Progress, Summary
from vidcolor.frames.workers import Worker
from vidcolor.live.streams.address import LIVE, PIPE, is_stream_target, name_of, scheme
from vidcolor.live.streams.feed import ENDED, Feed
from vidcolor.live.streams.muxer import ReaderGone, StreamMuxer
from vidcolor.live.streams.options import StreamOptions
from vidcolor.live.streams.outlet import Outlet
from vidcolor.live.streams.run import Run
from vidcolor.live.streams.settings import stream_settings
from vidcolor.live.streams.sink import Note, Sink
from vidcolor.live.streams.source import Source
from vidcolor.live.streams.templates import Templates
from vidcolor.options import ColorizeOptions
from vidcolor.video.encoder import VideoSettings, video_settings
from vidcolor.video.muxer import Muxer, default_codec
from vidcolor.video.target import check_target

STDOUT = 1


@dataclass(frozen=True)
class Way:
    """How one stream is run, once its source is known."""

    settings: VideoSettings
    make: Callable[[], StreamMuxer | Muxer]  # connects to the target


class SourceLost(InputError):
    """The source went away and did not come back; `summary` says what was written until then."""

    def __init__(self, message: str, summary: Summary) -> None:
        super().__init__(message)
        self.summary = summary


def colorize_stream(
    source: str,
    target: str,
    backend: Backend,
    options: ColorizeOptions,
    stream: StreamOptions | None = None,
    *,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    note: Note = lambda _: None,
    stdout: int = STDOUT,
) -> Summary:
    """Colour a stream into a stream or file until it ends or `stop` is set, which finishes the target properly.

    Only a film from a file into a playlist is a whole or nothing: there `stop` leaves nothing behind. `note` is told of
    connections lost and found; `stdout` is the descriptor that a piped target is written to.

    Raises:
        InputError: the source cannot be read.
        SourceLost: it was lost and has not come back; the target is finished, with what came before.
        OutputError: the target cannot be written, or was lost and has not come back.
        Cancelled: `stop` was set before anything came, or a whole was wanted.
    """
    began, stop, stream = time.perf_counter(), stop or threading.Event(), stream or StreamOptions()
    outlet = Outlet.of(target, stream) if is_stream_target(target) else None
    check(source, target, outlet, options)
    if outlet is not None and outlet.network and not stream.live:
        stream = replace(stream, realtime=True)  # a peer plays what it gets
    ending, gave_up = threading.Event(), threading.Event()
    origin = Source(source, stream, ending)
    summary = Summary(origin.name, outlet.name if outlet else target, backend=backend.name)
    feed = open_feed(origin, options, note, stop)
    whole = not feed.live and source != PIPE and target != PIPE
    made = False
    try:
        way = find_way(feed, target, outlet, options, stdout=stdout, gave_up=gave_up)
        if outlet is not None and options.overwrite:
            outlet.remove_playlist()
        patience = stream.patience(network=outlet is not None and outlet.network)
        sink, made = Sink(way.make, way.settings, summary.target, patience, note, keys=outlet is not None), True
        run = Run(feed, sink, options, summary, stop=stop, ending=ending, gave_up=gave_up, progress=progress)
        run.run(backend)
        if whole and stop.is_set():
            raise Cancelled(f"{origin.name}: stopped; nothing was written")
    except ReaderGone as error:
        summary.notes.append(str(error))
    except BaseException:
        if outlet is not None and whole and made:
            outlet.remove_playlist()
        raise
    finally:
        ending.set()
        feed.leave()
    report(summary, feed)
    summary.seconds = time.perf_counter() - began
    if feed.lost and not stop.is_set() and feed.lost != ENDED:
        raise SourceLost(
            f"{origin.name}: {feed.lost}; what came before is in {summary.target}, start it again or raise --reconnect",
            summary,
        )
    return summary


def check(source: str, target: str, outlet: Outlet | None, options: ColorizeOptions) -> None:
    """Everything that can be refused before a connection is made."""
    if options.shots or options.save_shots:
        raise OptionError("shots and save-shots are for films in files; leave them out")
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


def open_feed(source: Source, options: ColorizeOptions, note: Note, stop: threading.Event) -> Feed:
    """Open the source in a thread of its own, so that the user can leave meanwhile.

    Raises:
        Cancelled: `stop` was set.
    """
    found: list[Feed | BaseException] = []

    def open_source() -> None:
        try:
            feed = Feed(source, note, start=options.start, end=options.end)
            found.append(feed)
            if source.stop.is_set():
                feed.leave()
        except BaseException as error:
            found.append(error)

    worker = Worker("open", open_source, daemon=True)  # FFmpeg gives up late; who presses Ctrl-C need not wait for it
    worker.start()
    while not worker.over.wait(0.05):
        if stop.is_set():
            source.stop.set()
            raise Cancelled(f"{source.name}: stopped before anything came; nothing was written")
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def find_way(
    feed: Feed, target: str, outlet: Outlet | None, options: ColorizeOptions, *,
    stdout: int, gave_up: threading.Event,
) -> Way:  # fmt: skip
    """Settings of the encoder, and how the target is connected."""
    reader = feed.reader
    assert reader is not None
    if outlet is None:
        path = Path(target)
        codec = options.codec or default_codec(path)
        if feed.live:
            settings = stream_settings(reader, options, codec, live=True, plain=False)
        else:
            settings = video_settings(reader.info, options, codec)
        return Way(
            settings,
            lambda: Muxer(path, reader.info, settings, codec=codec, others=reader.others, covers=reader.covers),
        )
    codec = options.codec or outlet.codec
    settings = stream_settings(reader, options, codec, live=feed.live, plain=outlet.plain)
    templates = Templates(reader)

    def make() -> StreamMuxer:
        return StreamMuxer(outlet, templates, settings, live=feed.live, stdout=stdout, gave_up=gave_up)

    return Way(settings, make)


def report(summary: Summary, feed: Feed) -> None:
    """What a stream has been through."""
    summary.damaged = feed.damaged
    summary.reconnected += feed.reconnected
    if feed.resized:
        summary.warnings.append(f"{feed.resized} frames came in another size and were scaled")
    if feed.retimed:
        summary.warnings.append(f"{feed.retimed} frames had no usable time stamp and got one")
    if feed.lost == ENDED and feed.patience:
        summary.warnings.append(f"the sender ended it and did not come back within {feed.patience:g} s")
