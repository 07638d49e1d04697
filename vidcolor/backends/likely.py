"""The likely colours of each place, ranked: what a person chooses from where the network cannot know."""

from __future__ import annotations

import numpy as np

from vidcolor.errors import ModelError
from vidcolor.models.files import ModelFile

NEAR = 15.0  # a*b* units: bins that are no further apart are one colour


def centres_of(model: ModelFile) -> np.ndarray:
    """a*b* of the colour bins of `model`, float32 ``(bins, 2)``.

    Raises:
        ModelError: the model predicts no distribution, or its file does not say where it lies in the network.
    """
    if model.logits is None or "centres" not in model.metadata:
        raise ModelError(f"{model.path}: tells no likely colours; export the model again by python -m training export")
    return np.array(model.metadata["centres"].split(), np.float32).reshape(-1, 2)


def ranked(logits: np.ndarray, centres: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the colour bins ``(N, bins, h, w)`` to likely colours, the likeliest first.

    Bins are 10 units apart, so the five best are mostly shades of one colour. Here the bin with the most probability
    within `NEAR` becomes a colour, their mean; theirs is taken away, and so on (mean shift's modes, in one step each).

    Returns:
        a*b* ``(N, count, 2, h, w)`` and probabilities ``(N, count, h, w)``, float32; the latter fall, and sum to 1 at
        most. Where less than `count` colours have any probability, the rest are grey with none.
    """
    n, bins, h, w = logits.shape
    rows = logits.transpose(0, 2, 3, 1).reshape(-1, bins).astype(np.float32)
    left = np.exp(rows - rows.max(1, keepdims=True))
    left /= left.sum(1, keepdims=True)
    near = (np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) <= NEAR).astype(np.float32)
    colours = np.zeros((len(rows), count, 2), np.float32)
    shares = np.zeros((len(rows), count), np.float32)
    for i in range(count):
        taken = left * near[(left @ near).argmax(1)]
        shares[:, i] = taken.sum(1)
        colours[:, i] = (taken @ centres) / np.maximum(shares[:, i], 1e-12)[:, None]
        left -= taken
    colours = colours.reshape(n, h, w, count, 2).transpose(0, 3, 4, 1, 2)
    return np.ascontiguousarray(colours), np.ascontiguousarray(shares.reshape(n, h, w, count).transpose(0, 3, 1, 2))
