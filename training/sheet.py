"""Contact sheets: grey | output | truth, for the eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from training.data import to_lab
from training.evaluate import merge


def contact_sheet(
    photos: Sequence[np.ndarray],
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    columns: int = 4,
    rows: int = 10,
    side: int = 160,
) -> np.ndarray:
    """An evenly spaced choice of square `photos` (not picked by result), as uint8 RGB ``(h, w, 3)``."""
    count = min(columns * rows, len(photos))
    cells = []
    for i in ((np.arange(count) + 0.5) * len(photos) / count).astype(int):
        photo = photos[i]
        lightness = to_lab(photo)[..., 0]
        ab = cv2.resize(predict(lightness[None, None])[0].transpose(1, 2, 0), photo.shape[1::-1])
        grey = merge(lightness, np.zeros_like(ab))
        views = [grey * 255, merge(lightness, ab) * 255, photo]
        views = [cv2.resize(v.astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA) for v in views]
        cells.append(cv2.copyMakeBorder(np.hstack(views), 2, 2, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def square(photo: np.ndarray, side: int) -> np.ndarray:
    """The centre square of ``(h, w, 3)``, at `side` pixels."""
    short = min(photo.shape[:2])
    top, left = (photo.shape[0] - short) // 2, (photo.shape[1] - short) // 2
    part = photo[top : top + short, left : left + short]
    return part if short == side else cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)


def same_size(photos: list[np.ndarray]) -> list[np.ndarray]:
    """Photographs as they are where all have one size, else their centre squares at 256 pixels."""
    return photos if len({p.shape for p in photos}) == 1 else [square(p, 256) for p in photos]
