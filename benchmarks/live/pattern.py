"""A time stamp as black and white squares: burnt into a picture, and read from it after any codec."""

from __future__ import annotations

import numpy as np

BITS, CHECK = 32, 8  # of the stamp, and of its sum; most significant first
CELL = 16  # pixels of a square's side
COLUMNS = 20  # squares in a row
BLACK, WHITE = 32, 220  # code values


def burn(luma: np.ndarray, stamp: int) -> None:
    """Write `stamp` (below 2^32) into the top left of a picture ``(h, w)`` uint8, at least 320 x 32."""
    for index, bit in enumerate(bits_of(stamp)):
        top, left = CELL * (index // COLUMNS), CELL * (index % COLUMNS)
        luma[top : top + CELL, left : left + CELL] = WHITE if bit else BLACK


def read(luma: np.ndarray) -> int | None:
    """The stamp in a picture ``(h, w)`` of the same size; None where it cannot be read."""
    quarter = CELL // 4
    bits = []
    for index in range(BITS + CHECK):
        top, left = CELL * (index // COLUMNS) + quarter, CELL * (index % COLUMNS) + quarter
        bits.append(float(luma[top : top + 2 * quarter, left : left + 2 * quarter].mean()) > (BLACK + WHITE) / 2)
    stamp = sum(bit << (BITS - 1 - i) for i, bit in enumerate(bits[:BITS]))
    return stamp if bits == bits_of(stamp) else None


def bits_of(stamp: int) -> list[bool]:
    check = sum(stamp.to_bytes(4, "big")) % 256
    return [bool(stamp >> i & 1) for i in range(BITS - 1, -1, -1)] + [bool(check >> i & 1) for i in range(7, -1, -1)]
