"""What an address means, and how it is shown: secrets in it never are."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from vidcolor.errors import InputError, OptionError

PIPE = "-"
PLAYLIST = ".m3u8"
HTTP = ("http", "https")
LIVE = ("rtsp", "rtsps", "rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe", "srt", "udp", "rtp", "tcp", "tls")
KNOWN_QUERY = ("udp", "rtp", "tcp")  # what follows the ? of these are settings, not secrets
LISTENERS = ("rtmp", "rtsp", "tcp", "http")


def scheme(address: str) -> str:
    """The lower-case scheme of a URL, empty for a path or a pipe."""
    return address.split("://", 1)[0].lower() if "://" in address else ""


def is_playlist(address: str) -> bool:
    path = urlsplit(address).path if "://" in address else address
    return path.lower().endswith(PLAYLIST)


def is_stream_target(address: str) -> bool:
    """Whether `address` is to be written as a stream, not as a file."""
    return address == PIPE or bool(scheme(address)) or is_playlist(address)


def mask(address: str) -> str:
    """`address` as it may be shown: without user and password, stream key and what a query holds."""
    if "://" not in address:
        return address
    head, rest = address.split("://", 1)
    place, _, query = rest.partition("?")
    host, slash, path = place.partition("/")
    if "@" in host:
        host = "***@" + host.rsplit("@", 1)[1]
    elif "@" in path and re.match(r"[^/@]*:", host):  # a password with a slash in it
        host, _, path = ("***@" + place.rsplit("@", 1)[1]).partition("/")
    if head.lower().startswith("rtmp") and "/" in path:
        path = path.split("/", 1)[0] + "/***"
    if query:
        query = "?" + (query if head.lower() in KNOWN_QUERY else "***")
    return f"{head}://{host}{slash}{path}{query}"


def name_of(address: str, *, output: bool = False) -> str:
    """How messages call it."""
    if address == PIPE:
        return "standard output" if output else "standard input"
    return mask(address)


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
    import av  # here, for addresses are looked at before anything heavy is loaded

    try:
        av.open(f"{kind}://127.0.0.1:9?timeout=1000", timeout=0.05).close()
    except av.error.ProtocolNotFoundError:
        return False
    except (av.FFmpegError, OSError, ValueError):
        pass
    return True


def check_local(address: str) -> None:
    """A file or pipe that is there to be read; of a URL nothing is asked."""
    if address != PIPE and not scheme(address) and not Path(address).exists():
        raise InputError(f"{address}: no such file; check the name")
