"""What to do where a batch does not fit on the card."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from vidcolor.errors import BackendError


def in_halves(run: Callable[[np.ndarray], np.ndarray], batch: np.ndarray) -> np.ndarray:
    """``run(batch)``; where the card's memory does not do, the halves one after the other, and so on.

    Raises:
        BackendError: it does not do for one picture.
    """
    try:
        return run(batch)
    except torch.cuda.OutOfMemoryError as error:
        if len(batch) == 1:
            size = f"{batch.shape[3]} x {batch.shape[2]}"
            raise BackendError(
                f"the GPU's memory does not do for one picture of {size}; give a smaller --size or --backend openvino"
            ) from error
    torch.cuda.empty_cache()
    middle = len(batch) // 2
    return np.concatenate([in_halves(run, part) for part in (batch[:middle], batch[middle:])])
