"""Losses on logits, on a*b* and on a discriminator's verdict."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def soft_cross_entropy(logits: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of ``(N, bins, h, w)`` logits against softly encoded bins ``(N*h*w, k)``, rows in N, h, w order."""
    rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).float()
    return (rows.logsumexp(1) - (rows.gather(1, index) * weight).sum(1)).mean()


def disagreement(a: Tensor, b: Tensor) -> Tensor:
    """Symmetric Kullback-Leibler divergence of the distributions of two logits ``(N, bins, h, w)``, the mean."""
    a, b = (F.log_softmax(x.float(), 1) for x in (a, b))
    return 0.5 * ((a.exp() - b.exp()) * (a - b)).sum(1).mean()


def adversarial(logits: Tensor, label: float) -> Tensor:
    """Sigmoid and binary cross-entropy against one label (Goodfellow et al. 2014), in one step for accuracy."""
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, logits.new_full((), label).expand_as(logits))
