"""Image metrics, each with its source."""

from __future__ import annotations

import cv2
import numpy as np

FINE = 2.0  # pixels: what a Gaussian of this width takes away is fine detail


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


def fine_energy(ab: np.ndarray) -> float:
    """Mean square of what a Gaussian of `FINE` pixels takes away from a*b* ``(h, w, 2)``: detail and noise."""
    return float(np.mean((ab - cv2.GaussianBlur(ab, (0, 0), FINE)) ** 2))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of the Gaussians fitted to features ``(n, d)`` and ``(m, d)`` (Heusel et al. 2017, eq. 6).

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)); the trace of the root is the sum of the singular values of
    A^T B, where C_a = A A^T and C_b = B B^T, which needs no matrix root and holds for fewer samples than features.
    With more samples A and B are replaced by the triangular factors of their QR decompositions, which are smaller.
    """
    means = a.mean(0), b.mean(0)
    roots = [(x - m).astype(np.float64) / np.sqrt(len(x) - 1) for x, m in zip((a, b), means, strict=True)]
    roots = [np.linalg.qr(r, "r") if len(r) > r.shape[1] else r for r in roots]
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float((r**2).sum()) for r in roots)
    return float(((means[0] - means[1]) ** 2).sum()) + spread - 2.0 * float(shared)
