"""What of the truth a generator is told while it is trained: nothing, points, strokes, patches, whole maps.

Confidence is calibrated: of what is told with confidence c, a share of c is right (to within a little noise and
displacement) and the rest is another picture's colour, a shifted one or any. So the network learns how far to follow.
Now and then a thing is given a colour that it never has, in the truth as in what is told of it: a person's wish counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

NUMBERS = 48  # uniform numbers of one picture
COARSE = 12  # side of the random grids of one picture
STROKES, PATCHES = 4, 3  # at most


@dataclass(frozen=True)
class Reveal:
    """Shares of the batch; the rest is told nothing."""

    points: float = 0.3
    strokes: float = 0.06
    patches: float = 0.06
    maps: float = 0.1
    certain: float = 0.6  # of what is told, the share of pictures in which all of it is certain
    recolor: float = 0.25  # of pictures with certain points or strokes, in which a thing is given a new colour


@dataclass(frozen=True)
class Draws:
    """Random numbers of a batch; drawn for all of it, so that processes which share a batch tell the same."""

    uniform: Tensor  # (N, NUMBERS)
    cells: Tensor  # (N, h, w), one for each cell of the a*b* grid
    coarse: Tensor  # (N, 5, COARSE, COARSE)

    @classmethod
    def make(cls, seed: int, step: int, batch: int, side: int) -> Draws:
        source = torch.Generator().manual_seed(seed * 1_000_003 + step)

        def draw(*shape: int) -> Tensor:
            return torch.rand(shape, generator=source)

        return cls(draw(batch, NUMBERS), draw(batch, side, side), draw(batch, 5, COARSE, COARSE))

    def part(self, share: slice, device: torch.device) -> Draws:
        return Draws(*(x[share].to(device) for x in (self.uniform, self.cells, self.coarse)))


def reveal(lightness: Tensor, ab: Tensor, draws: Draws, how: Reveal) -> tuple[Tensor, Tensor]:
    """L* ``(N, 1, s * h, s * w)`` and true a*b* ``(N, 2, h, w)`` to the truth to learn and the conditions.

    The truth differs from `ab` only where a thing has been given a new colour. Conditions are ``(N, 3, h, w)``: a*, b*
    and confidence, nought where nothing is told.
    """
    u = draws.uniform
    limits = torch.tensor([how.points, how.strokes, how.patches, how.maps], device=ab.device).cumsum(0)
    kind = (u[:, :1] >= limits).sum(1)  # 0 points, 1 strokes, 2 patches, 3 map, 4 nothing
    certain = (u[:, 1] < how.certain) & (kind < 4)
    new = certain & (kind < 2) & (u[:, 2] < how.recolor)
    at = (u[:, 3:5] * torch.tensor(ab.shape[2:], device=ab.device)).long()  # the thing's cell
    truth = torch.where(_shape(new), recolored(lightness, ab, u, at), ab)

    masks = torch.stack((points(draws, at, new), strokes(u, ab, at, new), patches(u, ab), holed(draws)), 1)
    told = masks.gather(1, kind.clamp_max(3).view(-1, 1, 1, 1).expand(-1, 1, *ab.shape[2:])) & (_shape(kind < 4))
    trust = confidence(draws, certain, ab)
    right = _nearest(draws.coarse[:, 1:2], ab) < trust
    colour = torch.where(right, displaced(truth, draws, kind == 3, trust), wrong(truth, draws))
    trust = trust * told
    return truth, torch.cat((colour * (trust > 0), trust), 1)


def _shape(flag: Tensor) -> Tensor:
    return flag.view(-1, 1, 1, 1)


def _nearest(grid: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(grid, like.shape[2:], mode="nearest")


def _smooth(grid: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(grid, like.shape[2:], mode="bicubic", align_corners=False)


def recolored(lightness: Tensor, ab: Tensor, u: Tensor, at: Tensor) -> Tensor:
    """`ab` with the thing around cell `at` shifted in colour: what is like that cell in L*, a*, b* and near to it."""
    h, w = ab.shape[2:]
    small = F.adaptive_avg_pool2d(lightness, (h, w))
    lab = torch.cat((0.5 * small, ab), 1)
    seed = lab[torch.arange(len(ab), device=ab.device), :, at[:, 0], at[:, 1]][:, :, None, None]
    far = (lab - seed).norm(dim=1, keepdim=True)
    rows, columns = (torch.arange(n, device=ab.device).float() for n in (h, w))
    apart = torch.hypot((rows[None, :, None] - at[:, :1, None]) / h, (columns[None, None] - at[:, 1:, None]) / w)
    inside = torch.sigmoid((13.0 - far) / 2.5) * torch.sigmoid((0.4 - apart[:, None]) / 0.04)
    angle, size = 2 * math.pi * u[:, 5], 15.0 + 45.0 * u[:, 6]
    shift = torch.stack((angle.cos(), angle.sin()), 1) * size[:, None]
    return (ab + inside * shift[:, :, None, None]).clamp(-100.0, 100.0)


def points(draws: Draws, at: Tensor, new: Tensor) -> Tensor:
    """1 to 100 cells (log-uniform), half the time with their neighbours right and below; with the thing's own cell."""
    u, cells = draws.uniform, draws.cells.clone()
    n = torch.arange(len(u), device=u.device)
    cells[n[new], at[new, 0], at[new, 1]] = -1.0
    count = (100.0 ** u[:, 7]).round().long().clamp(1, 100)
    order = cells.flatten(1).argsort(1).argsort(1).view_as(cells)
    chosen = (order < count[:, None, None])[:, None].float()
    wide = F.max_pool2d(F.pad(chosen, (1, 0, 1, 0)), 2, 1)
    return torch.where(_shape(u[:, 8] < 0.5), wide, chosen)[:, 0] > 0


def strokes(u: Tensor, like: Tensor, at: Tensor, new: Tensor) -> Tensor:
    """1 to `STROKES` straight lines, 1 to 4 cells wide; the first begins at the thing."""
    h, w = like.shape[2:]
    numbers = u[:, 9 : 9 + 4 * STROKES].view(-1, STROKES, 4)
    begin = numbers[..., :2].clone()
    begin[new, 0] = (at[new] + 0.5) / torch.tensor([h, w], device=u.device)
    angle, length = 2 * math.pi * numbers[..., 2], 0.05 + 0.35 * numbers[..., 3]
    along = torch.stack((angle.sin(), angle.cos()), -1)
    rows, columns = ((torch.arange(n, device=u.device).float() + 0.5) / n for n in (h, w))
    off = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)[None, None] - begin[:, :, None, None]
    part = (off * along[:, :, None, None]).sum(-1).clamp(min=0).minimum(length[:, :, None, None])
    near = (off - part[..., None] * along[:, :, None, None]).norm(dim=-1)
    width = (0.5 + 1.5 * u[:, 25]) / h
    drawn = torch.arange(STROKES, device=u.device) <= (u[:, 26:27] * STROKES).long()
    return ((near < width[:, None, None, None]) & drawn[:, :, None, None]).any(1)


def patches(u: Tensor, like: Tensor) -> Tensor:
    """1 to `PATCHES` rectangles of 6 % to 50 % of each side."""
    h, w = like.shape[2:]
    numbers = u[:, 27 : 27 + 4 * PATCHES].view(-1, PATCHES, 4)
    size = 0.06 + 0.44 * numbers[..., 2:] ** 2
    begin = numbers[..., :2] * (1 - size)
    rows, columns = ((torch.arange(n, device=u.device).float() + 0.5) / n for n in (h, w))
    in_rows = (rows > begin[..., :1]) & (rows < (begin + size)[..., :1])
    in_columns = (columns > begin[..., 1:]) & (columns < (begin + size)[..., 1:])
    drawn = torch.arange(PATCHES, device=u.device) <= (u[:, 39:40] * PATCHES).long()
    return (in_rows[..., :, None] & in_columns[..., None, :] & drawn[:, :, None, None]).any(1)


def holed(draws: Draws) -> Tensor:
    """The whole grid, half the time with holes."""
    u = draws.uniform
    holes = F.interpolate(draws.coarse[:, :1], draws.cells.shape[1:], mode="bilinear", align_corners=False)
    least = torch.where(u[:, 40] < 0.5, 0.0, 0.3 + 0.4 * u[:, 41])
    return (holes >= _shape(least))[:, 0]


def confidence(draws: Draws, certain: Tensor, like: Tensor) -> Tensor:
    """One where `certain`; else one level for the picture, or one for each block of cells."""
    u = draws.uniform
    level = 0.05 + 0.95 * torch.where(_shape(u[:, 42] < 0.5), _shape(u[:, 43]), _nearest(draws.coarse[:, 2:3], like))
    return torch.where(_shape(certain), 1.0, level)


def displaced(truth: Tensor, draws: Draws, warped: Tensor, trust: Tensor) -> Tensor:
    """What is right is right to within a little: noise, and for whole maps a smooth displacement and blur, more of each
    the less it is trusted."""
    u = draws.uniform
    h, w = truth.shape[2:]
    doubt = 1.0 - trust.mean((1, 2, 3), keepdim=True)
    flow = (_smooth(draws.coarse[:, 3:5, ::3, ::3], truth) - 0.5) * (0.6 + 4.0 * doubt) * _shape(u[:, 44])
    rows, columns = (torch.arange(k, device=truth.device).float() for k in (h, w))
    x = (columns[None, None] + flow[:, 0] + 0.5) * (2.0 / w) - 1.0
    y = (rows[None, :, None] + flow[:, 1] + 0.5) * (2.0 / h) - 1.0
    moved = F.grid_sample(truth, torch.stack((x, y), -1), padding_mode="border", align_corners=False)
    soft = F.avg_pool2d(moved, 3, 1, 1, count_include_pad=False)
    moved = torch.where(_shape((u[:, 45] < 0.4) & (doubt.flatten() > 0)), soft, moved)
    noise = (torch.stack((draws.cells, draws.cells.flip(1)), 1) - 0.5) * _shape(u[:, 46] ** 2 * 10.0) * (doubt > 0)
    return torch.where(_shape(warped), moved, truth) + noise


def wrong(truth: Tensor, draws: Draws) -> Tensor:
    """Another picture's colours, its own shifted by one amount, or any colour in each block."""
    u = draws.uniform
    angle = 2 * math.pi * u[:, 45]
    shift = torch.stack((angle.cos(), angle.sin()), 1)[:, :, None, None] * _shape(20.0 + 40.0 * u[:, 46])
    anything = (_nearest(draws.coarse[:, 3:5], truth) - 0.5) * 120.0
    kind = _shape(u[:, 47])
    return torch.where(kind < 0.5, truth.roll(1, 0), torch.where(kind < 0.75, truth + shift, anything))
