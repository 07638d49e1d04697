"""CIE LAB (D65) on tensors, as OpenCV computes it: the channels lie in dimension 1."""

from __future__ import annotations

import torch
from torch import Tensor

# Linear sRGB to XYZ over the D65 white (IEC 61966-2-1), rows X Y Z.
TO_XYZ = ((0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456),
          (0.212671, 0.715160, 0.072169),
          (0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754))  # fmt: skip


def to_linear(code: Tensor) -> Tensor:
    """sRGB code values in 0..1 to linear light."""
    return torch.where(code > 0.04045, ((code + 0.055) / 1.055).clamp_min(1e-6) ** 2.4, code / 12.92)


def from_linear(light: Tensor) -> Tensor:
    """Linear light to sRGB code values; negative light counts as none."""
    light = light.clamp_min(0.0)
    return torch.where(light > 0.0031308, 1.055 * light.clamp_min(1e-6) ** (1 / 2.4) - 0.055, light * 12.92)


def lightness(light: Tensor) -> Tensor:
    """L* of linear luminance Y / Yn."""
    return 116.0 * _root(light) - 16.0


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB ``(N, 3, h, w)`` in 0..1 to L* a* b*."""
    xyz = torch.einsum("oc,nchw->nohw", rgb.new_tensor(TO_XYZ), to_linear(rgb))
    x, y, z = _root(xyz).unbind(1)
    return torch.stack((116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)), 1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """L* a* b* ``(N, 3, h, w)`` to sRGB, clipped to 0..1 (the gradient ends there)."""
    level, a, b = lab.unbind(1)
    y = (level + 16.0) / 116.0
    roots = torch.stack((y + a / 500.0, y, y - b / 200.0), 1)
    xyz = torch.where(roots > 6 / 29, roots**3, (roots - 4 / 29) * 3 * (6 / 29) ** 2)
    inverse = torch.linalg.inv(lab.new_tensor(TO_XYZ, dtype=torch.float32)).to(lab.dtype)
    return from_linear(torch.einsum("oc,nchw->nohw", inverse, xyz)).clamp(0.0, 1.0)


def _root(light: Tensor) -> Tensor:
    """The f of CIE LAB: a cube root with a straight foot."""
    foot = (24389 / 27 * light + 16) / 116
    return torch.where(light > 216 / 24389, light.clamp_min(1e-6) ** (1 / 3), foot)
