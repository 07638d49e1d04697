"""Streams that the target container cannot hold as they are, made into ones it can."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

TEXT_SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt", "matroska": "ass"}
AUDIO = {"mp4": "aac", "mov": "aac", "webm": "libopus", "matroska": "flac", "nut": "flac",
         "flv": "aac", "mpegts": "aac", "rtp_mpegts": "aac", "hls": "aac", "rtsp": "aac"}  # fmt: skip
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}  # by channels
ONLY = {  # layouts that a codec keeps, where it does not keep every one
    "libopus": tuple(LAYOUTS.values()),
    "aac": ("mono", "stereo", "2.1", "3.0", "4.0", "quad", "5.0", "5.1", "7.1"),
}
SLIP = Fraction(1, 10)  # seconds by which sound may be stamped before the end of what came before it
UNKNOWN = "NONE"  # name of a channel that is not said to be anywhere
SIDES, BACKS = ("SL", "SR"), ("BL", "BR")  # loudspeakers that may stand for each other
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


class Converter(Protocol):
    codec: str  # name of the codec it makes
    loss: str  # how its sound is not as it was, to be said behind its name; empty where it is

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]: ...

    def finish(self) -> Iterator[Packet[Stream]]: ...


def make_converter(stream: Stream, container: OutputContainer) -> Converter | None:
    """A converter whose output `container` holds, or None where there is no sensible one."""
    name = container.format.name
    if isinstance(stream, AudioStream) and stream.codec_context is not None:
        if not stream.codec_context.sample_rate or stream.codec_context.layout.nb_channels not in LAYOUTS:
            return None  # declared, but without any sound
        if name not in AUDIO:
            return None
        return AudioConverter(stream, container, AUDIO[name])
    text = stream.type == "subtitle" and stream.codec_context is not None and is_text(stream)
    if text and name in TEXT_SUBTITLES:
        return SubtitleConverter(stream, container, TEXT_SUBTITLES[name])
    return None


def is_text(stream: Stream) -> bool:
    return stream.codec_context.name in ("srt", "subrip", "ass", "ssa", "webvtt", "mov_text", "text")


class AudioConverter:
    """Decodes and encodes again, at the codec's own rate and format."""

    def __init__(self, stream: AudioStream, container: OutputContainer, codec: str) -> None:
        self.codec = codec
        self.source = stream
        layout = layout_for(codec, stream.codec_context.layout)
        shared = without_place(stream.codec_context.layout, av.AudioLayout(layout))
        known = shared and UNKNOWN not in shared
        self.loss = f"; without a place there, {' and '.join(shared)} is shared by the others" if known else ""
        rates = av.Codec(codec, "w").audio_rates or [stream.codec_context.sample_rate]
        rate = min(rates, key=lambda r: (abs(r - stream.codec_context.sample_rate), -r))
        target = container.add_stream(codec, rate=rate)
        assert isinstance(target, AudioStream)
        self.target = target
        self.target.codec_context.layout = layout
        if codec == "libopus" and stream.codec_context.layout.nb_channels > 2:
            self.target.codec_context.options = {"mapping_family": "1"}  # else no place of a channel is written down
        if codec == "flac" and is_deep(stream):
            self.target.codec_context.format = "s32"  # of which FLAC keeps 24 bits
        self.target.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
        self.target.disposition = stream.disposition
        ctx = self.target.codec_context
        self.end: Fraction | None = None  # seconds: where the sound that has come ends
        self.resampler = AudioResampler(ctx.format, ctx.layout, rate)

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        try:
            frames = self.source.decode(packet)
        except av.error.InvalidDataError:
            return
        for frame in frames:
            self.place(frame)
            yield from self.encode(frame)

    def place(self, frame: av.AudioFrame) -> None:
        """Let a frame that has no time stamp, or one a little too early, follow the one before: a packet may hold many.

        An encoder could make no time stamps of its own of such frames.
        """
        base = frame.time_base or Fraction(1, frame.sample_rate)
        time = frame.pts * base if frame.pts is not None else self.end
        if self.end is not None and time is not None and self.end - SLIP < time < self.end:
            time = self.end
        if time is None:
            time = Fraction(0)
        frame.time_base, frame.pts = base, round(time / base)
        self.end = time + Fraction(frame.samples, frame.sample_rate)

    def encode(self, frame: av.AudioFrame | None) -> Iterator[Packet[Stream]]:
        for resampled in self.resampler.resample(frame):
            yield from self.target.encode(resampled)

    def finish(self) -> Iterator[Packet[Stream]]:
        yield from self.encode(None)
        yield from self.target.encode(None)


def layout_for(codec: str, source: av.AudioLayout) -> str:
    """The layout in which `codec` keeps every channel of `source` in its place: the smallest, if it has not the same.

    What it adds stays silent. Where no place is known, or there is no such layout, the number of channels decides, and
    a channel without a place is shared by its neighbours.
    """
    if codec not in ONLY:
        return source.name if "channels" not in source.name else LAYOUTS[source.nb_channels]
    for name in ONLY[codec]:
        if not without_place(source, av.AudioLayout(name)):
            return name
    count = source.nb_channels
    return next(name for name in ONLY[codec] if av.AudioLayout(name).nb_channels >= count)


def without_place(source: av.AudioLayout, target: av.AudioLayout) -> list[str]:
    """The channels of `source` without a place in `target`; sides and back are one where only one of them is used."""
    wanted, has = names_of(source), names_of(target)
    moved = {BACKS[SIDES.index(name)] if name in SIDES else name for name in wanted}
    if len(moved) == len(wanted) and len(moved - has) < len(wanted - has):
        wanted = moved
    return sorted(wanted - has)


def names_of(layout: av.AudioLayout) -> set[str]:
    return {channel.name for channel in layout.channels}


def is_deep(stream: AudioStream) -> bool:
    """Whether sound has more than 16 bits that are not just a decoder's own."""
    ctx = stream.codec_context
    return ctx.format.name.startswith("s32") or ctx.name.startswith("pcm_f")


class SubtitleConverter:
    """Text subtitles from one text codec to another, by way of ASS events."""

    def __init__(self, stream: Stream, container: OutputContainer, codec: str) -> None:
        self.codec, self.loss = codec, ""
        self.source = stream
        target = container.add_stream(codec)
        assert isinstance(target, SubtitleStream)
        assert stream.time_base is not None
        self.target = target
        self.target.codec_context.subtitle_header = ASS_HEADER
        self.target.codec_context.time_base = stream.time_base
        self.target.time_base = stream.time_base
        self.target.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
        self.target.disposition = stream.disposition

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        try:
            events = [e for e in packet.decode() if isinstance(e, AssSubtitle)]
        except av.error.InvalidDataError:
            return
        for event in events:
            made = self.target.codec_context.encode_subtitle(SubtitleSet.create(event.ass, 0, 0))
            made.stream, made.time_base = self.target, packet.time_base
            made.pts, made.dts, made.duration = packet.pts, packet.pts, packet.duration
            yield made

    def finish(self) -> Iterator[Packet[Stream]]:
        yield from ()
