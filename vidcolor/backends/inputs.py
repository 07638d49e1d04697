"""What a network is given: L*, and what is known of the colour where the model takes it."""

from __future__ import annotations

import numpy as np

from vidcolor.errors import ModelError
from vidcolor.models.files import ModelFile

GRID = 4  # network pixels along one side of a cell of the conditions


def inputs(model: ModelFile, lightness: np.ndarray, conditions: np.ndarray | None) -> dict[str, np.ndarray]:
    """The network's inputs by name, contiguous float32; nothing known is made noughts for a model with conditions.

    Raises:
        ModelError: something is known, and the model takes no conditions.
        ValueError: the conditions are of another shape than ``(N, 3, h / 4, w / 4)``.
    """
    given = {"lightness": np.ascontiguousarray(lightness, np.float32)}
    n, _, h, w = lightness.shape
    shape = (n, 3, h // GRID, w // GRID)
    if conditions is not None and conditions.shape != shape:
        raise ValueError(
            f"conditions of shape {conditions.shape} do not belong to L* of {lightness.shape}: give {shape}"
        )
    if model.takes_conditions:
        known = np.zeros(shape, np.float32) if conditions is None else conditions
        given["conditions"] = np.ascontiguousarray(known, np.float32)
    elif conditions is not None and conditions[:, 2].any():
        raise ModelError(f"{model.path}: takes no hints or references; leave them out, or give a model that does")
    return given
