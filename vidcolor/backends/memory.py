"""What to do where a batch does not fit on the card."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from vidcolor.errors import BackendError


def in_halves(run: Callable[..., np.ndarray], *batch: np.ndarray) -> np.ndarray:
    """``run(*batch)``; where the card's memory does not do, the halves one after the other, and so on.

    All arrays of the batch have as many pictures; the first is L* ``(N, 1, h, w)``.

    Raises:
        BackendError: it does not do for one picture.
    """
    count, _, h, w = batch[0].shape
    try:
        return run(*batch)
    except torch.cuda.OutOfMemoryError as error:
        if count == 1:
            raise BackendError(
                f"the GPU's memory does not do for one picture of {w} x {h}; give a smaller --size or "
                "--backend openvino"
            ) from error
    torch.cuda.empty_cache()
    parts = slice(0, count // 2), slice(count // 2, count)
    return np.concatenate([in_halves(run, *(x[part] for x in batch)) for part in parts])
