"""What an address means to a stream, and how it is called."""

from __future__ import annotations

from urllib.parse import urlsplit

from vidcolor.video.address import HTTP as HTTP
from vidcolor.video.address import mask as mask
from vidcolor.video.address import scheme as scheme

PIPE = "-"
PLAYLIST = ".m3u8"
LIVE = ("rtsp", "rtsps", "rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe", "srt", "udp", "rtp", "tcp", "tls")
LISTENERS = ("rtmp", "rtsp", "tcp", "http")


def is_playlist(address: str) -> bool:
    path = urlsplit(address).path if "://" in address else address
    return path.lower().endswith(PLAYLIST)


def is_stream_target(address: str) -> bool:
    """Whether `address` is to be written as a stream, not as a file."""
    return address == PIPE or bool(scheme(address)) or is_playlist(address)


def name_of(address: str, *, output: bool = False) -> str:
    """How messages call it."""
    if address == PIPE:
        return "standard output" if output else "standard input"
    return mask(address)
