"""Opening a film, and what is known of it before its frames are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar, cast

import av
from av.audio.stream import AudioStream
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidcolor.atomic import is_special
from vidcolor.color.encoding import BT470BG, MATRICES, UNSPECIFIED, Encoding, guess_matrix
from vidcolor.errors import InputError
from vidcolor.video.address import mask
from vidcolor.video.faults import reason
from vidcolor.video.formats import FULL_RANGE, layout, native_format
from vidcolor.video.info import FilmInfo
from vidcolor.video.target import for_ffmpeg, is_address

STILL_CODECS = ("png", "apng", "mjpeg", "gif", "bmp", "tiff", "webp", "jpeg2000", "pgm", "pgmyuv")  # full-range grey
S = TypeVar("S", bound=Stream)
NETWORK_TIMEOUT = 30.0  # seconds
PATIENT = {"analyzeduration": "600000000", "probesize": "100000000"}  # microseconds and bytes to learn the streams from
MAX_RATE = 1000  # frames a second that are believed


def open_input(path: str, hwaccel: HWAccel | None = None) -> InputContainer:
    """Open a film, or say in one line why not. A pipe can be opened once only.

    Raises:
        InputError: it is missing, empty, a folder, closed to us, or no film.
    """
    address = is_address(path)
    name = mask(path) if address else path
    if not address:
        check_file(path)
    try:
        container = open_once(path, hwaccel, {}, timeout=NETWORK_TIMEOUT if address else None)
        if address or is_special(Path(path)) or not any(is_unknown(s) for s in container.streams.audio):
            return container
        container.close()
        return open_once(path, hwaccel, PATIENT)
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it; change its rights") from error
    except av.error.InvalidDataError as error:
        raise InputError(f"{name}: not a film, or cut off so early that it cannot be read; copy it again") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be opened, {reason(error)}; check that it plays elsewhere") from error


def open_once(
    path: str, hwaccel: HWAccel | None, options: dict[str, str], *, timeout: float | None = None
) -> InputContainer:
    return av.open(
        for_ffmpeg(path), "r", metadata_errors="replace", timeout=timeout, hwaccel=hwaccel, options=options
    )  # fmt: skip


def packets_of(container: InputContainer, *streams: S) -> Iterator[Packet[S]]:
    """The packets of these streams, and behind them an empty one for each, as PyAV gives them.

    A transport stream can get streams while it is read. PyAV does not know them, and stumbles over them at its end,
    when all that it does know have had their empty packet.
    """
    try:
        yield from cast("Iterator[Packet[S]]", container.demux(*streams))
    except IndexError:
        return


def is_unknown(stream: AudioStream) -> bool:
    """Whether sound has been declared, and nothing is known of it yet: it begins later than FFmpeg looks."""
    return stream.codec_context is not None and not stream.codec_context.sample_rate


def check_file(path: str) -> None:
    """Refuse what is certainly no film.

    Raises:
        InputError: it is missing, empty or a folder.
    """
    local = Path(path)
    if not os.path.exists(local):
        raise InputError(f"{path}: no such file; check the name")
    if local.is_dir():
        raise InputError(f"{path}: is a folder, not a film; give a file in it")
    if local.stat().st_size == 0 and not is_special(local):  # a pipe has no size
        raise InputError(f"{path}: is empty; copy it again from its source")


def main_video(container: InputContainer, path: str) -> VideoStream:
    """The film itself among the streams: the largest picture that is no cover art, and marked as default if any is.

    Raises:
        InputError: there is none, or no decoder for it.
    """
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        raise InputError(f"{path}: has no picture, only {kinds(container)}; give a file with a video stream")
    stream = max([s for s in films if s.disposition & Disposition.default] or films, key=area)
    if stream.codec_context is None:
        raise InputError(f"{path}: no decoder for its picture, which may be encrypted; convert it first")
    stream.thread_type = "AUTO"
    return stream


def area(stream: VideoStream) -> int:
    """Pixels of its picture; 0 where nothing is known of it."""
    return stream.codec_context.width * stream.codec_context.height if stream.codec_context is not None else 0


def kinds(container: InputContainer) -> str:
    return ", ".join(sorted({s.type for s in container.streams})) or "nothing"


def describe(container: InputContainer, stream: VideoStream, path: str) -> FilmInfo:
    ctx = stream.codec_context
    if not ctx.width or not ctx.height or ctx.pix_fmt is None:
        raise InputError(f"{path}: its picture cannot be decoded (no size or format found); it may be damaged")
    native = native_format(ctx.pix_fmt)
    rate = stream.average_rate or stream.guessed_rate
    if rate is not None and rate > MAX_RATE:  # a time base that was taken for a rate
        rate = stream.guessed_rate
    frames = stream.frames
    if not frames and container.duration and rate:
        frames = round(container.duration / av.time_base * rate)
    assert stream.time_base is not None
    return FilmInfo(
        ctx.width, ctx.height, native, read_encoding(ctx, native), stream.time_base, rate, frames,
        promised=stream.frames, container=container.format.name, aspect=stream.sample_aspect_ratio,
        is_tagged=is_tagged(ctx), primaries=ctx.color_primaries, transfer=ctx.color_trc,
        disposition=int(stream.disposition), tags=dict(container.metadata), video_tags=dict(stream.metadata),
    )  # fmt: skip


def read_encoding(ctx: av.VideoCodecContext, native: str) -> Encoding:
    """Matrix, range and depth of the frames that Reader gives."""
    name = ctx.pix_fmt or native
    full = ctx.color_range == 0 and layout(name).chroma is None and ctx.name in STILL_CODECS
    color_range = FULL_RANGE if full else ctx.color_range
    return encoding_of(name, native, ctx.width, ctx.height, ctx.colorspace, color_range)


def encoding_of(source: str, native: str, width: int, height: int, matrix: int, color_range: int) -> Encoding:
    """How the samples of a picture are to be read that came in pixel format `source` and was brought to `native`."""
    if layout(source).rgb:  # converted by swscale to BT.601, limited range
        return Encoding(BT470BG, False, layout(native).depth)
    if matrix not in MATRICES:
        matrix = guess_matrix(width, height)
    return Encoding(matrix, color_range == FULL_RANGE or source.startswith("yuvj"), layout(native).depth)


def is_tagged(ctx: av.VideoCodecContext) -> bool:
    """Whether the source says which matrix its chroma would need."""
    return ctx.colorspace not in (UNSPECIFIED, 0)
