"""The default generator: a distribution over colour bins on a quarter grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.models.attention import Block, Known, Recall
from vidcolor.models.config import GeneratorConfig
from vidcolor.models.encoder import ENCODERS, Encoder
from vidcolor.models.layers import Up

CERTAIN = 4.0  # power of the confidence by which what is known is blended into the output


class BinsGenerator(nn.Module):
    """The default: logits over colour bins on a quarter grid, decoded to a*b* inside the network.

    The decoded a*b* lie in the convex hull of the bins, times `saturation`.
    """

    stride = 4
    centres: Tensor  # a*, b* of each bin, (bins, 2): what the head is trained on
    log_prior: Tensor  # of the training photographs, (bins,)
    colours: Tensor  # a*, b* that each bin is decoded to, (bins, 2): its centre, or learnt
    offset: Tensor  # added to the logits for decoding, (bins,): nought, or learnt

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        if config.encoder not in ENCODERS:
            raise ValueError(f"unknown encoder {config.encoder!r}; choose from {', '.join(ENCODERS)}")
        self.config = config
        self.encoder = Encoder(config.encoder)
        *skips, bottom = self.encoder.widths
        context = nn.Conv2d(1280, bottom, 1)
        for parameter in context.parameters():
            nn.init.zeros_(parameter)  # starts as if absent
        self.context = nn.Sequential(nn.Dropout(0.2), context)
        levels, cin = [], bottom
        for cout, skip in zip(config.decoder, reversed(skips), strict=True):
            levels.append(Up(cin, skip, cout, config.folded))
            cin = cout
        self.levels = nn.ModuleList(levels)
        self.blocks = nn.Sequential(*(Block(config.decoder[0]) for _ in range(config.blocks)))
        self.recall = Recall(config.decoder[1]) if config.conditions else nn.Identity()
        self.known = nn.ModuleList(Known(c) for c in config.decoder if config.conditions)
        self.head = nn.Sequential(nn.Dropout2d(config.dropout), nn.Conv2d(cin, config.bins, 1))
        self.register_buffer("centres", torch.zeros(config.bins, 2))
        self.register_buffer("log_prior", torch.zeros(config.bins))
        self.register_buffer("colours", torch.zeros(config.bins, 2))
        self.register_buffer("offset", torch.zeros(config.bins))

    def set_bins(self, centres: Tensor, log_prior: Tensor) -> None:
        """Set the bins; the decoding is the plain one again."""
        self.centres.copy_(centres)
        self.colours.copy_(centres)
        self.log_prior.copy_(log_prior)
        self.offset.zero_()

    @property
    def takes_conditions(self) -> bool:
        return self.config.conditions

    def logits(self, lightness: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Unnormalised log probabilities of the colour bins, ``(N, bins, h / 4, w / 4)``.

        The encoder sees no conditions, so its features can be kept while they change.
        """
        features, pooled = self.encoder(lightness)
        return self.logits_from(features, pooled, conditions)

    def logits_from(self, features: list[Tensor], pooled: Tensor, conditions: Tensor | None = None) -> Tensor:
        """The same from the encoder's features of a picture and its pooled head."""
        *skips, x = features
        x = x + self.context(pooled)
        for i, (level, skip) in enumerate(zip(self.levels, reversed(skips), strict=True)):
            known = None
            if self.known and conditions is not None:
                known = self.known[i](conditions, 4 >> i)
            x = level(x, skip, known)
            if i == 0:
                x = self.blocks(x)
            elif i == 1:
                x = self.recall(x)
        return self.head(x)

    def decode(self, logits: Tensor) -> Tensor:
        """Logits to a*b* by the prior-corrected annealed mean of Zhang et al. 2016, with learnt offsets and colours.

        A softmax and a weighted mean in one: its numerators and its sum are three outputs of one 1x1 convolution,
        so an engine need not transpose for a softmax over channels.
        """
        cfg = self.config
        shift = self.offset - cfg.prior_correction * self.log_prior
        z = (logits + shift.view(1, -1, 1, 1)) * (1.0 / cfg.temperature)
        e = torch.exp(z - z.amax(1, keepdim=True))
        weight = torch.cat((cfg.saturation * self.colours, torch.ones_like(self.colours[:, :1])), 1)
        sums = F.conv2d(e, weight.t().reshape(3, -1, 1, 1))
        return sums[:, :2] / sums[:, 2:]

    def forward(self, lightness: Tensor, conditions: Tensor | None = None) -> Tensor:
        """L* and what is known to a*b*.

        What is known with confidence c is blended in by c^4: what is certain comes out as it went in, and what is
        half trusted is left to the network, which has seen it.
        """
        ab = self.decode(self.logits(lightness, conditions))
        if conditions is None:
            return ab
        share = conditions[:, 2:] ** CERTAIN
        return ab + share * (conditions[:, :2] - ab)
