"""The adjoint of a strided FIR filter on bfloat16 in channels_last, for a stride of 2 and up to 4 x 4 taps.

Each pixel of the result is a sum over at most 2 x 2 pixels of the input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stylegraft.ops.kernels.memory import (
    arguments,
    as_float,
    bfloats,
    call_int,
    floats,
    kernel,
    load,
    store,
)
from stylegraft.ops.kernels.parallel import launch

MAX_TAPS = 4


def spread(x: Tensor, taps: Tensor, padding: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Returns y [N, C, H', W']: y[2 i + k - padding] sums x[i] * taps[k] over all i and k, along both axes.

    Args:
        x: [N, C, H, W], bfloat16 in channels_last.
        taps: float32 [taps_y, taps_x], each up to `MAX_TAPS`.
        padding: (y, x), pixels cut off in front.
        size: (H', W').
    """
    n, channels, height, width = x.shape
    square = torch.zeros(MAX_TAPS, MAX_TAPS)
    square[: taps.shape[0], : taps.shape[1]] = taps
    y = torch.empty((n, channels, *size), dtype=x.dtype, memory_format=torch.channels_last)
    launch(_spread, y.numel(), n, channels, height, width, *size, *padding, x, square, y)
    return y


@kernel("contract")
def _spread(address: Any) -> None:
    a = arguments(address)
    threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
    n, channels, height, width, out_height, out_width = a[2], a[3], a[4], a[5], a[6], a[7]
    pad_y, pad_x = a[8], a[9]
    x, taps, y = bfloats(a[10]), floats(a[11]), bfloats(a[12])
    rows = n * out_height
    nothing = as_float(0)
    for row in range(rows * thread // threads, rows * (thread + 1) // threads):
        image, at_y = row // out_height * height, row % out_height + pad_y
        # The two source rows are i and i - 1 with taps k and k + 2; outside, the weight is 0.
        y0, ky = at_y // 2, at_y % 2
        for column in range(out_width):
            at_x = column + pad_x
            x0, kx = at_x // 2, at_x % 2
            w00 = w01 = w10 = w11 = nothing
            if y0 < height and x0 < width:
                w00 = load(taps, ky * 4 + kx, 1)
            if y0 < height and 1 <= x0 <= width:
                w01 = load(taps, ky * 4 + kx + 2, 1)
            if 1 <= y0 <= height and x0 < width:
                w10 = load(taps, (ky + 2) * 4 + kx, 1)
            if 1 <= y0 <= height and 1 <= x0 <= width:
                w11 = load(taps, (ky + 2) * 4 + kx + 2, 1)
            here_y, above_y = min(y0, height - 1), min(max(y0 - 1, 0), height - 1)
            here_x, left_x = min(x0, width - 1), min(max(x0 - 1, 0), width - 1)
            p00 = ((image + here_y) * width + here_x) * channels
            p01 = ((image + here_y) * width + left_x) * channels
            p10 = ((image + above_y) * width + here_x) * channels
            p11 = ((image + above_y) * width + left_x) * channels
            first = (row * out_width + column) * channels
            for c in range(channels):
                v = load(x, p00 + c, 0) * w00 + load(x, p01 + c, 0) * w01
                v += load(x, p10 + c, 0) * w10 + load(x, p11 + c, 0) * w11
                store(y, first + c, v, 2)
