"""Losses on logits and on decoded a*b*."""

from __future__ import annotations

from torch import Tensor


def soft_cross_entropy(logits: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of ``(N, bins, h, w)`` logits against softly encoded bins ``(N*h*w, k)``, rows in N, h, w order."""
    rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).float()
    return (rows.logsumexp(1) - (rows.gather(1, index) * weight).sum(1)).mean()
