"""Motion of a clip, from its luma: flow both ways, and which pixels may be compared along it.

Flow is Dense Inverse Search (Kroeger et al. 2016) as OpenCV has it, medium preset. It is a displacement in pixels,
float32 ``(h, w, 2)``, x first. Pairs of frames are None where the later one begins a new shot.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

LUMA_TOLERANCE = 3.0  # L* by which a pixel may differ from where it came from
NEW = 5  # frames for which a pixel that came into view counts as new


@dataclass(frozen=True)
class Pair:
    """A frame and the one before it, in the same shot; masks are bool ``(h, w)``."""

    ahead: np.ndarray  # flow from the earlier frame to this one
    back: np.ndarray  # flow from this frame to the earlier one
    warpable: np.ndarray  # pixels of the earlier frame: not occluded in this one, not at a motion boundary
    agrees: np.ndarray  # pixels of this frame that have the luma of where they came from
    new: np.ndarray  # pixels of this frame that came into view in it or in the `NEW - 1` frames before


def pairs(lightness: Sequence[np.ndarray], cuts: Collection[int] = ()) -> list[Pair | None]:
    """The n - 1 pairs of n frames of L* ``(h, w)``; `cuts` are the first frames of new shots."""
    found: list[Pair | None] = []
    age: np.ndarray | None = None  # frames since each pixel came into view
    for i, (before, now) in enumerate(itertools.pairwise(lightness), 1):
        if i in cuts:
            age = None
            found.append(None)
            continue
        ahead, back = flow(before, now), flow(now, before)
        warpable = ~(occluded(ahead, back) | at_boundary(ahead))
        age = grow(np.full(now.shape, NEW, np.float32) if age is None else age, back, occluded(back, ahead))
        found.append(Pair(ahead, back, warpable, agrees(before, now, back), age < NEW))
    return found


def flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where each pixel of `a` is in `b`; both are L* ``(h, w)``."""
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return engine.calc(*(cv2.convertScaleAbs(x, alpha=2.55) for x in (a, b)), None)  # type: ignore[call-overload]


@functools.lru_cache(maxsize=4)
def grid(height: int, width: int) -> np.ndarray:
    """x and y of every pixel, float32 ``(h, w, 2)``."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)


def warp(picture: np.ndarray, where: np.ndarray, *, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """`picture` ``(h, w)`` or ``(h, w, c)`` looked up along the flow `where`; its border goes on outside.

    Two channels go one by one: OpenCV 5 rounds positions to 1/32 pixel for them, and for them only.
    """
    if picture.shape[2:] == (2,):
        return np.stack([warp(channel, where, how=how) for channel in cv2.split(picture)], -1)
    return cv2.remap(picture, grid(*where.shape[:2]) + where, None, how, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def occluded(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Pixels that are gone in the other frame: |wf + wb|^2 > 0.01 (|wf|^2 + |wb|^2) + 0.5 (Lai et al. 2018, after
    Sundaram et al. 2010), `there` leading to it and `back` being its own flow, looked up along `there`.
    """
    back = warp(back, there)
    return square(there + back) > 0.01 * (square(there) + square(back)) + 0.5


def at_boundary(there: np.ndarray) -> np.ndarray:
    """Motion boundaries: |grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002 (Lai et al. 2018), forward differences."""
    across = np.diff(there, axis=1, append=there[:, -1:])
    down = np.diff(there, axis=0, append=there[-1:])
    return square(across) + square(down) > 0.01 * square(there) + 0.002


def agrees(before: np.ndarray, now: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Pixels of `now` whose L* is within `LUMA_TOLERANCE` of where they came from."""
    return np.abs(warp(before, back) - now) < LUMA_TOLERANCE


def grow(age: np.ndarray, back: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Frames since each pixel came into view, a frame later: 0 where it was hidden or outside the frame before."""
    height, width = age.shape
    x, y = cv2.split(grid(height, width) + back)
    outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    return np.where(hidden | outside, np.float32(0), warp(age, back, how=cv2.INTER_NEAREST) + 1)


def square(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("...c,...c->...", vectors, vectors)
