"""Pictures by their luma alone: local contrast, bars, thumbnails, and the places where one may lie on another.

Places are in shares of a picture: a window ``(start, span)`` a side says where on the frame the reference begins and
how much of the frame it spans. More than the whole is what a frame that was cropped leaves of a reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

COLUMNS, ROWS = 40, 24  # of a thumbnail
REACH = 0.12  # radius of what counts as local in a thumbnail, in widths
NOISE = 4.0  # variance of L* that says nothing
DARK = 10.0  # L* of bars at most
LIT = 0.1  # share of a line that is brighter, where it is no bar
BAR = 0.3  # share of a side that one bar may take
SPANS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 1.06, 1.12, 1.18, 1.25, 1.33)  # of a reference cropped, or of a frame
STEP = 0.06  # between starts
STRETCH = 0.07  # by which the two sides' spans may differ, as a logarithm, beside what pixel aspects explain
HALF = 0.6  # weight from which a cell counts
LEAST = 0.4  # share of a thumbnail that must be covered to be compared


@dataclass(frozen=True)
class Box:
    """The part of a picture within its bars, in shares of its sides."""

    left: float
    top: float
    width: float
    height: float


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def within(box: Box, height: int, width: int) -> np.ndarray:
    """1 within `box` and 0 in the bars around it, ``(height, width)`` float32; the lines along bars count as bars."""
    mask = np.zeros((height, width), np.float32)
    ends = []
    for start, length, count in ((box.top, box.height, height), (box.left, box.width, width)):
        first, last, line = round(start * count), round((start + length) * count), max(1, count // 200)
        ends.append(slice(first + line * (first > 0), last - line * (last < count)))
    mask[ends[0], ends[1]] = 1.0
    return mask


def local_contrast(lightness: np.ndarray, shown: np.ndarray | None = None, reach: float = REACH) -> np.ndarray:
    """L* ``(h, w)`` less its local mean, in local standard deviations: what grades, fades and vignettes leave.

    `shown` ``(h, w)`` float32 in 0..1 says which pixels count; the others are 0. `reach` is what is local, in widths.
    """
    sigma = reach * lightness.shape[1]
    plane = lightness.astype(np.float32, copy=False)
    if shown is None:
        apart = plane - cv2.GaussianBlur(plane, (0, 0), sigma)
        spread = cv2.GaussianBlur(apart * apart, (0, 0), sigma)
    else:
        weight = np.maximum(cv2.GaussianBlur(shown, (0, 0), sigma), 1e-6)
        apart = (plane - cv2.GaussianBlur(plane * shown, (0, 0), sigma) / weight) * shown
        spread = cv2.GaussianBlur(apart * apart, (0, 0), sigma) / weight
    contrast: np.ndarray = apart / np.sqrt(spread + NOISE)
    return contrast


def box_of(lightness: np.ndarray, shown: np.ndarray | None = None) -> Box:
    """What is left of L* ``(h, w)`` without black bars, and without what is not shown."""
    bright = cv2.blur(lightness, (3, 3)) > DARK  # grain must not light a bar
    if shown is not None:
        bright &= shown > 0.5
    top, height = side(bright.mean(1))
    left, width = side(bright.mean(0))
    return Box(left, top, width, height)


def side(bright: np.ndarray) -> tuple[float, float]:
    """Start and length of what is no bar, of the share of bright pixels in each line."""
    lines = np.flatnonzero(bright > LIT)
    count = len(bright)
    if not len(lines) or lines[0] > BAR * count or lines[-1] < (1.0 - BAR) * count:
        return 0.0, 1.0
    return float(lines[0]) / count, float(lines[-1] + 1 - lines[0]) / count


@lru_cache(maxsize=8)
def windows(ratio: float) -> np.ndarray:
    """Where a picture may lie on a frame, ``(n, 4)``: start and span across, start and span down; the whole is first.

    `ratio` is the picture's width to height by the frame's. The two spans follow it, as crops of square pixels do, or
    are alike, as they are when a crop was stretched to the frame's shape.
    """
    found = []
    for across in SPANS:
        for down in SPANS:
            shape = np.log(across / down)
            if min(abs(shape), abs(shape - np.log(ratio))) <= STRETCH:
                found += [(x, across, y, down) for x in starts(across) for y in starts(down)]
    return np.array(found)


def starts(span: float) -> np.ndarray:
    """Where a window of this span may begin so that it stays within the whole, or covers it."""
    return np.linspace(0.0, 1.0 - span, 1 + int(np.ceil(abs(1.0 - span) / STEP)))


def places(picture: Box, frame: Box, ratio: float) -> np.ndarray:
    """The windows ``(n, 4)`` in which the whole picture may lie on the whole frame, their bars taken into account.

    The first ones are those without a crop: as it is, and with the bars of either or both left out.
    """
    plain = [onto(np.array([(0.0, 1.0, 0.0, 1.0)]), p, f) for p in (WHOLE, picture) for f in (WHOLE, frame)]
    within = (frame.width / frame.height) / (picture.width / picture.height)
    return np.concatenate([*plain, onto(windows(ratio / within), picture, frame)])


PLAIN = 4  # of `places`, those without a crop


def onto(within: np.ndarray, picture: Box, frame: Box) -> np.ndarray:
    """Windows of `picture`'s box in `frame`'s as windows of the whole in the whole."""
    left, across, top, down = within.T
    across, down = across * frame.width / picture.width, down * frame.height / picture.height
    left = frame.left + left * frame.width - across * picture.left
    top = frame.top + top * frame.height - down * picture.top
    return np.stack((left, across, top, down), -1)


def laid(thumbnail: np.ndarray, spots: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A thumbnail ``(h, w)`` laid on frames in these windows ``(n, 4)``: ``(n, rows * columns)``, 0 where it is not.

    `size` is ``(columns, rows)``.
    """
    across, inverse_x = np.unique(spots[:, :2], axis=0, return_inverse=True)
    down, inverse_y = np.unique(spots[:, 2:], axis=0, return_inverse=True)
    lines = sampling(across, size[0], thumbnail.shape[1])
    rows = np.einsum("nrh,hw->nrw", sampling(down, size[1], thumbnail.shape[0]), thumbnail, optimize=True)
    picked = np.matmul(rows[inverse_y.ravel()], lines[inverse_x.ravel()].transpose(0, 2, 1))
    flat: np.ndarray = picked.reshape(len(spots), -1)
    return flat


def sampling(sides: np.ndarray, count: int, given: int) -> np.ndarray:
    """Linear interpolation as matrices ``(n, count, given)``: of lines in windows ``(n, 2)``; 0 beyond the ends."""
    place = ((np.arange(count) + 0.5) / count - sides[:, :1]) / sides[:, 1:] * given - 0.5
    weight = (1.0 - np.abs(place.clip(0.0, given - 1.0)[..., None] - np.arange(given))).clip(0.0)
    inside = (place > -0.75) & (place < given - 0.25)
    matrices: np.ndarray = (weight * inside[..., None]).astype(np.float32)
    return matrices


def correlations(frames: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Normalised correlation ``(N, n)`` of frames ``(N, cells)`` with templates ``(n, cells)`` where these have weight.

    A template that covers less than `LEAST` of the cells correlates with nothing.
    """
    weights = (weights > HALF).astype(np.float32)
    total = weights.sum(1)
    mean = (values * weights).sum(1) / np.maximum(total, 1e-6)
    apart = (values - mean[:, None]) * weights
    power = np.maximum((apart * (values - mean[:, None])).sum(1), 1e-6)
    sums = frames @ weights.T
    spread = np.maximum((frames * frames) @ weights.T - sums * sums / np.maximum(total, 1e-6), 1e-6)
    found: np.ndarray = (frames @ apart.T) / np.sqrt(spread * power)
    found[:, total < LEAST * values.shape[1]] = 0.0
    return found
