"""What happens to a photo on its way into a batch: crops for both sides, degradations for L* only."""

from __future__ import annotations

import cv2
import numpy as np


def random_crop(rgb: np.ndarray, size: int, min_area: float, rng: np.random.Generator) -> np.ndarray:
    """A random resized crop of ``(h, w, 3)``, mirrored half the time, as ``(size, size, 3)`` uint8."""
    height, width = rgb.shape[:2]
    area = height * width * rng.uniform(min_area, 1.0)
    aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    w = min(width, round(np.sqrt(area * aspect)))
    h = min(height, round(np.sqrt(area / aspect)))
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    crop = rgb[top : top + h, left : left + w]
    crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if min(h, w) > size else cv2.INTER_LINEAR)
    return np.ascontiguousarray(crop[:, ::-1]) if rng.random() < 0.5 else crop


def degrade(rgb: np.ndarray, lightness: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """L* as an old camera, a print and a transfer would have left it, float32 in 0..100."""
    x = film_stock(rgb, rng) if rng.random() < 0.6 * strength else lightness
    x = tone(x, rng)
    if rng.random() < 0.4 * strength:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.6 * strength:
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0.5, 6.0))
    if rng.random() < 0.6 * strength:
        x = cut_out(x, rng)
    return np.clip(x, 0.0, 100.0).astype(np.float32)


def film_stock(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey from random channel weights: panchromatic, red-blind orthochromatic and blue-sensitive stock lie among
    them, and so does video luma Y'."""
    weights = rng.dirichlet((1.2, 2.0, 1.0)).astype(np.float32)
    grey = (rgb.astype(np.float32) / 255.0) @ weights
    linear = np.where(grey > 0.04045, ((grey + 0.055) / 1.055) ** 2.4, grey / 12.92)
    return 116.0 * np.where(linear > 216 / 24389, np.cbrt(linear), (24389 / 27 * linear + 16) / 116) - 16.0


def tone(lightness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random gamma, contrast and brightness, each small."""
    x = (lightness / 100.0).clip(0.0, 1.0) ** np.float32(np.exp(rng.normal(0.0, 0.15)))
    middle = x.mean()
    return ((x - middle) * rng.uniform(0.8, 1.15) + middle + rng.normal(0.0, 0.03)) * 100.0


def cut_out(lightness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Hide a rectangle under its own mean: its colour must then come from around it."""
    size = lightness.shape[0]
    h, w = rng.integers(size // 8, size // 3, 2)
    top, left = rng.integers(size - h), rng.integers(size - w)
    x = lightness.copy()
    x[top : top + h, left : left + w] = x[top : top + h, left : left + w].mean()
    return x
