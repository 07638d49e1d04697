"""A real film's frames, and one of them in colours of our own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.conftest import SAMPLE
from tests.films import read
from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize, make_proxy


@pytest.fixture(scope="session")
def frames() -> list[np.ndarray]:
    """Luma of the sample film, limited range, uint8 480 x 640 each."""
    return read(SAMPLE).luma


@pytest.fixture(scope="session")
def proxies(frames) -> list[np.ndarray]:
    """L* of each frame's proxy, float32 216 x 288."""
    size = ProxySize.fit(frames[0].shape[1], frames[0].shape[0], 216)
    return [make_proxy(luma, size, Encoding()).lightness for luma in frames]


def hues(height: int, width: int) -> np.ndarray:
    """a*b* that differ from place to place, ``(h, w, 2)`` float32, of a chroma from 15 to 30."""
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    chroma, angle = 22.5 + 7.5 * np.sin(9 * x), 6.0 * x + 3.0 * np.cos(5 * y)
    return np.dstack((chroma * np.cos(angle), chroma * np.sin(angle))).astype(np.float32)


def colored(luma: np.ndarray) -> np.ndarray:
    """A frame's luma in these colours: RGB uint8 ``(h, w, 3)``."""
    grey = ((luma.astype(np.float32) - 16.0) / 219.0).clip(0.0, 1.0)
    lightness = cv2.cvtColor(np.repeat(grey[..., None], 3, 2), cv2.COLOR_RGB2LAB)[..., 0]
    rgb = cv2.cvtColor(np.dstack((lightness, hues(*luma.shape))), cv2.COLOR_LAB2RGB)
    return np.rint(rgb.clip(0.0, 1.0) * 255.0).astype(np.uint8)


@pytest.fixture(scope="session")
def picture(frames) -> np.ndarray:
    """Frame 60 in colour."""
    return colored(frames[60])
