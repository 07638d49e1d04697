"""Colour distribution consistency, CDC, of TCVC (Liu et al. 2021, Temporally Consistent Video Colorization)."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np

STEPS = (1, 2, 4)  # frames apart


def histogram(rgb: np.ndarray) -> np.ndarray:
    """Shares of the 256 values in each channel of a uint8 RGB picture: float32 ``(3, 256)``, each row with sum 1."""
    counts = [cv2.calcHist([rgb], [c], None, [256], [0, 256]).ravel() for c in range(3)]
    return np.stack(counts) / np.float32(rgb.shape[0] * rgb.shape[1])


def js_divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence over the last axis, in nats: (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2."""
    p, q = p.astype(np.float64), q.astype(np.float64)
    m = (p + q) / 2.0

    def kl(x: np.ndarray) -> np.ndarray:
        ratio = np.divide(x, m, out=np.ones_like(x), where=x > 0)
        return (x * np.log(ratio)).sum(-1)

    return (kl(p) + kl(q)) / 2.0


def cdc(histograms: np.ndarray, cuts: Collection[int] = ()) -> float:
    """Mean over t in `STEPS` of CDC_t, the mean over channels and frames i of JS(P(i), P(i + t)).

    `histograms` is ``(n, 3, 256)``; pairs with a cut between them, at the first frame of a new shot, are left out.

    Raises:
        ValueError: no pair of frames of one shot is as far apart as one of the steps.
    """
    shot = np.zeros(len(histograms), int)
    shot[list(cuts)] = 1
    shot = shot.cumsum()
    found = []
    for t in STEPS:
        same = shot[:-t] == shot[t:]
        if not same.any():
            raise ValueError(f"no two frames of one shot are {t} apart among {len(histograms)} frames")
        found.append(js_divergence(histograms[:-t][same], histograms[t:][same]).mean())
    return float(np.mean(found))
