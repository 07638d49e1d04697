"""What happens to photographs on their way into a batch: crops for both sides, degradations for L* only.

Every choice comes from uniform numbers that are drawn from the seed and the picture's place in the run, so a batch is
the same however many processes share it, on whatever device, and after a resumption.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training import lab

# Shares of linear light in what a stock records. Orthochromatic film (to about 1930) is blind to red.
STOCKS = {
    "video luma": None,  # Y' of the code values, what a decoder hands us; BT.601 and BT.709 differ little
    "panchromatic": (0.33, 0.37, 0.30),
    "orthochromatic": (0.02, 0.55, 0.43),
    "blue-sensitive": (0.0, 0.10, 0.90),
    "any": None,  # weights at random
}
LUMA = (0.299, 0.587, 0.114)
SCRATCHES = 3  # at most, in one picture


@dataclass(frozen=True)
class Degrade:
    """Probabilities of the harsher changes to L*, and the size of the common ones."""

    stock: float = 0.3
    blur: float = 0.2
    grain: float = 0.3
    scratches: float = 0.1
    cut_out: float = 0.3
    gamma: float = 0.15  # standard deviation of its logarithm
    contrast: float = 0.18  # most that it differs from 1
    brightness: float = 0.03  # standard deviation, of white


# Columns of the uniform numbers of one picture.
CROP = slice(0, 5)  # area, aspect, top, left, mirror
CHANCES = slice(5, 10)  # stock, blur, grain, scratches, cut-out
STOCK = slice(10, 15)  # which, three weights, how far it is from its name
TONE = slice(15, 20)  # gamma (two), contrast, brightness (two)
BLUR, GRAIN, COARSE = 20, 21, 22
BOX = slice(23, 27)
LINES = slice(27, 27 + 4 * SCRATCHES)
DRAWS = LINES.stop


def draw(seed: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Uniform numbers ``(n, DRAWS)`` float32 and seeds of the grain ``(n,)`` for pictures at `positions` of the run."""
    uniform = np.empty((len(positions), DRAWS), np.float32)
    grain = np.empty(len(positions), np.int64)
    for i, position in enumerate(positions):
        rng = np.random.default_rng((seed, 7, int(position)))
        uniform[i] = rng.random(DRAWS, np.float32)
        grain[i] = rng.integers(1 << 31)
    return uniform, grain


@dataclass(frozen=True)
class Box:
    """A crop, in pixels of its picture, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool


def crop_box(height: int, width: int, min_area: float, uniform: np.ndarray) -> Box:
    """A random resized crop: at least `min_area` of the picture's area, sides 3:4 to 4:3, mirrored half the time."""
    area, aspect, top, left, mirror = (float(x) for x in uniform[CROP])
    pixels = height * width * (min_area + (1.0 - min_area) * area)
    ratio = math.exp((2.0 * aspect - 1.0) * math.log(4 / 3))
    w, h = min(width, round(math.sqrt(pixels * ratio))), min(height, round(math.sqrt(pixels / ratio)))
    return Box(int(top * (height - h + 1)), int(left * (width - w + 1)), h, w, mirror < 0.5)


def crop(rgb: np.ndarray, box: Box, size: int) -> np.ndarray:
    """Cut `box` out of ``(h, w, 3)`` and resize it to ``(size, size, 3)``."""
    part = rgb[box.top : box.top + box.height, box.left : box.left + box.width]
    method = cv2.INTER_AREA if min(part.shape[:2]) > size else cv2.INTER_LINEAR
    part = cv2.resize(part, (size, size), interpolation=method)
    return np.ascontiguousarray(part[:, ::-1]) if box.mirrored else part


def make_pair(rgb: Tensor, stride: int, uniform: Tensor, grain: Tensor, degrade: Degrade) -> tuple[Tensor, Tensor]:
    """uint8 crops ``(N, s, s, 3)`` to degraded L* ``(N, 1, s, s)`` and the a*b* of cells of `stride` pixels."""
    code = rgb.permute(0, 3, 1, 2).float() / 255.0
    truth = lab.rgb_to_lab(code)
    ab = F.avg_pool2d(truth[:, 1:], stride) if stride > 1 else truth[:, 1:]
    return degraded(code, truth[:, :1], uniform, grain, degrade), ab


def degraded(code: Tensor, lightness: Tensor, uniform: Tensor, grain: Tensor, degrade: Degrade) -> Tensor:
    """L* ``(N, 1, h, w)`` as an old camera, a print and a transfer would have left it, in 0..100."""
    chances = uniform[:, CHANCES]
    some = (degrade.stock, degrade.blur, degrade.grain, degrade.scratches, degrade.cut_out)
    stock, blurred, grained, scratched, hidden = ((chances[:, i] < p).nonzero().flatten() for i, p in enumerate(some))
    x = lightness.clone()
    if len(stock):
        x[stock] = film_stock(code[stock], uniform[stock])
    x = tone(x, uniform, degrade)
    if len(blurred):
        x[blurred] = blur(x[blurred], 0.4 + 1.2 * uniform[blurred, BLUR])
    if len(grained):
        x[grained] += film_grain(x[grained], uniform[grained], grain[grained])
    if len(scratched):
        x[scratched] += scratches(x[scratched], uniform[scratched])
    if len(hidden):
        x[hidden] = cut_out(x[hidden], uniform[hidden])
    return x.clamp(0.0, 100.0)


def film_stock(code: Tensor, uniform: Tensor) -> Tensor:
    """L* of the grey that a stock of `STOCKS`, roughly, makes of sRGB ``(N, 3, h, w)`` in 0..1."""
    which, *free, far = uniform[:, STOCK].unbind(1)
    loose = torch.stack([-f.clamp_min(1e-6).log() for f in free], 1)
    loose = loose / loose.sum(1, keepdim=True)  # uniform over all weights that sum to 1
    named = code.new_tensor([w or LUMA for w in STOCKS.values()])
    index = (which * len(STOCKS)).long().clamp_max(len(STOCKS) - 1)
    kinds = list(STOCKS)
    far = torch.where(index == kinds.index("any"), 1.0, 0.3 * far)
    far = torch.where(index == kinds.index("video luma"), 0.0, far)[:, None]
    weights = (1 - far) * named[index] + far * loose
    video = (index == kinds.index("video luma")).view(-1, 1, 1, 1)
    luma = torch.einsum("nc,nchw->nhw", weights, code)[:, None]
    light = torch.einsum("nc,nchw->nhw", weights, lab.to_linear(code))[:, None]
    return lab.lightness(torch.where(video, lab.to_linear(luma), light))


def tone(x: Tensor, uniform: Tensor, degrade: Degrade) -> Tensor:
    """Random gamma, contrast and brightness, each small."""
    u = uniform[:, TONE, None, None, None].unbind(1)
    gamma = torch.exp(degrade.gamma * normal(u[0], u[1]))
    x = (x / 100.0).clamp(0.0, 1.0) ** gamma
    middle = x.mean((2, 3), keepdim=True)
    contrast = 1.0 + degrade.contrast * (2.0 * u[2] - 1.0)
    return 100.0 * ((x - middle) * contrast + middle + degrade.brightness * normal(u[3], u[4]))


def normal(a: Tensor, b: Tensor) -> Tensor:
    """Standard normal numbers out of two uniform ones (Box and Muller 1958)."""
    return torch.sqrt(-2.0 * a.clamp_min(1e-7).log()) * torch.cos(2.0 * math.pi * b)


def blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, a `sigma` (pixels, at most 1.7) for each picture."""
    at = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (at / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    x = F.pad(x.transpose(0, 1), (5, 5, 5, 5), mode="reflect")
    x = F.conv2d(x, kernel[:, None, :, None], groups=len(sigma))
    return F.conv2d(x, kernel[:, None, None, :], groups=len(sigma)).transpose(0, 1)


def film_grain(x: Tensor, uniform: Tensor, seeds: Tensor) -> Tensor:
    """Grain of 0.5 to 6 L*, strongest in the middle tones, fine or (half the time) coarse."""
    n, _, h, w = x.shape
    noise = hashed_normal(seeds, h * w).view(n, 1, h, w)
    coarse = blur(noise, torch.full_like(uniform[:, COARSE], 0.9)) * 3.2
    noise = torch.where((uniform[:, COARSE] < 0.5).view(-1, 1, 1, 1), coarse, noise)
    level = (x / 100.0).clamp(0.0, 1.0)
    return noise * (0.5 + 5.5 * uniform[:, GRAIN]).view(-1, 1, 1, 1) * (0.4 + 2.4 * level * (1.0 - level))


def hashed_normal(seeds: Tensor, count: int) -> Tensor:
    """``(n, count)`` standard normal numbers that depend on a seed and their index alone, alike on every device."""
    at = torch.arange(count, device=seeds.device, dtype=torch.int64)
    pair = [_mix((seeds[:, None] * 2 + k) * 0x9E3779B1 + at * 0x85EBCA77) for k in (0, 1)]
    return normal(*(p.float() / float(1 << 24) for p in pair))


def _mix(x: Tensor) -> Tensor:
    """24 well-mixed bits of each number (the finaliser of MurmurHash3, 32 bits, Appleby 2008)."""
    low = 0xFFFFFFFF
    x = x & low
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & low
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & low
    return (x ^ (x >> 16)) >> 8


def scratches(x: Tensor, uniform: Tensor) -> Tensor:
    """What up to `SCRATCHES` near-vertical lines, bright or dark, add to L*."""
    n, _, h, w = x.shape
    lines = uniform[:, LINES].view(n, SCRATCHES, 4, 1, 1)
    at, slant, width, level = lines.unbind(2)
    rows = torch.arange(h, device=x.device, dtype=x.dtype).view(1, 1, h, 1)
    columns = torch.arange(w, device=x.device, dtype=x.dtype).view(1, 1, 1, w)
    distance = (columns - at * w - (slant - 0.5) * 0.06 * rows).abs()
    cover = (0.6 + 0.9 * width - distance).clamp(0.0, 1.0)
    height = torch.where(level < 0.5, -40.0 * level - 8.0, 60.0 * (level - 0.5) + 8.0)
    shown = torch.arange(SCRATCHES, device=x.device).view(1, -1, 1, 1) <= (uniform[:, BLUR] * SCRATCHES).view(
        -1, 1, 1, 1
    )
    return (cover * height * shown).sum(1, keepdim=True)


def cut_out(x: Tensor, uniform: Tensor) -> Tensor:
    """Hide a rectangle of 1/8 to 1/3 of each side under its own mean: its colour must then come from around it."""
    _, _, h, w = x.shape
    tall, wide, top, left = (u.view(-1, 1, 1, 1) for u in uniform[:, BOX].unbind(1))
    tall, wide = ((1 / 8 + (1 / 3 - 1 / 8) * u) for u in (tall, wide))
    top, left = top * (1 - tall), left * (1 - wide)
    rows = (torch.arange(h, device=x.device, dtype=x.dtype).view(1, 1, h, 1) + 0.5) / h
    columns = (torch.arange(w, device=x.device, dtype=x.dtype).view(1, 1, 1, w) + 0.5) / w
    inside = (rows > top) & (rows < top + tall) & (columns > left) & (columns < left + wide)
    mean = (x * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp_min(1)
    return torch.where(inside, mean, x)
