"""How fast colour follows, where it has no past: after cuts, and where something comes into view.

The first frames may be harder in themselves, so these figures mean something beside those of unsmoothed predictions.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np

from benchmarks.temporal.motion import NEW, Pair


def distance(ab: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|dAB| of each pixel, ``(h, w)``, of two a*b* pictures ``(h, w, 2)``."""
    return np.sqrt(((ab - truth) ** 2).sum(-1))


def shots_after(cuts: Collection[int], frames: int) -> list[slice]:
    """The shots that begin with a cut; the one before the first cut has nothing to lag behind."""
    return [slice(*ends) for ends in itertools.pairwise([*sorted(cuts), frames])]


def after_cuts(errors: np.ndarray, cuts: Collection[int]) -> tuple[float, float] | None:
    """Mean error of the first `NEW` frames after cuts, and of the later frames of those shots.

    `errors` is the mean |dAB| of each frame, ``(n,)``; None where no shot that follows a cut is longer than `NEW`.
    """
    shots = [errors[s] for s in shots_after(cuts, len(errors))]
    shots = [s for s in shots if len(s) > NEW]
    if not shots:
        return None
    early, late = (np.concatenate([s[part] for s in shots]) for part in (slice(NEW), slice(NEW, None)))
    return float(early.mean()), float(late.mean())


def first_frames(psnrs: np.ndarray, cuts: Collection[int]) -> list[float]:
    """For each cut the PSNR of the first frame after it minus the mean of its shot, in dB; `psnrs` is ``(n,)``."""
    return [float(psnrs[s][0] - psnrs[s].mean()) for s in shots_after(cuts, len(psnrs))]


def at_disocclusions(errors: Sequence[np.ndarray], pairs: Sequence[Pair | None]) -> tuple[float, float] | None:
    """Mean error of the pixels that are new in view (`Pair.new`) and of all others, over the clip.

    `errors` is |dAB| of each frame ``(h, w)``; None where nothing, or everything, is new.
    """
    sums = np.zeros(4)
    for error, pair in zip(errors[1:], pairs, strict=True):
        if pair is not None:
            new, all_of_it = error[pair.new], float(error.sum(dtype=np.float64))
            fresh = float(new.sum(dtype=np.float64))
            sums += (fresh, new.size, all_of_it - fresh, error.size - new.size)
    if not sums[1] or not sums[3]:
        return None
    return float(sums[0] / sums[1]), float(sums[2] / sums[3])
