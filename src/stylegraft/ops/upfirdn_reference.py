"""The obvious upsample - FIR - downsample: zeros are really inserted. Slow; the yardstick of `upfirdn`."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stylegraft.ops.filters import IntPair, Padding, four_sides, xy_pair


def upfirdn2d_reference(
    x: Tensor,
    f: Tensor | None,
    *,
    up: IntPair = 1,
    down: IntPair = 1,
    padding: Padding = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Return what `upfirdn2d` returns, by the letter of its definition; the arguments are the same."""
    up_x, up_y = xy_pair(up, "up")
    down_x, down_y = xy_pair(down, "down")
    n, c, h, w = x.shape

    zero_inserted = x.new_zeros(n, c, h * up_y, w * up_x)
    zero_inserted[:, :, ::up_y, ::up_x] = x
    padded = F.pad(zero_inserted, four_sides(padding))  # Negative numbers crop.

    taps = x.new_ones(1, 1) if f is None else f.to(x)
    taps = gain * (torch.outer(taps, taps) if taps.ndim == 1 else taps)
    if not flip_filter:
        taps = taps.flip([0, 1])  # F.conv2d correlates; a FIR filter convolves.
    filtered = F.conv2d(padded, taps.expand(c, 1, *taps.shape), groups=c)
    return filtered[:, :, ::down_y, ::down_x]
