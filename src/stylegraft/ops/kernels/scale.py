"""A factor for each sample and channel, y[n, c] = x[n, c] * s[n, c]: one pass forwards, one backwards."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stylegraft.ops.kernels.memory import arguments, bfloats, call_int, floats, kernel, load, store
from stylegraft.ops.kernels.parallel import launch


def scale_channels(x: Tensor, factors: Tensor) -> Tensor:
    """Returns bfloat16 channels_last x [N, C, H, W] times float32 factors [N, C]; differentiable once."""
    return _Scale.apply(x, factors)  # pyright: ignore[reportReturnType]


class _Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        factors = factors.contiguous()
        y = torch.empty_like(x)
        launch(_forward, x.numel(), n, height * width, channels, x, factors, y)
        ctx.save_for_backward(x, factors)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, factors = ctx.saved_tensors
        n, channels, height, width = x.shape
        grad_y = grad_outputs[0].contiguous(memory_format=torch.channels_last)
        grad_x, grad_factors = torch.empty_like(x), torch.empty_like(factors)
        launch(_backward, x.numel(), n, height * width, channels, x, factors, grad_y, grad_x, grad_factors)
        return grad_x, grad_factors


# In the kernels: tensor numbers x 0, factors 1, y 2, grad_y 3, grad_x 4, grad_factors 5.


@kernel()
def _forward(address: Any) -> None:
    a = arguments(address)
    threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
    n, pixels, channels = a[2], a[3], a[4]
    x, factors, y = bfloats(a[5]), floats(a[6]), bfloats(a[7])
    for row in range(n * pixels * thread // threads, n * pixels * (thread + 1) // threads):
        first, s = row * channels, row // pixels * channels
        for c in range(channels):
            store(y, first + c, load(x, first + c, 0) * load(factors, s + c, 1), 2)


@kernel("reassoc", "contract", "nsz")
def _backward(address: Any) -> None:
    a = arguments(address)
    threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
    n, pixels, channels = a[2], a[3], a[4]
    x, factors, grad_y = bfloats(a[5]), floats(a[6]), bfloats(a[7])
    grad_x, grad_factors = bfloats(a[8]), floats(a[9])
    for sample in range(n * thread // threads, n * (thread + 1) // threads):
        s = sample * channels
        for c in range(channels):
            store(grad_factors, s + c, 0.0, 5)
        for row in range(sample * pixels, (sample + 1) * pixels):
            first = row * channels
            for c in range(channels):
                g = load(grad_y, first + c, 3)
                store(grad_factors, s + c, load(grad_factors, s + c, 5) + g * load(x, first + c, 0), 5)
                store(grad_x, first + c, g * load(factors, s + c, 1), 4)
