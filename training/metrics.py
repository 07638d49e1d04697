"""Image metrics, each with its source."""

from __future__ import annotations

import numpy as np


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two RGB pictures in 0..1, in dB."""
    return float(-10.0 * np.log10(max(float(np.mean((a - b) ** 2)), 1e-10)))


def colourfulness(rgb: np.ndarray) -> tuple[float, float]:
    """Hasler & Susstrunk 2003 on RGB in 0..1, in units of 0..255: (signed opponents, abs() taken of them first).

    Published colouriser figures (DDColor and after) follow the abs() variant.
    """
    r, g, b = (rgb[..., i].astype(np.float64) * 255.0 for i in range(3))

    def measure(rg: np.ndarray, yb: np.ndarray) -> float:
        return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))

    rg, yb = r - g, 0.5 * (r + g) - b
    return measure(rg, yb), measure(np.abs(rg), np.abs(yb))
