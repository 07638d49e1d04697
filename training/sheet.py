"""Contact sheets: grey | ours | truth, for the eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from training.data import to_lab
from training.evaluate import merge

COLUMNS, ROWS = 4, 10


def contact_sheet(
    photos: Sequence[np.ndarray], predict: Callable[[np.ndarray], np.ndarray], *, side: int = 160
) -> np.ndarray:
    """An evenly spaced choice of square `photos` (not picked by result), as uint8 BGR for cv2.imwrite."""
    chosen = [photos[i] for i in np.linspace(0, len(photos) - 1, COLUMNS * ROWS).astype(int)]
    cells = []
    for photo in chosen:
        lightness = to_lab(photo)[..., 0]
        ab = cv2.resize(predict(lightness[None, None])[0].transpose(1, 2, 0), photo.shape[1::-1])
        grey = merge(lightness, np.zeros_like(ab))
        views = [grey * 255, merge(lightness, ab) * 255, photo]
        views = [cv2.resize(v.astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA) for v in views]
        cells.append(cv2.copyMakeBorder(np.hstack(views), 2, 2, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    return np.vstack(rows)[..., ::-1]
