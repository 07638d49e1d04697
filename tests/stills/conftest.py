"""A real picture for all tests of stills."""

import numpy as np
import pytest

from tests.conftest import SAMPLE
from tests.films import read


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """Grey, uint8, 480 x 640."""
    return read(SAMPLE).luma[60]


@pytest.fixture(scope="session")
def fine(photo) -> np.ndarray:
    """The same with 16 bits that are all used."""
    import cv2

    smooth = cv2.GaussianBlur(photo.astype(np.float32) * 257.0, (0, 0), 1.5)
    return np.ascontiguousarray(smooth.astype(np.uint16)[::2, ::2])
