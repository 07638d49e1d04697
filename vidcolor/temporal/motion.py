"""Motion between neighbouring frames, as warps on the a*b* grid."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from vidcolor.color.resize import shrink

FLOW_SCALE = 2 / 3  # size at which flow is computed, in sizes of the a*b* grid; DIS costs less than half there
STRIDE = 4  # of DIS's patches: where a side is not a multiple of it, no patch covers its last pixels
MIN_SIDE = 16  # pixels; DIS needs that many
TOLERANCE = 8.0  # difference of L* after a warp at which the match has fallen to 1/e


class Motion:
    """Dense Inverse Search (Kroeger et al. 2016, arXiv 1603.03590), ultrafast preset.

    That preset skips the two finest scales of the pyramid. So we hand it a picture of that smaller size and let it use
    every scale: the flow is the same, and the skipped scales are never built.

    A frame comes as ``grey`` (uint8), the picture that flow is computed on; see `grey`.
    """

    def __init__(self) -> None:
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.flow.setFinestScale(0)

    @staticmethod
    def grey(grid_lightness: np.ndarray) -> np.ndarray:
        """L* on the a*b* grid ``(h', w')`` as the uint8 picture that flow is computed on."""
        size = tuple(max(MIN_SIDE, STRIDE * round(side * FLOW_SCALE / STRIDE)) for side in grid_lightness.shape[::-1])
        return cv2.resize(cv2.convertScaleAbs(grid_lightness, alpha=2.55), size, interpolation=cv2.INTER_AREA)

    def find_warp(self, new: np.ndarray, old: np.ndarray, width: int, height: int) -> np.ndarray:
        """Where each cell of the `new` frame's grid was in the `old`: a warp, float32 ``(h', w', 2)``, x and y."""
        flow: np.ndarray = self.flow.calc(new, old, None)  # type: ignore[call-overload]
        cv2.patchNaNs(flow, 0.0)  # DIS returns NaN for very thin pictures
        warp: np.ndarray = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        for i, stretch in enumerate((width / flow.shape[1], height / flow.shape[0])):
            warp[..., i] *= np.float32(stretch)
        warp += grid(width, height)
        return warp


def to_grid(lightness: np.ndarray, width: int, height: int) -> np.ndarray:
    """L* on the a*b* grid, by area averaging."""
    return shrink(lightness, (width, height))


def match(warped: np.ndarray, grid_lightness: np.ndarray) -> np.ndarray:
    """How well warped L* agrees with the L* of the frame it was warped to: 1 where they are equal, falling to 0."""
    agreement: np.ndarray = np.exp(-(((warped - grid_lightness) / np.float32(TOLERANCE)) ** 2))
    return agreement


def warp_planes(planes: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """`planes` ``(h', w')`` or ``(h', w', n)`` moved along a warp; the border repeats outside."""
    if planes.ndim == 3 and planes.shape[2] == 2:
        return warp_planes(pad(planes), warp)[..., :2]
    moved: np.ndarray = cv2.remap(  # type: ignore[call-overload]
        planes, warp, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return moved


def pad(planes: np.ndarray) -> np.ndarray:
    """Two planes as three: OpenCV 5 rounds the positions of a warp to 1/32 with two channels, not with three."""
    return cv2.merge((*cv2.split(planes), planes[..., 0]))


@lru_cache(maxsize=4)
def grid(width: int, height: int) -> np.ndarray:
    """x and y of every cell, float32 ``(height, width, 2)``, read-only."""
    cells = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
    cells.setflags(write=False)
    return cells
