"""What follows a convolution, in one pass: y = clamp(gain * lrelu(scale * x + noise + bias)).

Backwards one pass too. It reads the gradient and y, and nothing else: y has the sign of what went into the
activation, and x is worked out from it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stylegraft.ops.kernels.parallel import kernels, launch

_forward = kernels("epilogue.forward")
_backward = kernels("epilogue.backward")

NO_CLAMP = 3e38


def epilogue(
    x: Tensor,
    scale: Tensor | float,
    noise: Tensor | None,
    bias: Tensor,
    slope: float,
    gain: float,
    clamp: float | None,
) -> Tensor:
    """Returns clamp(gain * lrelu(scale * x + noise + bias)), in channels_last; differentiable once.

    Args:
        x: [N, C, H, W], bfloat16 or float32, in channels_last.
        scale: float32 [N, C], or one for all.
        noise: float32 [N, 1, H, W] or [H, W], or None.
        bias: float32 [C].
        slope: of the leaky ReLU, above 0.
        gain: above 0.
        clamp: limit of the result's absolute value, or None.
    """
    n, channels, height, width = x.shape
    if not isinstance(scale, Tensor):
        scale = torch.full((n, channels), scale)
    noise = torch.zeros(n, 1, height, width) if noise is None else noise.expand(n, 1, height, width)
    return _Epilogue.apply(x, scale, noise, bias, slope, gain, clamp or NO_CLAMP)  # pyright: ignore[reportReturnType]


class _Epilogue(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor,
        noise: Tensor,
        bias: Tensor,
        slope: float,
        gain: float,
        clamp: float,
    ) -> Tensor:
        n, channels, height, width = x.shape
        scale, noise, bias = scale.contiguous(), noise.contiguous(), bias.contiguous()
        y = torch.empty_like(x)
        launch(
            _forward[x.dtype],
            x.numel(),
            n,
            height * width,
            channels,
            x,
            scale,
            noise,
            bias,
            y,
            slope,
            gain,
            clamp,
        )
        ctx.save_for_backward(y, scale, noise, bias)
        ctx.constants = slope, gain, clamp
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        y, scale, noise, bias = ctx.saved_tensors
        n, channels, height, width = y.shape
        grad_y = grad_outputs[0].contiguous(memory_format=torch.channels_last)
        grad_x = torch.empty_like(y)
        grad_scale, grad_bias = torch.empty_like(scale), torch.empty_like(scale)
        grad_noise = torch.empty_like(noise)
        slope, gain, clamp = ctx.constants
        # bfloat16 rounds the clamp too: whatever is nearer to it than a rounding was clamped.
        limit = clamp * (1 - 1 / 512) if y.dtype == torch.bfloat16 else clamp
        launch(
            _backward[y.dtype], y.numel(), n, height * width, channels,
            grad_y, y, scale, noise, bias, grad_x, grad_scale, grad_bias, grad_noise,
            gain, slope * gain, 1 / gain, 1 / (slope * gain), limit,
        )  # fmt: skip
        # Each sample's sums are made by one thread, so that their number does not change the result.
        return grad_x, grad_scale, grad_noise, grad_bias.sum(dim=0), None, None, None
