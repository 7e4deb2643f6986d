"""A 1x1 convolution to few channels with weights for each sample: y[n, p, k] = x[n, p, :] . w[n, k, :]."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stylegraft.ops.kernels.parallel import kernels, launch

_forward = kernels("to_image.forward")
_backward = kernels("to_image.backward")


def to_image(x: Tensor, weights: Tensor) -> Tensor:
    """Returns float32 [N, K, H, W]; differentiable once.

    Args:
        x: [N, C, H, W], bfloat16 or float32, in channels_last.
        weights: float32 [N, K, C], K a handful: each of the K channels is a pass over a pixel in the cache.
    """
    return _ToImage.apply(x, weights)  # pyright: ignore[reportReturnType]


class _ToImage(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        weights = weights.contiguous()
        y = torch.empty(n, weights.shape[1], height, width)
        launch(_forward[x.dtype], x.numel(), n, height * width, channels, weights.shape[1], x, weights, y)
        ctx.save_for_backward(x, weights)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weights = ctx.saved_tensors
        n, channels, height, width = x.shape
        grad_y = grad_outputs[0].float().contiguous()
        grad_x, grad_weights = torch.empty_like(x), torch.empty_like(weights)
        sums = torch.empty(torch.get_num_threads(), channels)
        launch(
            _backward[x.dtype], x.numel(), n, height * width, channels, weights.shape[1],
            x, weights, grad_y, grad_x, grad_weights, sums,
        )  # fmt: skip
        return grad_x, grad_weights
