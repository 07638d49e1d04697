"""The colour of a reference frame on another frame of its shot, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.conditions.known import Known
from vidcolor.temporal.motion import grid, warp_planes

FINER = 2  # pixels of the luma proxy to a cell of what is known, along each axis
WINDOW = (7, 7)  # pixels around one in which luma is compared
HALF, SLOPE = np.float32(30.0), np.float32(8.0)  # code values: of the misfit at which an even colour is half trusted
SCALE = 1.0 + np.exp(-HALF / SLOPE)  # so that where nothing differs it is trusted wholly
WORSE = 1.0  # code values by which the refined motion may fit worse than the chained one it began with


@dataclass(frozen=True)
class View:
    """A frame of the film whose colour is known, at the size of the luma proxy.

    Attributes:
        number: of the frame.
        grey: ``(h, w)`` uint8, the frame's own L* times 2.55.
        ab: ``(h, w, 2)`` float32.
        confidence: ``(h, w)`` float32, 0..1.
    """

    number: int
    grey: np.ndarray
    ab: np.ndarray
    confidence: np.ndarray


def grey_of(lightness: np.ndarray) -> np.ndarray:
    """L* ``(h, w)`` as the uint8 picture that motion is found on."""
    return cv2.convertScaleAbs(lightness, alpha=2.55)


class Carrier:
    """Carries the colour of views to other frames.

    The motion that was chained frame by frame drifts; so it is where a search from frame to frame directly begins, with
    Dense Inverse Search (Kroeger et al. 2016, arXiv 1603.03590).
    """

    def __init__(self) -> None:
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def carry(self, view: View, grey: np.ndarray, move: np.ndarray) -> Known:
        """What `view` says of the frame `grey` ``(h, w)``; `move` is the chained motion, see `Track`."""
        height, width = grey.shape
        warp = self.refine(view.grey, grey, cv2.resize(move, (width, height), interpolation=cv2.INTER_LINEAR))
        size = -(-width // FINER), -(-height // FINER)
        known = warp_planes(np.dstack((view.ab, view.confidence)), warp)
        known[..., 2] *= inside(warp, width, height)
        agreement = match(warp_planes(view.grey, warp), grey)
        ab = cv2.resize(known[..., :2], size, interpolation=cv2.INTER_AREA)
        confidence = cv2.resize(known[..., 2], size, interpolation=cv2.INTER_AREA)
        return Known(ab, confidence * cv2.resize(agreement, size, interpolation=cv2.INTER_AREA))

    def refine(self, reference: np.ndarray, grey: np.ndarray, move: np.ndarray) -> np.ndarray:
        """The warp of `grey` into `reference`: a direct search from `move` ``(h, w, 2)``, where that fits no worse."""
        cells = grid(*grey.shape[::-1])
        chained = cells + move
        flow: np.ndarray = self.flow.calc(grey, reference, np.ascontiguousarray(move))
        cv2.patchNaNs(flow, 0.0)
        direct = cells + flow
        better = misfit(reference, grey, direct) <= misfit(reference, grey, chained) + WORSE
        warp: np.ndarray = np.where(better[..., None], direct, chained)
        return warp


def misfit(reference: np.ndarray, grey: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Mean difference of code values around each pixel; large outside the reference."""
    difference: np.ndarray = np.abs(warp_planes(reference, warp).astype(np.float32) - grey)
    difference[inside(warp, *grey.shape[::-1]) == 0.0] = 99.0
    return blur(difference)


def inside(warp: np.ndarray, width: int, height: int) -> np.ndarray:
    """1 where a warp points into the picture, 0 where it does not."""
    x, y = warp[..., 0], warp[..., 1]
    within: np.ndarray = (x >= -1) & (y >= -1) & (x <= width) & (y <= height)
    ones: np.ndarray = within.astype(np.float32)
    return ones


def match(warped: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """How well code values agree around each pixel: 1 where they are equal, falling to 0.

    Texture may be off by more than what is even, and a change of the whole picture's brightness does not count.
    """
    picture = grey.astype(np.float32)
    difference = warped.astype(np.float32) - picture
    misfit = blur(np.abs(difference - np.median(difference)))
    texture = np.sqrt(np.maximum(blur(picture * picture) - blur(picture) ** 2, 0.0))
    agreement = SCALE / (1.0 + np.exp((misfit - HALF - np.float32(0.5) * texture) / SLOPE))
    return np.minimum(agreement, np.float32(1.0))  # type: ignore[no-any-return]


def blur(picture: np.ndarray) -> np.ndarray:
    return cv2.blur(picture, WINDOW)
