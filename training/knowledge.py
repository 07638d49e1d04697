"""What keeps the encoder's knowledge of ImageNet: its classes must stay those that its frozen copy sees.

Learning without forgetting (Li & Hoiem 2017): the loss is the Kullback-Leibler divergence of the class probabilities of
the encoder in training from those of a frozen copy with the pretrained weights, on the same grey crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.encoders import load_classifier, load_pretrained
from vidcolor.models.generators import Encoder

TEMPERATURE = 2.0  # Hinton et al. 2015: softer, so that what is less likely counts too


class Knowledge(nn.Module):
    """The frozen copy of encoder `name` and its classifier."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.encoder = Encoder(name)
        load_pretrained(self.encoder, name)
        self.classifier = load_classifier(name)
        self.requires_grad_(False).eval()

    def forward(self, lightness: Tensor, pooled: Tensor) -> Tensor:
        """L* ``(N, 1, h, w)`` and the encoder's pooled features of it ``(N, 1280, 1, 1)`` to the loss, a scalar."""
        with torch.no_grad():
            known = self.classifier(self.encoder(lightness)[1].flatten(1)).float()
        own = self.classifier(pooled.flatten(1)).float()
        target, found = ((x / TEMPERATURE).log_softmax(1) for x in (known, own))
        return TEMPERATURE**2 * F.kl_div(found, target, reduction="batchmean", log_target=True)
