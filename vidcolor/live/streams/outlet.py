"""What a target is: its container, its options, and the rules before anything is written."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

from vidcolor.errors import OptionError, OutputError
from vidcolor.live.streams.address import HTTP, PIPE, is_playlist, name_of, scheme
from vidcolor.live.streams.options import FORMATS, StreamOptions
from vidcolor.live.streams.protocols import check_protocol
from vidcolor.video.target import check_target

BY_SCHEME = {"rtsp": "rtsp", "rtsps": "rtsp", "udp": "mpegts", "srt": "mpegts", "tcp": "mpegts", "tls": "mpegts",
             "rtp": "rtp_mpegts"}  # fmt: skip
SEGMENT = 4  # seconds
WINDOW = 6  # segments in the playlist of a live stream
SCARCE = 100_000  # bytes of room under which a disk is called full
NUMBERED = re.compile(r"%\d*[dv]")  # what FFmpeg's playlist muxer replaces in names; there is no way to escape it
INTERLEAVE = "500000"  # microseconds that one stream may wait for another that says nothing


@dataclass(frozen=True)
class Outlet:
    """A target that is a stream. `format` is FFmpeg's name of the container."""

    address: str
    format: str
    name: str  # how messages call it, without secrets
    codec: str  # that is taken unless the user names one

    @classmethod
    def of(cls, address: str, options: StreamOptions) -> Outlet:
        """The outlet that an address asks for.

        Raises:
            OptionError: its protocol is not known here or cannot be written.
        """
        check_protocol(address, output=True)
        name, kind = name_of(address, output=True), scheme(address)
        if options.format is not None and address != PIPE:
            raise OptionError(f"{name}: format is for pipes (-o -); leave it out")
        if address == PIPE:
            chosen = options.format or "nut"
            return cls(address, FORMATS[chosen], name, "raw" if chosen in ("nut", "y4m") else "x264")
        if is_playlist(address):
            return cls(address, "hls", name, "x264")
        if kind.startswith("rtmp"):
            return cls(address, "flv", name, "x264")
        if kind in BY_SCHEME:
            return cls(address, BY_SCHEME[kind], name, "x264")
        raise OptionError(f"{name}: cannot be written; give an address of rtmp, rtsp, udp, rtp or srt, or a .m3u8")

    @property
    def network(self) -> bool:
        """A peer that may go away and come back."""
        return bool(scheme(self.address)) and scheme(self.address) not in HTTP

    @property
    def folder(self) -> Path | None:
        """Where a local playlist's segments lie."""
        return Path(self.address).absolute().parent if self.format == "hls" and not scheme(self.address) else None

    @property
    def segment(self) -> str:
        """What the names of a local playlist's segments begin with: its own name, and nothing that means something in a
        URL, which the playlist names them by."""
        stem = Path(self.address).stem
        clean = re.sub(r"[^\w.-]", "_", stem)
        return stem if clean == stem else f"{clean}-{zlib.crc32(os.fsencode(stem)):08x}"

    @property
    def plain(self) -> bool:
        """Its players want 8-bit 4:2:0."""
        return self.format in ("flv", "hls", "rtsp", "rtp_mpegts", "mpegts")

    def check_codec(self, codec: str) -> None:
        """Refuse what players of this stream do not know, or the container does not hold."""
        good = {"flv": ("x264", "x265"), "hls": ("x264", "x265")}
        good["mpegts"] = good["rtsp"] = good["rtp_mpegts"] = ("x264", "x265")
        if self.format == "yuv4mpegpipe" and codec != "raw":
            raise OptionError(f"{self.name}: y4m holds raw frames only; leave codec out, or choose another format")
        if codec not in good.get(self.format, (codec,)):
            raise OptionError(f"{self.name}: {self.format} cannot hold {codec}; use {' or '.join(good[self.format])}")

    def check(self, *, overwrite: bool, source: str) -> None:
        """Refuse a playlist that must not or cannot be written."""
        if self.folder is not None:
            check_target(Path(self.address), overwrite=overwrite, source=source)
            if found := NUMBERED.search(str(self.folder)):
                raise OutputError(
                    f"{self.name}: {found[0]} in its folder's name would be taken for a number; choose another folder"
                )

    def container_options(self, *, live: bool) -> dict[str, str]:
        options = {"max_interleave_delta": INTERLEAVE} if live else {}
        if self.format == "hls":
            return options | self.hls_options(live=live)
        if self.format == "flv":
            return options | {"flvflags": "no_duration_filesize"}
        if self.format == "rtsp":
            return options | {"rtsp_transport": "tcp"}
        if self.format == "yuv4mpegpipe":
            return options | {"strict": "-1"}  # more than 8 bits
        return options | {"flush_packets": "1"}

    def hls_options(self, *, live: bool) -> dict[str, str]:
        flags = "independent_segments" + ("+delete_segments+temp_file" if live else "")
        options = {"hls_time": str(SEGMENT), "hls_flags": flags, "hls_list_size": str(WINDOW if live else 0)}
        if not live:
            options["hls_playlist_type"] = "vod"
        if self.folder is not None:
            options["hls_segment_filename"] = f"{self.folder / self.segment}-%05d.ts"
        else:
            options["method"] = "PUT"
        return options

    def check_written(self, size: int, *, live: bool) -> None:
        """Make sure that a local playlist is whole: FFmpeg's muxer says nothing of a disk that is full.

        `size` is the bytes of all packets, of which segments hold more; those of a live playlist are deleted in time.

        Raises:
            OutputError: something is missing.
        """
        if self.folder is None:
            return
        path = Path(self.address)
        is_closed = path.is_file() and "#EXT-X-ENDLIST" in path.read_text()
        if is_closed and (live or sum(entry.stat().st_size for entry in self.segments()) >= size):
            return
        full = shutil.disk_usage(self.folder).free < SCARCE
        why = (
            "the disk is full; free some room or choose another folder"
            if full
            else "not all was written; check the disk"
        )
        raise OutputError(f"{self.name}: {why}")

    def segments(self) -> list[os.DirEntry[str]]:
        """The files of a local playlist's segments."""
        own = re.compile(re.escape(self.segment) + r"-\d{5,}\.ts(\.tmp)?")
        return [entry for entry in os.scandir(self.folder) if own.fullmatch(entry.name)]

    def remove_playlist(self) -> None:
        """Remove a playlist with its segments: one that is replaced, or one that will not be finished."""
        if self.folder is None:
            return
        for entry in self.segments():
            Path(entry.path).unlink(missing_ok=True)
        for name in (self.address, f"{self.address}.tmp"):
            Path(name).unlink(missing_ok=True)
