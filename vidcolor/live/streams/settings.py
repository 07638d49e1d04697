"""How a live picture is encoded: at once, in even portions, with a key frame every two seconds."""

from __future__ import annotations

from dataclasses import replace

from vidcolor.errors import OptionError
from vidcolor.live.colorizer import FORMATS
from vidcolor.options import EncodeOptions
from vidcolor.video.encoder import VideoSettings, video_settings
from vidcolor.video.formats import choose_format
from vidcolor.video.info import FilmInfo

KEY_EVERY = 2.0  # seconds between key frames
CRF = 23  # of x264 and x265, as long as the rate stays under its bound
BITS = 0.12  # bits a pixel, at most
LEAST_RATE = 500_000  # bits a second
LIVE: dict[str, tuple[tuple[str, str], ...]] = {  # what is set unless the user says otherwise
    "libx264": (("preset", "veryfast"), ("tune", "zerolatency"), ("bf", "0"), ("forced-idr", "1")),
    "libx265": (("preset", "ultrafast"), ("tune", "zerolatency"), ("bf", "0"), ("forced-idr", "1")),
    "libvpx-vp9": (("deadline", "realtime"), ("cpu-used", "8"), ("lag-in-frames", "0")),
    "libsvtav1": (("preset", "10"),),
}  # fmt: skip


def stream_settings(info: FilmInfo, options: EncodeOptions, codec: str, *, live: bool, plain: bool) -> VideoSettings:
    """The coloured stream: a film's settings, made for live pictures where it is one.

    `plain` asks for 8-bit 4:2:0, which every player has; "raw" is a codec here.
    """
    if codec == "raw":
        return raw_settings(info, options)
    even = info.width % 2 == 0 and info.height % 2 == 0
    if plain and options.pix_fmt is None and even:
        options = replace(options, pix_fmt="yuv420p")
    settings = video_settings(info, options, codec)
    key = round(KEY_EVERY * float(settings.rate or 30))
    found = dict(settings.options) | {"g": str(key)}
    if live and settings.encoder in LIVE:
        found |= {k: v for k, v in LIVE[settings.encoder] if k != "preset" or options.preset is None}
        if settings.encoder in ("libx264", "libx265"):
            rate = peak_rate(settings)
            found |= {"maxrate": str(rate), "bufsize": str(rate)}
            if options.crf is None:
                found["crf"] = str(CRF)
    elif settings.encoder in ("libx264", "libx265"):
        found["forced-idr"] = "1"
    if settings.encoder not in LIVE:
        del found["g"]
    return replace(settings, options=tuple(found.items()))


def peak_rate(settings: VideoSettings) -> int:
    """Bits a second that a second of it may need at most."""
    return max(LEAST_RATE, round(settings.width * settings.height * float(settings.rate or 30) * BITS))


def raw_settings(info: FilmInfo, options: EncodeOptions) -> VideoSettings:
    for name in ("crf", "preset"):
        if getattr(options, name) is not None:
            raise OptionError(f"{name} has no meaning for raw frames; leave it out, or give a codec")
    pix_fmt = choose_format(FORMATS, info.pix_fmt, options.pix_fmt, "a pipe of raw frames")
    settings = video_settings(info, replace(options, pix_fmt=pix_fmt), "ffv1")
    return replace(settings, encoder="rawvideo", options=())
