"""Colour that runs over the edges of things: chroma near edges of the luma against away from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

CANNY = (60, 150)  # thresholds on the luma as 0..255
GRAIN = 1.5  # pixels: sigma of the blur before
REACH = 3  # pixels on each side of an edge that count as near
CORE = 1  # pixels on each side of an edge where a change of colour belongs


@dataclass(frozen=True)
class Edges:
    """Edges of the luma; masks are bool ``(h, w)``."""

    near: np.ndarray  # at most `REACH` pixels from an edge
    beside: np.ndarray  # near, but more than `CORE` pixels from every edge


def edges(lightness: np.ndarray) -> Edges:
    """Edges of L* ``(h, w)`` after Canny 1986, on a picture whose grain and finest texture are blurred away."""
    grey = cv2.GaussianBlur(cv2.convertScaleAbs(lightness, alpha=2.55), (0, 0), GRAIN)
    found = cv2.Canny(grey, *CANNY)
    near, core = (widen(found, reach) for reach in (REACH, CORE))
    return Edges(near, near & ~core)


def widen(mask: np.ndarray, reach: int) -> np.ndarray:
    return cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0


def near_and_away(errors: Sequence[np.ndarray], found: Sequence[Edges]) -> tuple[float, float] | None:
    """Mean |dAB| near edges and away from them over frames ``(h, w)``; None where there is only one of the two."""
    near = np.concatenate([x[e.near] for x, e in zip(errors, found, strict=True)])
    away = np.concatenate([x[~e.near] for x, e in zip(errors, found, strict=True)])
    return (float(near.mean()), float(away.mean())) if near.size and away.size else None


def excess(ab: Sequence[np.ndarray], found: Sequence[Edges]) -> float | None:
    """Slope of a*b* beside edges over that on them, both less the slope away from edges; it needs no truth.

    Sharp colour changes on the edge itself and is as flat beside it as elsewhere: 0. The wider a change runs, the
    nearer to 1. None where colour does not change at edges more than elsewhere.
    """
    slopes = [slope(x) for x in ab]
    masks = [(e.near & ~e.beside, e.beside, ~e.near) for e in found]
    parts = (np.concatenate([s[m[i]] for s, m in zip(slopes, masks, strict=True)]) for i in range(3))
    on, beside, away = (float(p.mean()) if p.size else 0.0 for p in parts)
    return (beside - away) / (on - away) if on > away else None


def slope(ab: np.ndarray) -> np.ndarray:
    """Length of the gradient of a*b* ``(h, w, 2)``, central differences: ``(h, w)``, a unit a pixel."""
    across, down = (cv2.Sobel(ab, cv2.CV_32F, *axes, ksize=1, scale=0.5) for axes in ((1, 0), (0, 1)))
    return np.sqrt((across**2).sum(-1) + (down**2).sum(-1))
