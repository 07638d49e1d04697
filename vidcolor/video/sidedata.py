"""What a frame carries beside its planes. Kinds that PyAV has no name for are passed over."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any, cast

import av

UNIT = 1 << 16  # 1.0 in a display matrix
ONE = 1 << 30  # 1.0 in its last column


def side_data(frame: av.VideoFrame) -> list[Any]:
    """The pieces that PyAV knows; none where it stumbles over one that it does not know, such as EXIF."""
    try:
        return list(cast("Iterable[Any]", frame.side_data))  # PyAV's stub calls it a dict
    except ValueError:
        return []


def carries(frame: av.VideoFrame, kind: str) -> bool:
    """Whether a frame has side data of this name."""
    return any(data.type.name == kind for data in side_data(frame))


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Nine fixed-point numbers that turn the picture for display."""
    for data in side_data(frame):
        if data.type.name == "DISPLAYMATRIX":
            return struct.unpack("=9i", bytes(data)[:36])
    return rotation_matrix(frame.rotation) if frame.rotation else None  # behind a kind that PyAV does not know


def rotation_matrix(degrees: int) -> tuple[int, ...]:
    """The display matrix of a rotation counterclockwise."""
    radians = math.radians(degrees)
    cos, sin = round(math.cos(radians) * UNIT), round(math.sin(radians) * UNIT)
    return cos, -sin, 0, sin, cos, 0, 0, 0, ONE


def quarter_turns(matrix: tuple[int, ...] | None) -> int:
    """How many quarter turns counterclockwise come nearest to a display matrix, 0 to 3; mirrors are passed over."""
    if matrix is None:
        return 0
    across, down = math.hypot(matrix[0], matrix[3]), math.hypot(matrix[1], matrix[4])
    if not across or not down:
        return 0
    return round(-math.atan2(matrix[1] / down, matrix[0] / across) / (math.pi / 2)) % 4
