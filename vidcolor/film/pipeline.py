"""HOT PATH: reader thread, network and smoothing, writer thread, with bounded queues between them."""

from __future__ import annotations

import importlib.util
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from av.packet import Packet

from vidcolor.backends import Backend, cuda_present
from vidcolor.color.encoding import Encoding, prepare_lab
from vidcolor.color.proxy import LumaProxy, ProxySize, crop_grid, make_proxy, network_input
from vidcolor.errors import Cancelled
from vidcolor.frames.summary import Progress, Summary
from vidcolor.merge import chroma_writer
from vidcolor.merge.chroma import ChromaWriter, chroma_coefficients
from vidcolor.options import ColorizeOptions
from vidcolor.shots.cutlist import ShotList, read_shots
from vidcolor.shots.detector import GivenShots
from vidcolor.shots.report import ShotReport
from vidcolor.temporal.clock import Clock
from vidcolor.temporal.stabilizer import Stabilizer, StableColor
from vidcolor.video.encoder import (
    Encoder,
    VideoSettings,
    film_threads,
    output_frame,
    source_encoding,
    video_settings,
)
from vidcolor.video.formats import plane
from vidcolor.video.muxer import Muxer, default_codec
from vidcolor.video.reader import Reader, VideoInfo
from vidcolor.video.target import check_target

if TYPE_CHECKING:
    from vidcolor.frames.card import Card, CardFrames

SHORTFALL = 0.02  # share of its frames that a file may lack (edit lists hide some) before it is said
Watch = Callable[[av.VideoFrame], None]
QUEUE_BYTES = 32e6  # of frames between two threads; with the batch it bounds the memory of any film


@dataclass(frozen=True)
class Coloured:
    """A frame on its way to the writer, with the a*b* grid it shall get."""

    frame: av.VideoFrame
    small: LumaProxy
    ab: np.ndarray
    anew: bool  # it keeps nothing of the frame before


class HostFrames:
    """Frames in the CPU's memory: the small picture of each, and the coloured ones. `CardFrames` is the other way."""

    def __init__(self, encoding: Encoding, size: ProxySize, settings: VideoSettings, compare: bool) -> None:
        self.encoding, self.size, self.settings, self.compare = encoding, size, settings, compare

    @cached_property
    def chroma(self) -> ChromaWriter:
        return chroma_writer(self.settings.encoding)

    def make_proxy(self, frame: av.VideoFrame) -> LumaProxy:
        return make_proxy(plane(frame, 0), self.size, self.encoding)

    def merge(self, item: Coloured) -> Iterator[av.VideoFrame]:
        """The output frames that are ready, in order."""
        yield merge(item, self.settings, self.chroma, compare=self.compare)

    def finish(self) -> Iterator[av.VideoFrame]:
        """Those that were held back."""
        yield from ()


class Link:
    """A bounded queue between two threads that all threads leave when one of them has failed, or the user wants to.

    Where `over` says so, it also ends as soon as it is empty.
    """

    END = object()

    def __init__(self, stop: threading.Event, size: int, over: Callable[[], bool] = lambda: False) -> None:
        self.queue: queue.Queue = queue.Queue(size)
        self.stop, self.over = stop, over

    def check(self) -> None:
        if self.stop.is_set():
            raise Cancelled("stopped")

    def put(self, item: object) -> None:
        while True:
            self.check()
            try:
                return self.queue.put(item, timeout=0.1)
            except queue.Full:
                continue

    def __iter__(self) -> Iterator:
        while True:
            self.check()
            try:
                item = self.queue.get(timeout=0.1)
            except queue.Empty:
                if self.over():
                    return
                continue
            if item is Link.END:
                return
            yield item


def colorize_film(
    source: str | Path,
    target: Path,
    backend: Backend,
    options: ColorizeOptions,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    watch: Watch | None = None,
) -> Summary:
    """Colour one film; `target` appears when it is complete, and not at all otherwise.

    `watch` is shown every coloured frame before it is encoded, in the writer's thread, and must not change or keep it.

    Raises:
        InputError: the source cannot be read.
        OutputError: the target cannot be written.
        Cancelled: `cancel` was set.
    """
    began = time.perf_counter()
    target = Path(target)
    summary = Summary(str(source), str(target), backend=backend.name)
    codec = options.codec or default_codec(target)
    given = read_shots(options.shots) if options.shots else None
    shots = ShotReport(options.save_shots)
    card = find_card(backend, summary.notes)
    with Reader(source, start=options.start, end=options.end, hwaccel=card.hwaccel if card else None) as reader:
        check_target(target, overwrite=options.overwrite, source=str(source))
        shots.check(str(source), given=options.shots, overwrite=options.overwrite)
        settings = video_settings(reader, options, codec)
        if card:
            settings = card.settings(reader, settings, options, codec)
        settings = replace(settings, threads=film_threads(settings.encoder))
        host = HostFrames(reader.info.encoding, small_size_of(reader, options), settings, options.compare)
        frames = card.frames(host, reader.info.frames) if card else host
        muxer = Muxer(target, reader, settings, codec=codec)
        try:
            run_threads(
                reader, backend, muxer, frames, settings, options, given, shots, summary, progress, cancel, watch
            )
            muxer.finish()
        except BaseException:
            muxer.abandon()
            raise
        if card:
            card.report(reader)
        summary.warnings += muxer.warnings
        summary.damaged = reader.damaged
        if reader.resized:
            summary.warnings.append(f"{reader.resized} frames came in another size and were scaled")
        promised = 0 if reader.trims else reader.stream.frames
        if promised - summary.frames > max(2, promised * SHORTFALL):
            summary.warnings.append(
                f"the file promises {promised} frames, {summary.frames} could be read: is it whole?"
            )
        if reader.retimed:
            summary.warnings.append(f"{reader.retimed} frames had no usable time stamp and got one")
        summary.warnings += shots.write(str(source), reader.info.rate)
    if given and not reader.trims and given.starts[-1] >= summary.frames:
        summary.warnings.append(
            f"{options.shots}: has shots behind the film's {summary.frames} frames; is it this film's?"
        )
    summary.seconds = time.perf_counter() - began
    return summary


def find_card(backend: Backend, notes: list[str]) -> Card | None:
    """The card that frames shall stay on; None where the network runs on none, or torch does not reach it."""
    if backend.device != "cuda":
        return None
    if importlib.util.find_spec("torch") is None or not cuda_present():
        notes.append("frames go through the CPU's memory: no torch with CUDA is installed")
        return None
    from vidcolor.frames.card import Card

    return Card(notes)


def run_threads(
    reader: Reader,
    backend: Backend,
    muxer: Muxer,
    pictures: HostFrames | CardFrames,
    settings: VideoSettings,
    options: ColorizeOptions,
    given: ShotList | None,
    shots: ShotReport,
    summary: Summary,
    progress: Progress | None,
    cancel: threading.Event | None,
    watch: Watch | None,
) -> None:
    """Reader and writer in threads of their own, network and smoothing in this one; the first error is raised."""
    stop, errors = threading.Event(), []
    decoded, coloured = (Link(stop, queue_size(reader.info)) for _ in range(2))
    clocks = [Clock(), Clock(), Clock()]

    def guarded(work: Callable, *args) -> None:
        try:
            work(*args)
        except Cancelled:
            pass  # another thread failed, and has said so
        except BaseException as error:
            errors.append(error)
            stop.set()

    def report() -> None:
        if cancel is not None and cancel.is_set():
            raise Cancelled(f"{summary.source}: stopped; nothing was written")
        if progress is not None:
            summary.busy = {k: v for c in clocks for k, v in list(c.busy.items())}
            progress(summary, reader.info.frames)

    small_size = small_size_of(reader, options)
    read = (read_frames, reader, pictures, decoded, clocks[0])
    write = (write_frames, coloured, muxer, settings, pictures, clocks[2], watch)
    workers = [Worker(guarded, args) for args in (read, write)]
    cv_threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)  # three threads of ours and the codecs' share the cores already; OpenCV's would spin
        for worker in workers:
            worker.start()
        color_frames(decoded, coloured, backend, small_size, options, given, shots, summary, clocks[1], report)
    except Cancelled as error:
        if str(error) != "stopped":
            errors.append(error)
    except BaseException as error:
        errors.append(error)
    finally:
        if errors:
            stop.set()
        join(workers, stop, errors)
        cv2.setNumThreads(cv_threads)
    if errors:
        raise errors[0]
    summary.busy = {k: v for c in clocks for k, v in c.busy.items()}
    if progress is not None:
        progress(summary, summary.frames)


class Worker(threading.Thread):
    """A thread that says itself when its work is over.

    `Thread.join` cannot be trusted for that: interrupted by Ctrl-C, CPython 3.11 takes a running thread for ended.
    """

    def __init__(self, work: Callable, args: tuple) -> None:
        super().__init__(name=args[0].__name__)
        self.work, self.args = work, args
        self.over = threading.Event()

    def run(self) -> None:
        try:
            self.work(*self.args)
        finally:
            self.over.set()


def join(workers: list[Worker], stop: threading.Event, errors: list[BaseException]) -> None:
    """Wait for every worker that was started; a Ctrl-C meanwhile stops them and is kept as an error."""
    for worker in workers:
        while worker.ident is not None and not worker.over.is_set():
            try:
                worker.over.wait(0.5)
            except BaseException as error:
                errors.insert(0, error)
                stop.set()


def queue_size(info: VideoInfo) -> int:
    """Frames that may wait between two threads."""
    frame = info.width * info.height * 2 * (1 if info.encoding.depth == 8 else 2)
    return int(min(16, max(2, QUEUE_BYTES // frame)))


def small_size_of(reader: Reader, options: ColorizeOptions) -> ProxySize:
    aspect = float(reader.stream.sample_aspect_ratio or 1)
    return ProxySize.fit(reader.info.width, reader.info.height, options.size, aspect)


def read_frames(reader: Reader, pictures: HostFrames | CardFrames, out: Link, clock: Clock) -> None:
    """Reader thread: decode, and make the small picture while the frame is in the cache."""
    items = iter(reader)
    while True:
        item = clock.time("decode", next, items, None)
        if item is None:
            break
        if isinstance(item, Packet):
            out.put(item)
        else:
            out.put((item, clock.time("resize", pictures.make_proxy, item)))
    out.put(Link.END)


def color_frames(
    frames: Link,
    out: Link,
    backend: Backend,
    size: ProxySize,
    options: ColorizeOptions,
    given: ShotList | None,
    shots: ShotReport,
    summary: Summary,
    clock: Clock,
    report: Callable[[], None],
    *,
    live: bool = False,
) -> None:
    """Main thread: small L* through network and smoother, in the film's order.

    Packets of other streams do not wait for frames that the smoother holds back: the muxer puts all in order. No frame
    is held back with `live`.
    """
    held: deque[tuple[av.VideoFrame, LumaProxy]] = deque()

    def predict(lightness: list[np.ndarray]) -> np.ndarray:
        summary.predicted += len(lightness)
        return crop_grid(backend.predict(network_input(lightness, size)), size, backend.stride)

    def give(ready: list[StableColor]) -> None:
        for colour in ready:
            frame, small = held.popleft()
            ab = colour.ab * np.float32(options.strength)
            time = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
            shots.add(colour.kind, small, ab, time)
            out.put(Coloured(frame, small, ab, colour.anew))
            summary.frames += 1
        summary.shots = steady.shots_begun
        report()

    steady = Stabilizer(predict, options, live=live, shots=GivenShots(given.kinds) if given else None, clock=clock)
    for item in frames:
        if isinstance(item, Packet):
            out.put(item)
            continue
        held.append(item)
        give(steady.push(item[1]))
    give(steady.finish())
    out.put(Link.END)


def write_frames(
    items: Link,
    muxer: Muxer,
    settings: VideoSettings,
    pictures: HostFrames | CardFrames,
    clock: Clock,
    watch: Watch | None,
) -> None:
    """Writer thread: merge the colour under the luma, encode, mux."""
    encoder = Encoder(settings, muxer.video.codec_context)
    prepare_lab()  # while the network is compiled

    def write(frames: Iterator[av.VideoFrame]) -> None:
        for frame in clock.time("merge", list, frames):
            if watch is not None:
                watch(frame)
            packets = clock.time("encode", list, encoder.encode(frame))
            clock.time("mux", muxer.mux_video, packets)

    for item in items:
        if isinstance(item, Packet):
            clock.time("mux", muxer.mux_other, item)
        else:
            write(pictures.merge(item))
    write(pictures.finish())
    held = encoder.finish()
    while packet := clock.time("encode", next, held, None):
        items.check()
        muxer.mux_video([packet])


def merge(item: Coloured, settings: VideoSettings, chroma: ChromaWriter, *, compare: bool) -> av.VideoFrame:
    """The output frame: the source's luma, and chroma made from the a*b* grid."""
    encoding = settings.encoding
    source = source_encoding(item.frame, settings)
    frame = output_frame(item.frame, settings)
    cb, cr = plane(frame, 1), plane(frame, 2)
    coefficients = chroma_coefficients(item.small.luma, item.small.lightness, item.ab, source, encoding, len(cb))
    luma = plane(frame, 0)
    width = luma.shape[1] // 2 if compare else luma.shape[1]
    grey = cb.shape[1] // 2 if compare else 0  # columns left without colour
    size = (cb.shape[1] - grey, cb.shape[0])
    guide = luma[:, luma.shape[1] - width :]
    half = item.small.half if source == encoding else None
    if half is not None and half.shape[::-1] == size:
        guide = half
    elif guide.shape[::-1] != size:
        guide = cv2.resize(guide, size, interpolation=cv2.INTER_AREA)
    chroma.write(coefficients, guide, (cb[:, grey:], cr[:, grey:]), anew=item.anew)
    if grey:
        cb[:, :grey] = cr[:, :grey] = int(encoding.chroma_centre)
    return frame
