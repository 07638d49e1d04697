"""Frames to packets: the codecs, their options, and the frame that goes into them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from vidcolor.color.encoding import BT470BG, BT709, SMPTE170M, UNSPECIFIED, Encoding
from vidcolor.errors import OptionError, OutputError
from vidcolor.options import CODECS, EncodeOptions
from vidcolor.video.device import cuda_accel
from vidcolor.video.faults import reason
from vidcolor.video.formats import FULL_RANGE, LIMITED_RANGE, STEPS, choose_format, layout, plane
from vidcolor.video.hdr import add_hdr
from vidcolor.video.info import FilmInfo

PRIMARIES = {BT709: (1, 1), BT470BG: (5, 6), SMPTE170M: (6, 6)}  # primaries and transfer that go with a matrix
os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints its settings otherwise


@dataclass(frozen=True)
class CodecOptions:
    """How one of FFmpeg's encoders is told what a user asked for."""

    crf: str | None = None  # its option for constant quality
    default_crf: float | None = None
    preset: str | None = None  # its option for speed
    fixed: tuple[tuple[str, str], ...] = ()  # options that are always set


CPU_AVX2 = 11  # OpenCV's number of that instruction set; the wheels do not export its name
X264_WIDTH = 128  # pixels: half of it, in its small pictures, is one AVX-512 register
MOST_THREADS = 16  # that FFmpeg would choose
X265_LEVELS = (1, 4, 8, 16, 32)  # cores from which x265 works on so many frames at a time
SVT_LEVELS = (1, 2, 4, 8, 12, 16)  # cores from which SVT-AV1 gets the next level of parallelism
FIELD_OPTIONS = {"libx264": ("x264-params", "{}=1"), "libx265": ("x265-params", "interlace={}")}
EVEN_ONLY = ("libx264", "libx265", "libsvtav1")  # take no chroma sample that lies half outside the picture
OPTIONS = {
    # A grey film's motion is in its luma alone; to look at our smooth chroma too costs time and finds nothing. Nor
    # does what is smooth need fine steps, which cost an encoder time and bits.
    "libx264": CodecOptions("crf", 18, "preset", (("x264-params", "chroma-me=0:chroma-qp-offset=8"),)),
    "libx265": CodecOptions("crf", 20, "preset", (("x265-params", "log-level=error"),)),
    "libsvtav1": CodecOptions("crf", 28, "preset"),
    "libvpx-vp9": CodecOptions("crf", 28, "cpu-used", (("row-mt", "1"), ("deadline", "good"))),
    "ffv1": CodecOptions(fixed=(("level", "3"), ("slicecrc", "1"))),
    "prores_ks": CodecOptions(preset="profile"),
    "h264_nvenc": CodecOptions("cq", 20, fixed=(("rc", "vbr"), ("b", "0"), ("preset", "p5"))),
}


@dataclass(frozen=True)
class VideoSettings:
    """Everything an encoder needs to make the same stream again for another segment."""

    encoder: str
    options: tuple[tuple[str, str], ...]
    width: int
    height: int
    pix_fmt: str
    encoding: Encoding
    time_base: Fraction
    rate: Fraction | None
    aspect: Fraction | None  # of a pixel
    field_order: str | None  # "tff" or "bff" of an interlaced film
    primaries: int
    transfer: int
    on_card: bool = False  # the encoder takes frames in a card's memory
    threads: int = 0  # of the encoder; 0 leaves it the choice
    instructions: str = ""  # vector instructions of the machine, where every byte is to come out again

    @property
    def accel(self) -> HWAccel | None:
        """What its encoder has to be made with."""
        return cuda_accel() if self.on_card else None

    def configure(self, ctx: VideoCodecContext) -> None:
        ctx.width, ctx.height, ctx.pix_fmt = self.width, self.height, self.pix_fmt
        ctx.time_base = self.time_base
        if self.rate:
            ctx.framerate = self.rate
        if self.aspect:
            ctx.sample_aspect_ratio = self.aspect
        ctx.color_range = FULL_RANGE if self.encoding.full_range else LIMITED_RANGE
        ctx.colorspace, ctx.color_primaries, ctx.color_trc = self.encoding.matrix, self.primaries, self.transfer
        ctx.thread_type, ctx.thread_count = "AUTO", self.threads
        ctx.flags |= Flags.frame_duration
        options = dict(self.options)
        if self.field_order:
            ctx.flags |= Flags.interlaced_dct | Flags.interlaced_me
            if field := FIELD_OPTIONS.get(self.encoder):
                key, value = field
                options[key] = ":".join(x for x in (options.get(key), value.format(self.field_order)) if x)
        ctx.options = options


def video_settings(info: FilmInfo, options: EncodeOptions, codec: str) -> VideoSettings:
    """What the coloured stream shall be, from the source and the user's wishes.

    Raises:
        OptionError: crf, preset or pix_fmt do not fit the codec.
    """
    encoder = CODECS[codec]
    available = [f.name for f in av.Codec(encoder, "w").video_formats or ()]
    width, height = info.width, info.height
    if options.compare:  # beside each other as they are shown
        width, height = (width, 2 * height) if info.turn % 2 else (2 * width, height)
    if encoder in EVEN_ONLY:
        available = [name for name in available if divides(name, width, height)]
        if not available:
            raise OptionError(f"{width}x{height} is an odd size, which {codec} cannot hold; use vp9 or ffv1")
    pix_fmt = choose_format(available, info.pix_fmt, options.pix_fmt, codec)
    encoding = replace(info.encoding, depth=layout(pix_fmt).depth)
    settings = add_hdr(encoder_options(codec, encoder, options), encoder, info.mastering, info.light)
    tags = info.primaries, info.transfer
    if not info.is_tagged and tags == (UNSPECIFIED, UNSPECIFIED):
        tags = PRIMARIES.get(encoding.matrix, tags)  # grey needed no tags, colour does: those a player assumes
    return VideoSettings(
        encoder, settings, width, height, pix_fmt, encoding, info.time_base, info.rate, info.aspect,
        info.field_order, *tags,
    )  # fmt: skip


def for_films(settings: VideoSettings) -> VideoSettings:
    """`settings` for a film in segments: every thread counted, and the same bytes whatever was encoded before.

    Bytes depend on the number of threads and on the machine's vector instructions, and x265 writes both into its
    headers. Both are part of the settings, so that no film goes on where it would come out otherwise.
    """
    settings = replace(settings, threads=film_threads(settings.encoder), instructions=vector_instructions())
    key, more = film_parameters(settings.encoder, settings.width)
    if more:
        options = dict(settings.options)
        options[key] = ":".join(x for x in (options.get(key), more) if x)
        settings = replace(settings, options=tuple(options.items()))
    return settings


def film_parameters(encoder: str, width: int) -> tuple[str, str]:
    """An encoder's option for parameters, and those that fix what FFmpeg has no options for.

    At widths that are no multiple of 128, x264's AVX-512 code gives other bytes after other films in the same process
    (seen with core 165); its AVX2 code does not, and gives the same bytes as AVX-512 at all other widths.
    """
    if encoder == "libx264" and width % X264_WIDTH and cv2.checkHardwareSupport(CPU_AVX2):
        return "x264-params", "asm=AVX2"
    if encoder == "libx265":
        return "x265-params", f"pools={cores()}:info=0"
    if encoder == "libsvtav1":
        return "svtav1-params", f"lp={sum(cores() >= least for least in SVT_LEVELS)}"
    return "", ""


def film_threads(encoder: str) -> int:
    """How many threads an encoder shall have for a film, where nobody waits for the single frame; 0 is its own choice.

    x264 takes one and a half for each core, one a frame. While they wait for each other's rows, part of two cores
    lies idle; four more make use of it, and the film is as large and as good as before. x265's are frames at a time:
    as many as it would choose by itself.
    """
    if encoder == "libx264":
        return cores() * 3 // 2 + 4
    if encoder == "libx265":
        return sum(cores() >= least for least in X265_LEVELS)
    return 0 if encoder == "libsvtav1" else min(cores(), MOST_THREADS)


def cores() -> int:
    """Of this machine, however many of them this process may use now."""
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def vector_instructions() -> str:
    """The widest that this machine and OpenCV know, such as AVX2; encoders and colour maths give other bytes by it."""
    known = [name.lstrip("*") for name in cv2.getCPUFeaturesLine().split() if not name.endswith("?")]
    return known[-1] if known else ""


def divides(name: str, width: int, height: int) -> bool:
    """Whether the chroma subsampling of format `name` divides the picture without rest."""
    across, down = STEPS.get(layout(name).chroma or "444", (1, 1))
    return width % across == 0 and height % down == 0


def encoder_options(codec: str, encoder: str, options: EncodeOptions) -> tuple[tuple[str, str], ...]:
    known = OPTIONS[encoder]
    found = list(known.fixed)
    if options.crf is not None and known.crf is None:
        raise OptionError(f"crf has no meaning for {codec}; leave it out")
    if options.preset is not None and known.preset is None:
        raise OptionError(f"preset has no meaning for {codec}; leave it out")
    crf = options.crf if options.crf is not None else known.default_crf
    if known.crf and crf is not None:
        found.append((known.crf, f"{crf:g}"))
    if known.preset and options.preset is not None:
        found.append((known.preset, options.preset))
    return tuple(found)


class Encoder:
    """Encodes one run of whole shots; packets carry the source's time stamps.

    It has a codec context of its own, with its headers beside the packets, as the containers of films want them; or the
    `context` of a muxer's stream, where packets are muxed at once.

    Raises:
        OutputError: the codec refuses its settings.
    """

    def __init__(self, settings: VideoSettings, context: VideoCodecContext | None = None) -> None:
        self.settings = settings
        self.context = context or self.open_context()

    def open_context(self) -> VideoCodecContext:
        settings = self.settings
        context = av.CodecContext.create(settings.encoder, "w", settings.accel)
        assert isinstance(context, VideoCodecContext)
        settings.configure(context)
        context.flags |= Flags.global_header
        try:
            context.open()
        except MemoryError as error:
            raise OutputError(f"{settings.encoder}: not enough memory; close other programs") from error
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"{settings.encoder} refuses these settings, {reason(error)}; check crf, preset, pix-fmt "
                              "and the codec") from error  # fmt: skip
        return context

    @property
    def header(self) -> bytes:
        """What the container must say of the stream (extradata); the same for every encoder of these settings."""
        return bytes(self.context.extradata or b"")

    def encode(self, frame: av.VideoFrame, *, key: bool = False) -> Iterator[Packet[Stream]]:
        """The packets that are ready; with `key` this frame becomes a key frame."""
        frame.pict_type = 1 if key else 0  # the source's choice of I and B frames is not ours
        yield from self.packets(frame)

    def finish(self) -> Iterator[Packet[Stream]]:
        """The packets still held back."""
        yield from self.packets(None)

    def packets(self, frame: av.VideoFrame | None) -> list[Packet[Stream]]:
        try:
            return self.context.encode(frame)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"{self.settings.encoder} failed, {reason(error)}; try other codec options") from error


def output_frame(source: av.VideoFrame, settings: VideoSettings) -> av.VideoFrame:
    """A writable frame in the encoder's format with the luma and time stamps of `source`; chroma is to be written.

    With twice the width or height in `settings` the luma stands there twice.
    """
    shape = settings.width, settings.height
    if source.format.name == settings.pix_fmt and (source.width, source.height) == shape:
        source.make_writable()
        return source
    # reformat, because only it carries along all that a frame has beside its planes, such as the field order
    target = source.reformat(*shape, settings.pix_fmt)
    target.make_writable()
    target.color_range = FULL_RANGE if settings.encoding.full_range else LIMITED_RANGE
    times = settings.height // source.height, settings.width // source.width
    luma = convert_depth(plane(source, 0), source_encoding(source, settings), settings.encoding)
    plane(target, 0)[:] = np.tile(luma, times) if times != (1, 1) else luma
    if layout(settings.pix_fmt).alpha:
        opaque = 2 ** layout(settings.pix_fmt).depth - 1
        plane(target, 3)[:] = np.tile(plane(source, 3), times) if layout(source.format.name).alpha else opaque
    return target


def source_encoding(source: av.VideoFrame, settings: VideoSettings) -> Encoding:
    """How the samples of a source frame are to be read: as the target's, but for their depth."""
    return replace(settings.encoding, depth=layout(source.format.name).depth)


def convert_depth(luma: np.ndarray, source: Encoding, target: Encoding) -> np.ndarray:
    """Luma code values at another bit depth; the same array where the depth is the same."""
    if source.depth == target.depth:
        return luma
    dtype = np.uint8 if target.depth == 8 else np.uint16
    top = 2**target.depth - 1
    factor = target.luma_scale / source.luma_scale
    codes: np.ndarray = np.minimum(luma.astype(np.float32) * factor + 0.5, top).astype(dtype)
    return codes
