"""Which protocols the installed FFmpeg has, and a way around those it lacks."""

from __future__ import annotations

import av

from vidcolor.errors import OptionError
from vidcolor.live.streams.address import HTTP, mask, scheme


def check_protocol(address: str, *, output: bool = False) -> None:
    """Refuse a protocol that this build of FFmpeg lacks, with a way around it.

    Raises:
        OptionError: it lacks it.
    """
    kind = scheme(address)
    if not kind or kind in HTTP or kind.startswith(("rtmp", "rtsp")) or has_protocol(kind):
        return
    shown = mask(address)
    if kind == "srt" and output:
        way = f"vidcolor ... -o - --format mpegts | ffmpeg -i - -c copy -f mpegts '{shown}'"
    elif kind == "srt":
        way = f"ffmpeg -i '{shown}' -c copy -f mpegts - | vidcolor - --live -o ..."
    else:
        raise OptionError(f"{shown}: {kind} is no protocol known here; use rtsp, rtmp, srt, udp, rtp, tcp or http(s)")
    raise OptionError(f"{shown}: the installed PyAV is built without SRT; pipe it through an ffmpeg that has it: {way}")


def has_protocol(kind: str) -> bool:
    """Whether FFmpeg knows the protocol: asked by opening an address that cannot answer."""
    try:
        av.open(f"{kind}://127.0.0.1:9?timeout=1000", timeout=0.05).close()
    except av.error.ProtocolNotFoundError:
        return False
    except (av.FFmpegError, OSError, ValueError):
        pass
    return True
