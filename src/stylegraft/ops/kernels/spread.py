"""The adjoint of a strided FIR filter in channels_last, for a stride of 2 and up to 4 x 4 taps.

Each pixel of the result is a sum over at most 2 x 2 pixels of the input.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylegraft.ops.kernels.parallel import kernels, launch

_spread = kernels("spread.spread")

MAX_TAPS = 4


def spread(x: Tensor, taps: Tensor, padding: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Returns y [N, C, H', W']: y[2 i + k - padding] sums x[i] * taps[k] over all i and k, along both axes.

    Args:
        x: [N, C, H, W], bfloat16 or float32, in channels_last.
        taps: float32 [taps_y, taps_x], each up to `MAX_TAPS`.
        padding: (y, x), pixels cut off in front.
        size: (H', W').
    """
    n, channels, height, width = x.shape
    square = torch.zeros(MAX_TAPS, MAX_TAPS)
    square[: taps.shape[0], : taps.shape[1]] = taps
    y = torch.empty((n, channels, *size), dtype=x.dtype, memory_format=torch.channels_last)
    launch(_spread[x.dtype], y.numel(), n, channels, height, width, *size, *padding, x, square, y)
    return y
