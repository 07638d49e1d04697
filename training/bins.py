"""The colour bins: which cells of the a*b* plane photographs reach, and soft encoding onto them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

GRID = 10  # a*b* units between bin centres
REACH = 110  # a* and b* lie in -REACH..REACH
NEIGHBOURS, SIGMA = 5, 5.0  # soft encoding of Zhang et al. 2016, section 2.2


def choose_bins(ab: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` most frequent cells among colours `ab` ``(M, 2)``: centres ``(count, 2)`` and their log share."""
    side = 2 * REACH // GRID + 1
    cells = np.clip(np.rint(ab / GRID) + REACH // GRID, 0, side - 1).astype(np.int64)
    hits = np.bincount(cells[:, 0] * side + cells[:, 1], minlength=side * side)
    kept = np.sort(np.argsort(-hits, kind="stable")[:count])
    centres = (np.stack((kept // side, kept % side), 1) - REACH // GRID) * GRID
    share = (hits[kept] + 1.0) / (hits[kept] + 1.0).sum()
    return centres.astype(np.float32), np.log(share).astype(np.float32)


class SoftEncoder:
    """a*b* to its nearest bins with Gaussian weights, by a table with one entry per unit of a* and b*."""

    def __init__(self, centres: np.ndarray) -> None:
        axis = np.arange(-REACH, REACH + 1, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        squared = ((points[:, None] - centres[None]) ** 2).sum(-1)
        self.index = np.argsort(squared, 1)[:, :NEIGHBOURS].astype(np.int64)
        weight = np.exp(-np.take_along_axis(squared, self.index, 1) / (2 * SIGMA**2)) + 1e-12
        self.weight = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
        self._tables: dict[torch.device, tuple[Tensor, ...]] = {}

    def __call__(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """a*b* ``(N, 2, h, w)`` on any device to bin indices and weights, both ``(N * h * w, NEIGHBOURS)``, rows in
        N, h, w order; the weights of a row sum to 1."""
        cell = (ab.round() + REACH).clamp(0, 2 * REACH).long()
        code = (cell[:, 0] * (2 * REACH + 1) + cell[:, 1]).flatten()
        if code.device not in self._tables:
            self._tables[code.device] = tuple(torch.from_numpy(x).to(code.device) for x in (self.index, self.weight))
        index, weight = self._tables[code.device]
        return index[code], weight[code]
