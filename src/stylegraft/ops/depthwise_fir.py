"""One FIR filter over every channel with a stride, and its adjoint, each the derivative of the other.

`fir_down` filters and keeps every n-th pixel, `fir_up` is its transpose: it inserts zeros and filters. Torch
has both as grouped convolutions, quick forwards and backwards; but on the CPU its second derivative of a
grouped convolution, which R1 and path length regularisation need, is some eight times slower than it need be,
and its strided transposed convolution in bfloat16 about fifteen times. To state that each operation is the
other's derivative, and to run the latter in float32, avoids both.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from stylegraft.ops.kernels.switch import kernels_fit

HeightWidth = tuple[int, int]


def fir_down(x: Tensor, taps: Tensor, stride: HeightWidth, padding: HeightWidth) -> Tensor:
    """Correlate each channel of `x` [N, C, H, W] with `taps` [taps_y, taps_x], as F.conv2d does.

    No gradient reaches `taps`.
    """
    return _FirDown.apply(x, taps, stride, padding)  # pyright: ignore[reportReturnType]


def fir_up(x: Tensor, taps: Tensor, stride: HeightWidth, padding: HeightWidth) -> Tensor:
    """Spread each pixel of `x` [N, C, H, W] over `taps` [taps_y, taps_x], as F.conv_transpose2d does.

    `padding` crops, and no gradient reaches `taps`.
    """
    size = tuple((x.shape[2 + i] - 1) * stride[i] + taps.shape[i] - 2 * padding[i] for i in (0, 1))
    return _FirUp.apply(x, taps, stride, padding, size)  # pyright: ignore[reportReturnType]


class _FirDown(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Tensor, stride: HeightWidth, padding: HeightWidth) -> Tensor:
        ctx.save_for_backward(taps)
        ctx.geometry = stride, padding, x.shape[2:]
        channels = x.shape[1]
        weight = taps.expand(channels, 1, -1, -1)
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=channels)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        (taps,) = ctx.saved_tensors
        return _FirUp.apply(*grad_outputs, taps, *ctx.geometry), None, None, None


class _FirUp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        taps: Tensor,
        stride: HeightWidth,
        padding: HeightWidth,
        size: HeightWidth,
    ) -> Tensor:
        ctx.save_for_backward(taps)
        ctx.geometry = stride, padding
        channels, dtype = x.shape[1], x.dtype
        if stride == (2, 2) and max(taps.shape) <= 4 and kernels_fit(x):
            from stylegraft.ops.kernels.spread import spread

            return spread(x, taps.float(), padding, (size[0], size[1]))
        # Several input sizes lead to one output size of fir_down; the difference are rows it never looked at.
        unseen = [
            size[i] - ((x.shape[2 + i] - 1) * stride[i] + taps.shape[i] - 2 * padding[i]) for i in (0, 1)
        ]
        if x.device.type == "cpu" and dtype in (torch.bfloat16, torch.float16) and stride != (1, 1):
            x, taps = x.float(), taps.float()
        weight = taps.expand(channels, 1, -1, -1)
        y = F.conv_transpose2d(
            x, weight, stride=stride, padding=padding, output_padding=unseen, groups=channels
        )
        return y.to(dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        (taps,) = ctx.saved_tensors
        return _FirDown.apply(*grad_outputs, taps, *ctx.geometry), None, None, None, None
