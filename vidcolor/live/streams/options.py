"""What a user can choose about a stream."""

from __future__ import annotations

from dataclasses import dataclass

from vidcolor.errors import OptionError
from vidcolor.options import check_choice, check_range

FORMATS = {"nut": "nut", "y4m": "yuv4mpegpipe", "mpegts": "mpegts", "matroska": "matroska"}  # of pipes -> FFmpeg's name
NETWORK_RECONNECT = 60.0  # seconds


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is read and written.

    Raises:
        OptionError: a value is out of its range.
    """

    live: bool = False  # causal and never late: frames are dropped where there is no time; network sources always are
    realtime: bool = False  # a file goes at the pace of its time stamps, as a live source
    reconnect: float | None = None  # seconds of trying before a lost peer is given up; None: 60 for network, else 0
    timeout: float = 10.0  # seconds without any data after which a peer is lost
    listen: bool = False  # wait for the sender to connect to us (rtmp, rtsp, tcp)
    format: str | None = None  # of a piped output, a key of FORMATS; None: nut

    def __post_init__(self) -> None:
        if self.format is not None:
            check_choice("format", self.format, tuple(FORMATS))
        check_range("timeout", self.timeout, 0.1, 3600)
        if self.reconnect is not None:
            check_range("reconnect", self.reconnect, 0, 1e6)

    @property
    def wanted(self) -> bool:
        """Whether anything here makes a stream of a file."""
        return self.live or self.realtime or self.listen or self.format is not None

    def reconnect_timeout(self, *, network: bool) -> float:
        """Seconds of trying again; 0: not at all."""
        if not network:
            return 0.0
        return NETWORK_RECONNECT if self.reconnect is None else self.reconnect


def check_streams(sources: list[str], output: str | None) -> tuple[str, str]:
    """The one source and target of a stream.

    Raises:
        OptionError: there are several sources, or no target.
    """
    if len(sources) > 1:
        raise OptionError("a stream is coloured alone; give one source")
    if output is None:
        raise OptionError("a stream needs a target; give one with -o: an address, a file, a playlist .m3u8, or -")
    return sources[0], output
