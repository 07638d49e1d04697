"""Looks into an upload, in a process of its own: `python -m vidcolor.live.serve.probe film|still FILE`.

Prints one JSON object: what the file is, or `{"error": ...}`. A file that crashes or hangs a decoder ends this process,
not the server.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from vidcolor.live.serve.box import Bounds, shut
from vidcolor.live.serve.limits import PROBE_MEMORY, PROBE_SECONDS, Limits

# FFmpeg's readers that open nothing but the file itself: no playlists, no scripts, no addresses.
FORMATS = {
    "mov": ".mp4", "matroska": ".mkv", "avi": ".avi", "mpegts": ".ts", "mpeg": ".mpg", "asf": ".wmv", "flv": ".flv",
    "ogg": ".ogv", "gif": ".gif", "apng": ".apng", "mxf": ".mxf", "dv": ".dv", "mpegvideo": ".mpg",
}  # fmt: skip
STILLS = {
    "JPEG": ".jpg",
    "MPO": ".jpg",  # a JPEG of several pictures, which many phones write
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "PPM": ".ppm",
    "JPEG2000": ".jp2",
    "AVIF": ".avif",
}
PLAYABLE = ("h264", "vp8", "vp9", "av1")  # codecs that browsers play
SHOWN = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp", ".avif": "image/avif"}
BOUNDS = Bounds(PROBE_MEMORY, round(PROBE_SECONDS), 0)


def main(argv: list[str]) -> None:
    kind, path = argv[0], Path(argv[1])
    look = probe_film if kind == "film" else probe_still
    shut(BOUNDS, [path])
    try:
        facts = look(path)
    except Exception as error:
        facts = {"error": str(error).splitlines()[0] if str(error) else type(error).__name__}
    sys.stdout.write(json.dumps(facts))


def probe_film(path: Path) -> dict[str, Any]:
    """Size, length and ending of a film of which a frame can be decoded."""
    import av

    from vidcolor.video.probe import main_video

    with av.open(str(path), options={"format_whitelist": ",".join(readers()), "protocol_whitelist": "file"}) as film:
        suffix = next((s for name, s in FORMATS.items() if name in film.format.name.split(",")), None)
        if suffix is None:
            raise ValueError("is no film of a kind that is taken here")
        stream = main_video(film, "it")
        rate = stream.average_rate or stream.guessed_rate
        if film.duration:
            seconds = film.duration / av.time_base
        else:
            seconds = float(stream.frames / rate) if stream.frames and rate else 0.0
        stream.thread_count = 1
        ctx = stream.codec_context
        if ctx.width * ctx.height <= Limits.max_pixels:  # larger ones are refused for that
            next(film.decode(stream))
        doctype = "webm" if suffix == ".mkv" and ctx.name in ("vp8", "vp9", "av1", "libdav1d") else ""
        plays = ctx.name.removeprefix("lib") in (*PLAYABLE, "dav1d") and (suffix == ".mp4" or doctype == "webm")
        plays = plays and ctx.pix_fmt in ("yuv420p", "yuvj420p")
        return {
            "suffix": suffix, "width": ctx.width, "height": ctx.height, "seconds": seconds,
            "type": ("video/webm" if doctype else "video/mp4") if plays else None,
        }  # fmt: skip


def readers() -> list[str]:
    """FFmpeg's full names of FORMATS."""
    import av

    return [name for name in sorted(av.formats_available) if set(name.split(",")) & set(FORMATS)]


def still_types() -> list[str]:
    """Endings of the stills that are taken here."""
    from PIL import Image

    from vidcolor.stills.formats import STILLS as KNOWN

    names = Image.registered_extensions()
    return [ending for ending in KNOWN if names.get(ending) in STILLS]


def probe_still(path: Path) -> dict[str, Any]:
    """Size and ending of a still."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the server has a bound of its own, and a better message
    Image.init()
    with Image.open(path, formats=[name for name in STILLS if name in Image.OPEN]) as still:
        suffix = STILLS[still.format or ""]
        if still.width * still.height <= Limits.max_still_pixels:  # larger ones are refused for that
            still.load()  # so that what is cut off, or breaks the decoder, does so here
        return {"suffix": suffix, "width": still.width, "height": still.height, "seconds": 0.0,
                "type": SHOWN.get(suffix)}  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
