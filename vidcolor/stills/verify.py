"""A coloured still read back and compared with its source, page by page."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidcolor.errors import InputError, OutputError
from vidcolor.provenance import luma_facts
from vidcolor.stills.read import Page, Still, read_still

LEAST_DB = 20.0  # PSNR of the luma below which something other than rounding and an encoder has changed it
WHITE = 65535.0


@dataclass(frozen=True)
class VerifiedPage:
    """The luma of a page in both files, as 16-bit signals."""

    width: int
    height: int
    depth: int  # of the target
    source: str  # SHA-256 of all samples, row by row, little-endian
    target: str
    psnr: float  # dB; infinite where they are equal

    def facts(self) -> dict[str, Any]:
        """As values for a sidecar."""
        size = {"width": self.width, "height": self.height, "depth": self.depth}
        return {**size, "luma": luma_facts(self.source, self.target, self.psnr)}


@dataclass(frozen=True)
class Verified:
    """What was found to be right."""

    pages: list[VerifiedPage]

    def __str__(self) -> str:
        count, psnr = len(self.pages), min(page.psnr for page in self.pages)
        pages = f"{count} pages" if count > 1 else "1 picture"
        return f"verified: {pages}, luma as in the source" + ("" if math.isinf(psnr) else f" at {psnr:.1f} dB")

    def facts(self) -> list[dict[str, Any]]:
        """As values for a sidecar."""
        return [page.facts() for page in self.pages]


def verify(still: Still, count: int, file: Path, name: Path) -> Verified:
    """Compare the first `count` pages of a source with those of its coloured `file`, called `name` in messages.

    Raises:
        OutputError: a page is missing, or does not show what the source's does.
    """
    try:
        made = read_still(file)
        if made.count != count:
            raise OutputError(f"{name}: has {made.count} pages of {count}; colour it again")
        return Verified([compare(still.page(i), made.page(i), f"{name}: page {i + 1}") for i in range(count)])
    except InputError as error:
        raise OutputError(f"{name}: cannot be read back; colour it again") from error


def compare(source: Page, made: Page, name: str) -> VerifiedPage:
    """One page; with compare the result stands on the target's right."""
    height, width = source.signal.shape
    found = made.signal[:, -width:]
    if found.shape != source.signal.shape:
        raise OutputError(f"{name} has another size than the source's; colour it again")
    error = float(np.mean((source.signal.astype(np.float32) - found) ** 2, dtype=np.float64))
    psnr = 10.0 * math.log10(WHITE**2 / error) if error else math.inf
    if psnr < LEAST_DB:
        raise OutputError(f"{name} does not show what the source's does; colour it again")
    return VerifiedPage(width, height, made.depth, digest(source.signal), digest(found), psnr)


def digest(signal: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(signal, "<u2").data).hexdigest()
