"""What a reader makes of a picture, and the errors of the readers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from vidcolor.errors import InputError, VidcolorError


@dataclass(frozen=True)
class Samples:
    """A picture as it lies in the file."""

    signal: np.ndarray  # (h, w) uint16
    alpha: np.ndarray | None  # (h, w) uint16
    depth: int  # 8 or 16, of the samples that were used
    turn: int  # EXIF orientation still to be applied
    mode: str  # Pillow's name of the channels
    faults: int = 0  # places that the reader found damaged and passed over


def upright(plane: np.ndarray, turn: int) -> np.ndarray:
    """A plane turned as its EXIF orientation says."""
    if turn in (5, 6, 7, 8):
        plane = plane.T
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}.get(turn, ())
    return np.ascontiguousarray(np.flip(plane, flips))


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn whatever a damaged file makes a reader stumble over into one line about the file.

    Raises:
        InputError: cut off, damaged, of an unknown kind, or too large for the memory that is left.
    """
    try:
        yield
    except VidcolorError:
        raise
    except MemoryError as error:
        raise InputError(f"{name}: needs more memory than is left; scale it down, or end other programs") from error
    except Exception as error:  # readers raise all kinds, down to struct.error and KeyError
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        said = "is cut off or damaged" if cut else "is not a picture this program can read"
        raise InputError(f"{name}: {said}; check that it opens elsewhere") from error
