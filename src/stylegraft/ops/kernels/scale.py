"""A factor for each sample and channel, y[n, c] = x[n, c] * s[n, c]: one pass forwards, one backwards."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stylegraft.ops.kernels.parallel import kernels, launch

_forward = kernels("scale.forward")
_backward = kernels("scale.backward")


def scale_channels(x: Tensor, factors: Tensor) -> Tensor:
    """Returns x [N, C, H, W] times float32 factors [N, C]; differentiable once.

    Args:
        x: bfloat16 or float32, in channels_last.
        factors: of each sample and channel.
    """
    return _Scale.apply(x, factors)  # pyright: ignore[reportReturnType]


class _Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        factors = factors.contiguous()
        y = torch.empty_like(x)
        launch(_forward[x.dtype], x.numel(), n, height * width, channels, x, factors, y)
        ctx.save_for_backward(x, factors)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, factors = ctx.saved_tensors
        n, channels, height, width = x.shape
        grad_y = grad_outputs[0].contiguous(memory_format=torch.channels_last)
        grad_x, grad_factors = torch.empty_like(x), torch.empty_like(factors)
        launch(
            _backward[x.dtype], x.numel(), n, height * width, channels,
            x, factors, grad_y, grad_x, grad_factors,
        )  # fmt: skip
        return grad_x, grad_factors
