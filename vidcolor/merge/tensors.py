"""The small picture and the merge as torch functions: the same on a card and on the CPU, and as `preview.py` and
`chroma.py` have them, to one code value.

Planes are tensors of stored samples, uint8 or uint16. Code values are what they stand for: NVDEC and NVENC keep those
of ten bits at the top of sixteen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize
from vidcolor.color.resize import halves, is_near
from vidcolor.merge.chroma import HOLD

PITCH = 256  # bytes that a row is a multiple of: NVENC wants that, and a download of whole rows is one plain copy


def code_values(plane: Tensor, shift: int) -> Tensor:
    """Stored samples ``(h, w)`` as float32 code values; `shift` is the number of empty bits below them."""
    return (plane.to(torch.int32) >> shift).to(torch.float32)


def shrink(picture: Tensor, height: int, width: int) -> Tensor:
    """Area averages of whole numbers ``(H, W)`` float32, rounded as OpenCV's INTER_AREA does it for integers."""
    down, across = picture.shape[0] / height, picture.shape[1] / width
    if down == across == 1:
        return picture
    if not (down.is_integer() and across.is_integer()):
        rows = area_weights(picture.shape[0], height, picture.device)
        columns = area_weights(picture.shape[1], width, picture.device)
        return torch.round(rows @ picture @ columns.T)
    total = picture.reshape(height, int(down), width, int(across)).sum((1, 3))
    return torch.floor((total + 2) / 4) if down == across == 2 else torch.round(total / (down * across))


@lru_cache(maxsize=16)
def area_weights(source: int, target: int, device: torch.device) -> Tensor:
    """The share ``(target, source)`` that each sample has in the mean over an interval of ``source / target``."""
    step = source / target
    edge = torch.arange(target, dtype=torch.float64)[:, None] * step
    sample = torch.arange(source, dtype=torch.float64)[None]
    overlap = torch.minimum(sample + 1, edge + step) - torch.maximum(sample, edge)
    return (overlap.clamp(min=0) / step).to(torch.float32).to(device)


def small_codes(plane: Tensor, shift: int, size: ProxySize) -> Tensor:
    """The small picture of a luma plane that is larger both ways, as `preview.make_proxy` has it: float32 codes."""
    picture, wanted = code_values(plane, shift), (size.width, size.height)
    while halves(picture.shape, wanted):
        picture = shrink(picture, picture.shape[0] // 2, picture.shape[1] // 2)
    if not is_near(picture.shape, wanted):
        return shrink(picture, size.height, size.width)
    small = F.interpolate(picture[None, None], (size.height, size.width), mode="bilinear", align_corners=False)
    return torch.floor(small[0, 0] + 0.5)


@dataclass(frozen=True)
class Shape:
    """What a coloured frame is made of and made into."""

    source: Encoding
    target: Encoding
    steps: tuple[int, int]  # luma samples to a chroma sample, across and down
    shift: int = 0  # empty bits below a sample of the source
    compare: bool = False  # the source stands on the left
    semiplanar: bool = False  # one tensor as NVENC reads it, else three planes


def color_planes(
    plane: Tensor, coefficients: Tensor, shape: Shape, past: Tensor | None = None
) -> tuple[tuple[Tensor, ...], Tensor]:
    """The luma unchanged, and chroma under it by the coefficients of the guided filter.

    Args:
        plane: luma ``(h, w)`` as stored.
        coefficients: slopes of Cb and Cr, then their offsets, ``(4, h', w')`` float32 at any size.
        shape: of both frames.
        past: chroma of the frame before, as this one's is returned; see `chroma.chroma_planes`.

    Returns:
        Y, Cb and Cr as stored; or one tensor with the rows of Y over those of interleaved Cb and Cr, where NVENC finds
            the chroma by the luma's pitch and height. Rows are padded to PITCH bytes. And the chroma's code values
            ``(2, h", w")`` float32.
    """
    luma = convert_depth(code_values(plane, shape.shift), shape.source, shape.target)
    height, width = -(-luma.shape[0] // shape.steps[1]), -(-(luma.shape[1] << shape.compare) // shape.steps[0])
    grey = width // 2 if shape.compare else 0  # columns left without colour
    guide = shrink(luma, height, width - grey)
    grids = F.interpolate(coefficients[None], guide.shape, mode="bilinear", align_corners=False)[0]
    low, high = shape.target.chroma_limits
    colour = grids[:2] * guide + grids[2:]
    if past is None or shape.target.depth > 8:
        chroma = torch.round(colour).clamp(low, high)
    else:
        chroma = past.clamp(torch.round(colour + (0.5 - HOLD)), torch.round(colour + (HOLD - 0.5))).clamp(low, high)
    codes = chroma
    if shape.compare:
        luma = torch.cat((luma, luma), 1)
        chroma = F.pad(chroma, (grey, 0), value=shape.target.chroma_centre)
    parts = (luma, *chroma)
    if shape.semiplanar:
        parts = (torch.cat((luma, chroma.permute(1, 2, 0).reshape(height, -1))),)
    return tuple(store(part, shape.target.depth, at_top=shape.semiplanar) for part in parts), codes


def convert_depth(luma: Tensor, source: Encoding, target: Encoding) -> Tensor:
    """Luma code values at another bit depth, as `encoder.convert_depth` rounds them."""
    if source.depth == target.depth:
        return luma
    scaled = luma * (target.luma_scale / source.luma_scale) + 0.5
    return torch.floor(scaled.clamp(max=2**target.depth - 1))


def store(codes: Tensor, depth: int, *, at_top: bool) -> Tensor:
    """Code values as samples of 8 or 16 bits, at the top of them if so wished, in padded rows."""
    kind = torch.uint8 if depth == 8 else torch.uint16
    shift = 8 * kind.itemsize - depth if at_top else 0
    spare = -codes.shape[1] % (PITCH // kind.itemsize)
    return F.pad(codes.to(torch.int32) << shift, (0, spare)).to(kind)


class Fused:
    """`work` as one kernel where torch.compile manages it, else as it is.

    Attributes:
        fault: why it is not compiled, in one line; empty where it is, or was not to be.
    """

    def __init__(self, work: Callable, *, compiles: bool) -> None:
        self.work, self.fault = work, ""
        self.run = torch.compile(work, dynamic=False) if compiles else work

    def __call__(self, *args):
        try:
            return self.run(*args)
        except Exception as error:  # the compiler's errors have no base of their own
            if self.run is self.work:
                raise
            self.run = self.work
            self.fault = str(error).strip().splitlines()[0]
            return self.work(*args)
