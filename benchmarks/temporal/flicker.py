"""Change of colour along motion: warp error and chroma flicker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.temporal.motion import Pair, warp


def warp_error(rgb: Sequence[np.ndarray], pairs: Sequence[Pair | None]) -> float:
    """Lai et al. 2018 (Learning Blind Video Temporal Consistency) on RGB ``(h, w, 3)`` in 0..1.

    E = sum M (warp(V_t) - V_{t-1})^2 / sum M, V_t being looked up along the flow from t-1 to t, M the pixels that are
    neither occluded nor at a motion boundary; the mean over channels, as in their code, and over pairs of frames.
    """
    errors = [
        float(np.mean((warp(rgb[i], pair.ahead) - rgb[i - 1])[pair.warpable] ** 2))
        for i, pair in enumerate(pairs, 1)
        if pair is not None and pair.warpable.any()
    ]
    return float(np.mean(errors)) if errors else 0.0


def chroma_change(before: np.ndarray, now: np.ndarray, back: np.ndarray, agrees: np.ndarray) -> tuple[float, int]:
    """Sum of |dAB|^2 between a*b* ``(h, w, 2)`` and where it came from, over the pixels in `agrees`; their number."""
    change = ((now - warp(before, back)) ** 2).sum(-1)
    return float(change[agrees].sum()), int(agrees.sum())


def changes(ab: Sequence[np.ndarray], pairs: Sequence[Pair | None]) -> list[tuple[float, int]]:
    """`chroma_change` for each pair of frames, (0, 0) across a cut."""
    return [
        (0.0, 0) if p is None else chroma_change(ab[i - 1], ab[i], p.back, p.agrees) for i, p in enumerate(pairs, 1)
    ]


def flicker(changed: Sequence[tuple[float, int]]) -> float:
    """RMS of the a*b* change along flow where the luma agrees, over all pixels of the clip, in a*b* units."""
    total, count = (sum(column) for column in zip(*changed, strict=True))
    return (total / max(count, 1)) ** 0.5


def flicker_by_frame(changed: Sequence[tuple[float, int]]) -> np.ndarray:
    """`flicker` of each pair of frames ``(n - 1,)``; NaN across a cut."""
    return np.array([(total / count) ** 0.5 if count else np.nan for total, count in changed])
