"""Bilinear sampling of an image at given places, differentiable twice with respect to the image.

PyTorch's own `grid_sample` stops at first derivatives, and R1 needs the second: the gradient of a squared
gradient that went through the augmentation. For fixed places sampling is linear in the image, y = S x.
Its gradient is the transpose, x_bar = S^T y_bar, again linear, and the gradient of that is S. Two small
autograd functions that are each other's derivative are therefore differentiable any number of times.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_BILINEAR = 0
_ZERO_PADDING = 0


def grid_sample(images: Tensor, grid: Tensor) -> Tensor:
    """Samples images bilinearly; what lies outside the image is zero.

    Args:
        images: [N, C, H, W], float32 or float64.
        grid: [N, H_out, W_out, 2], same dtype: x then y, with -1 and 1 the outer edges of the border pixels
            (`align_corners=False`). Constant: no gradient flows to it.

    Returns:
        [N, C, H_out, W_out], differentiable any number of times with respect to `images`.
    """
    assert not grid.requires_grad, "grid_sample: expected a constant grid, got one that requires a gradient"
    assert images.dtype == grid.dtype, f"grid_sample: expected one dtype, got {images.dtype}, {grid.dtype}"
    return _Sample.apply(images, grid)  # pyright: ignore[reportReturnType]


def grid_sample_reference(images: Tensor, grid: Tensor) -> Tensor:
    """The same as `grid_sample` by indexing the four neighbours; slow, and autograd needs no help with it."""
    num, channels, height, width = images.shape
    x = (grid[..., 0] + 1) * width / 2 - 0.5  # [N, H_out, W_out], pixel index
    y = (grid[..., 1] + 1) * height / 2 - 0.5
    left, top = x.floor(), y.floor()
    flat = images.reshape(num, channels, height * width)
    total = torch.zeros_like(flat[..., :1])[..., None]
    for row, row_weight in ((top, top + 1 - y), (top + 1, y - top)):
        for column, column_weight in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long()
            values = flat.gather(2, index.reshape(num, 1, -1).expand(-1, channels, -1))
            weight = (row_weight * column_weight * inside)[:, None]
            total = total + values.reshape(num, channels, *grid.shape[1:3]) * weight
    return total


class _Sample(torch.autograd.Function):
    """y = S x."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.image_shape = images.shape
        return torch.ops.aten.grid_sampler_2d(images, grid, _BILINEAR, _ZERO_PADDING, False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None]:
        (grid,) = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return None, None
        return _SampleTransposed.apply(grads[0], grid, ctx.image_shape), None  # pyright: ignore[reportReturnType]


class _SampleTransposed(torch.autograd.Function):
    """x_bar = S^T y_bar."""

    @staticmethod
    def forward(ctx: Any, grad_output: Tensor, grid: Tensor, image_shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        # The operator wants the image for its shape (and for the gradient of the grid, which is masked off).
        # One number seen as a whole image keeps the real one from being held in memory.
        stand_in = grad_output.new_zeros(()).expand(image_shape)
        grad_images, _ = torch.ops.aten.grid_sampler_2d_backward(
            grad_output, stand_in, grid, _BILINEAR, _ZERO_PADDING, False, [True, False]
        )
        return grad_images

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None]:
        (grid,) = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return None, None, None
        return _Sample.apply(grads[0], grid), None, None  # pyright: ignore[reportReturnType]
