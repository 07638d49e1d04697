"""The default generator: a distribution over colour bins on a quarter grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.models.attention import Block, Known, Recall
from vidcolor.models.config import GeneratorConfig
from vidcolor.models.encoder import ENCODERS, Encoder
from vidcolor.models.layers import Up

TEMPERATURES, STRENGTHS = (0.1, 3.0), (0.3, 3.0)  # limits of what `by_sureness` gives
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
        found: Tensor = self.head(x)
        return found

    def decode(self, logits: Tensor, lightness: Tensor | None = None) -> Tensor:
        """Logits to a*b* by the prior-corrected annealed mean of Zhang et al. 2016, with learnt offsets and colours.

        A softmax and a weighted mean in one: its numerators and its sum are three outputs of one 1x1 convolution,
        so an engine need not transpose for a softmax over channels. L* ``(N, 1, h, w)`` is needed where the config has
        a `sureness`: then each cell has a temperature and a strength of its own.
        """
        cfg = self.config
        shift = self.offset - cfg.prior_correction * self.log_prior
        z = logits + shift.view(1, -1, 1, 1)
        z = z - z.amax(1, keepdim=True)
        if cfg.sureness is None:
            return self._mean(torch.exp(z * (1.0 / cfg.temperature)), cfg.saturation)
        assert lightness is not None
        settings = by_sureness(z, F.avg_pool2d(lightness, self.stride), z.new_tensor(cfg.sureness))
        return self._mean(torch.exp(z / settings[:, :1]), cfg.saturation) * settings[:, 1:]

    def _mean(self, e: Tensor, saturation: float) -> Tensor:
        weight = torch.cat((saturation * self.colours, torch.ones_like(self.colours[:, :1])), 1)
        sums = F.conv2d(e, weight.t().reshape(3, -1, 1, 1))
        return sums[:, :2] / sums[:, 2:]

    def forward(self, lightness: Tensor, conditions: Tensor | None = None) -> Tensor:
        """L* and what is known to a*b*.

        What is known with confidence c is blended in by c^4: what is certain comes out as it went in, and what is
        half trusted is left to the network, which has seen it.
        """
        return self.color(self.logits(lightness, conditions), lightness, conditions)

    def color(self, logits: Tensor, lightness: Tensor, conditions: Tensor | None = None) -> Tensor:
        """The same from the logits."""
        ab = self.decode(logits, lightness)
        if conditions is None:
            return ab
        share = conditions[:, 2:] ** CERTAIN
        return ab + share * (conditions[:, :2] - ab)


def by_sureness(z: Tensor, lightness: Tensor, numbers: Tensor) -> Tensor:
    """Temperature and strength of each cell, so that a sure place gets its full colour and an unsure one falls back.

    Both are exponentials of quadratic forms of the entropy of the distribution (as a share of the greatest) and of L*:
    the worst stains lie on dark cloth.

    Args:
        z: log probabilities up to a constant ``(N, bins, h, w)``, the greatest of each cell nought.
        lightness: L* ``(N, 1, h, w)``.
        numbers: coefficients of 1, H, L, H^2, H L, L^2 for the temperature, then for the strength; H and L run from
            -0.5 to 0.5.

    Returns:
        ``(N, 2, h, w)``.
    """
    e = torch.exp(z)
    total = e.sum(1, keepdim=True)
    entropy = total.log() - (e * z).sum(1, keepdim=True) / total
    share, level = entropy * (1.0 / math.log(z.shape[1])) - 0.5, lightness * 0.01 - 0.5
    terms = torch.cat((torch.ones_like(share), share, level, share * share, share * level, level * level), 1)
    found = torch.exp(F.conv2d(terms, numbers.view(2, 6, 1, 1)))
    return torch.cat((found[:, :1].clamp(*TEMPERATURES), found[:, 1:].clamp(*STRENGTHS)), 1)
