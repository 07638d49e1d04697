"""Gradients of depthwise convolutions on a CPU, in bf16 several times as fast as oneDNN's own.

In bf16 oneDNN has no fast way for two of them: weights of 5x5 kernels (3 to 5 times as slow as in fp32), computed in
fp32 here, and inputs of convolutions with a stride (4 to 100 times), computed as a convolution of the gradient.
"""

from __future__ import annotations

from types import MethodType

import torch
from torch import Tensor, nn

from vidcolor.models.generators import SameConv

SMALL = 3  # kernels up to this side have fast weight gradients in bf16


class Depthwise(torch.autograd.Function):
    """``conv2d`` with as many groups as channels; see `torch.nn.functional.conv2d` for the arguments."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (grad,) = grads
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        if not grad.is_contiguous(memory_format=torch.channels_last):
            grad = grad.contiguous(memory_format=torch.channels_last)
        g = grad.float() if weight.shape[-1] > SMALL else grad
        return (
            of_input(grad, weight.to(grad.dtype), x.shape[2:], ctx.stride, ctx.padding) if wants_x else None,
            of_weight(g, x.to(g.dtype), weight, ctx.stride, ctx.padding) if wants_weight else None,
            grad.sum((0, 2, 3), dtype=torch.float32).to(weight.dtype) if wants_bias else None,
            None,
            None,
        )


def of_weight(grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    found = torch.ops.aten.convolution_backward(
        grad, x, weight.to(grad.dtype), [0], [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], len(weight),
        [False, True, False],
    )  # fmt: skip
    return found[1].to(weight.dtype)


def of_input(grad: Tensor, weight: Tensor, size: torch.Size, stride: int, padding: int) -> Tensor:
    """A convolution of the gradient, its cells set apart by `stride`, with the kernel turned round."""
    height, width = size
    edge = weight.shape[-1] - 1 - padding
    apart = grad.new_zeros(
        (*grad.shape[:2], height + 2 * padding - weight.shape[-1] + 1, width + 2 * padding - weight.shape[-1] + 1)
    ).contiguous(memory_format=torch.channels_last)
    apart[:, :, ::stride, ::stride] = grad
    return torch.conv2d(apart, weight.flip(2, 3), None, 1, edge, 1, len(weight))


def hasten(network: nn.Module) -> None:
    """Have the depthwise convolutions of `network` take these gradients under bf16 autocast; weights stay fp32."""
    for module in network.modules():
        if isinstance(module, SameConv) and module.groups > 1:
            module._conv_forward = MethodType(_conv_forward, module)  # type: ignore[method-assign]


def _conv_forward(self: SameConv, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if not torch.is_autocast_enabled("cpu"):
        return nn.Conv2d._conv_forward(self, x, weight, bias)
    padding = self.padding[0] if self.stride[0] == 1 else 0
    return Depthwise.apply(x.to(torch.get_autocast_dtype("cpu")), weight, bias, self.stride[0], padding)
