"""What the server takes from its visitors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

JSON_BYTES = 64 * 1024  # of a request that is no upload; an SDP offer has a few KB
IDLE_SECONDS = 30.0  # that a connection may be open without a request
JSON_SECONDS = 10.0  # that such a request may take to come in
CHUNK_SECONDS = 30.0  # that an upload may be silent
SLOWEST = 8_000  # bytes a second that an upload must bring on average, after its first CHUNK_SECONDS
PROBE_SECONDS = 30.0  # that looking into an upload may take
PROBE_MEMORY = 4_000_000_000  # bytes
STILL_CPU, FILM_CPU = 600, 100  # seconds of processor time for a still, and for a second of the longest film


@dataclass(frozen=True)
class Limits:
    """Bounds of a server; what exceeds them is refused with one line."""

    max_bytes: int = 2_000_000_000  # of an upload
    max_seconds: float = 3600.0  # of a film
    max_pixels: int = 4096 * 2304  # of a film's frame
    max_still_pixels: int = 100_000_000
    max_jobs: int = 50  # films and stills of all visitors, waiting, at work and kept
    max_visitor_jobs: int = 20
    max_uploads: int = 4  # at the same time
    max_visitor_uploads: int = 2
    max_peers: int = 2  # live pictures at the same time
    max_live_pixels: int = 1920 * 1088
    max_visitor_peers: int = 1
    max_requests: int = 64  # at the same time, streams of events not counted
    max_connections: int = 400
    max_streams: int = 64  # of events; a page has one
    max_visitor_streams: int = 16
    max_memory: int = 4_000_000_000  # bytes, of the process that colours an upload
    silent_seconds: float = 300.0  # that this process may work on one frame or still
    keep_seconds: float = 3600.0  # that a finished job is kept
    connect_seconds: float = 20.0  # that a live picture has to begin


NO_STRENGTH = "strength is a number from 0 to 2"


def is_strength(value: Any) -> bool:
    """Whether a visitor's JSON gives an amount of colour."""
    return is_number(value, 0.0, 2.0)


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether a value of a visitor's JSON is a number from `low` to `high`: NaN, a text and true are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
