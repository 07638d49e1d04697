"""The luma proxy and the merge as torch functions, for frames on a card. They give what `color/proxy.py` and
`merge/chroma.py` give, to one code value, on the card and on the CPU.

Planes are tensors of stored samples, uint8 or uint16. Code values are what the samples mean: NVDEC and NVENC store ten
bits at the top of sixteen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize
from vidcolor.color.resize import halves, is_near
from vidcolor.merge.chroma import HYSTERESIS

Given = ParamSpec("Given")
Result = TypeVar("Result")
PITCH = 256  # bytes; the length of a row is a multiple of it. NVENC needs that, and it makes a download one plain copy


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


def proxy_codes(plane: Tensor, shift: int, size: ProxySize) -> Tensor:
    """The luma proxy of a plane that is larger both ways, as `color.proxy.make_proxy` makes it: float32 codes."""
    picture, wanted = code_values(plane, shift), (size.width, size.height)
    while halves(picture.shape, wanted):
        picture = shrink(picture, picture.shape[0] // 2, picture.shape[1] // 2)
    if not is_near(picture.shape, wanted):
        return shrink(picture, size.height, size.width)
    scaled = F.interpolate(picture[None, None], (size.height, size.width), mode="bilinear", align_corners=False)
    return torch.floor(scaled[0, 0] + 0.5)


@dataclass(frozen=True)
class Shape:
    """Formats of a frame before and after colouring."""

    source: Encoding
    target: Encoding
    steps: tuple[int, int]  # luma samples to a chroma sample, across and down
    shift: int = 0  # empty bits below a sample of the source
    compare: bool = False  # put the source beside it, on the left as the film is shown
    turn: int = 0  # quarter turns counterclockwise by which it is shown
    semiplanar: bool = False  # one tensor as NVENC reads it, else three planes


def color_planes(
    plane: Tensor, coefficients: Tensor, shape: Shape, past: Tensor | None = None
) -> tuple[tuple[Tensor, ...], Tensor]:
    """The unchanged luma, and the chroma that the guided filter's coefficients give under it.

    Args:
        plane: luma ``(h, w)`` as stored.
        coefficients: slopes of Cb and Cr, then their offsets, ``(4, h', w')`` float32 at any size.
        shape: of both frames.
        past: chroma of the frame before, as this function returned it; for the hysteresis, see `ChromaWriter`.

    Returns:
        Y, Cb and Cr as stored; or one tensor with the rows of Y over those of interleaved Cb and Cr, where NVENC finds
            the chroma by the luma's pitch and height. Rows are padded to PITCH bytes. And the chroma's code values
            ``(2, h", w")`` float32.
    """
    luma = convert_depth(code_values(plane, shape.shift), shape.source, shape.target)
    axis = 1 - shape.turn % 2  # along which two pictures stand beside each other
    sides = [side << (shape.compare and i == axis) for i, side in enumerate(luma.shape)]
    sides = [-(-side // step) for side, step in zip(sides, shape.steps[::-1], strict=True)]
    half = sides[axis] // 2 if shape.compare else 0
    before, behind = (half, 0) if shape.turn < 2 else (0, sides[axis] - half if half else 0)  # rows or columns of grey
    sides[axis] -= before + behind
    guide = shrink(luma, *sides)
    grids = F.interpolate(coefficients[None], guide.shape, mode="bilinear", align_corners=False)[0]
    low, high = shape.target.chroma_limits
    color = grids[:2] * guide + grids[2:]
    if past is None or shape.target.depth > 8:
        chroma = torch.round(color).clamp(low, high)
    else:
        least, most = (torch.round(color + margin) for margin in (0.5 - HYSTERESIS, HYSTERESIS - 0.5))
        chroma = past.clamp(least, most).clamp(low, high)
    codes = chroma
    if shape.compare:
        luma = torch.cat((luma, luma), axis)
        pads = (before, behind) if axis else (0, 0, before, behind)
        chroma = F.pad(chroma, pads, value=shape.target.chroma_centre)
    parts = (luma, *chroma)
    if shape.semiplanar:
        parts = (torch.cat((luma, chroma.permute(1, 2, 0).flatten(1))),)
    return tuple(store(part, shape.target.depth, at_top=shape.semiplanar) for part in parts), codes


def convert_depth(luma: Tensor, source: Encoding, target: Encoding) -> Tensor:
    """Luma code values at another bit depth, as `encoder.convert_depth` rounds them."""
    if source.depth == target.depth:
        return luma
    scaled = luma * (target.luma_scale / source.luma_scale) + 0.5
    return torch.floor(scaled.clamp(max=2**target.depth - 1))


def store(codes: Tensor, depth: int, *, at_top: bool) -> Tensor:
    """Code values as samples of 8 or 16 bits, in padded rows; `at_top` puts ten bits at the top of 16."""
    kind = torch.uint8 if depth == 8 else torch.uint16
    shift = 8 * kind.itemsize - depth if at_top else 0
    spare = -codes.shape[1] % (PITCH // kind.itemsize)
    return F.pad(codes.to(torch.int32) << shift, (0, spare)).to(kind)


class Fused(Generic[Given, Result]):
    """`work` as one kernel where torch.compile can build it, else run as it is.

    Attributes:
        fault: why compiling failed, in one line; empty where it did not, or was not asked for.
    """

    def __init__(self, work: Callable[Given, Result], *, compiles: bool) -> None:
        self.work, self.fault = work, ""
        self.run: Callable[Given, Result] = torch.compile(work, dynamic=False) if compiles else work

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return self.run(*args, **kwargs)
        except Exception as error:  # the compiler's errors have no base of their own
            if self.run is self.work:
                raise
            self.run = self.work
            self.fault = str(error).strip().splitlines()[0]
            return self.work(*args, **kwargs)
