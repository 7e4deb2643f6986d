"""Upsample, FIR filter, downsample: y = down(f * pad(up(x))), without ever inserting the zeros.

Upsampling by zero insertion followed by a FIR filter is a transposed convolution with a stride; a FIR filter
followed by keeping every n-th pixel is a convolution with a stride. Both differentiate any number of times on
every device. `upfirdn_reference` holds the definition by the letter.

A filter of 4 x 4 taps takes one two-dimensional pass: on the CPU that is quicker than two passes of four
taps, than shifted additions and than products with banded matrices (measured in both memory formats).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from stylegraft.ops.depthwise_fir import fir_down, fir_up
from stylegraft.ops.filters import (
    IntPair,
    Padding,
    downsampling_padding,
    filter_size,
    four_sides,
    upsampling_padding,
    xy_pair,
)


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: IntPair = 1,
    down: IntPair = 1,
    padding: Padding = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Upsample by zero insertion, pad, filter, and keep every `down`-th pixel.

    Args:
        x: [N, C, H, W], any floating dtype; a channels_last input gives a channels_last output.
        f: Filter of `setup_filter`: [taps_y, taps_x], [taps] (applied along both axes) or None (identity).
        up: Factor, or (x, y); each pixel is followed by up - 1 zeros.
        down: Factor, or (x, y).
        padding: Zeros around the zero-inserted image; negative numbers crop it.
        flip_filter: False convolves, True correlates.
        gain: Factor of the result.

    Returns:
        [N, C, H', W'] with W' = (W * up + left + right - taps_x) // down + 1, likewise H'. Differentiable
        any number of times with respect to `x`, not with respect to `f`.

    Raises:
        ValueError: A factor is below 1, or the padded image is smaller than the filter.
    """
    up_x, up_y = xy_pair(up, "up")
    down_x, down_y = xy_pair(down, "down")
    left, right, top, bottom = four_sides(padding)
    taps = torch.ones(1, 1) if f is None else f
    taps = taps.to(device=x.device, dtype=x.dtype)
    if flip_filter:
        taps = taps.flip(list(range(taps.ndim)))
    if taps.ndim == 1:
        x = _fir(x, taps[None, :] * gain, (up_x, 1), (down_x, 1), (left, right, 0, 0))
        return _fir(x, taps[:, None], (1, up_y), (1, down_y), (0, 0, top, bottom))
    return _fir(x, taps * gain, (up_x, up_y), (down_x, down_y), (left, right, top, bottom))


def _fir(
    x: Tensor, taps: Tensor, up: tuple[int, int], down: tuple[int, int], sides: tuple[int, int, int, int]
) -> Tensor:
    """Apply the 2D filter `taps` [taps_y, taps_x]; `up` and `down` are (x, y)."""
    taps_y, taps_x = taps.shape
    left, right, top, bottom = sides
    width = x.shape[3] * up[0] + left + right - taps_x
    height = x.shape[2] * up[1] + top + bottom - taps_y
    if width < 0 or height < 0:
        raise ValueError(
            f"upfirdn2d: expected at least {taps_x} x {taps_y} pixels (the filter) after upsampling and "
            f"padding, got {width + taps_x} x {height + taps_y}"
        )
    if up == (1, 1):
        # The convolution pads both sides alike, without a copy of the image; only what is left needs one.
        pad_x, pad_y = max(min(left, right), 0), max(min(top, bottom), 0)
        x = _pad(x, (left - pad_x, right - pad_x, top - pad_y, bottom - pad_y))
        return fir_down(x, taps.flip([0, 1]), stride=(down[1], down[0]), padding=(pad_y, pad_x))

    # The transposed convolution yields every position that a pixel reaches, (W - 1) * up + taps of them: the
    # filtered image for a padding of taps - 1 on the left and of taps - up on the right. It can crop alike.
    left, right = left - (taps_x - 1), right - (taps_x - up[0])
    top, bottom = top - (taps_y - 1), bottom - (taps_y - up[1])
    crop_x, crop_y = max(min(-left, -right), 0), max(min(-top, -bottom), 0)
    x = fir_up(x, taps, stride=(up[1], up[0]), padding=(crop_y, crop_x))
    x = _pad(x, (left + crop_x, right + crop_x, top + crop_y, bottom + crop_y))
    # The copy makes the result dense again, in the memory format of x.
    return x if down == (1, 1) else x[:, :, :: down[1], :: down[0]].clone()


def _pad(x: Tensor, sides: tuple[int, int, int, int]) -> Tensor:
    """Pad (or crop, where negative) `x` by (left, right, top, bottom)."""
    return F.pad(x, sides) if any(sides) else x


def filter2d(
    x: Tensor, f: Tensor | None, *, padding: Padding = 0, flip_filter: bool = False, gain: float = 1.0
) -> Tensor:
    """Filter `x` [N, C, H, W] and keep its size; `padding` is added to that."""
    return downsample2d(x, f, down=1, padding=padding, flip_filter=flip_filter, gain=gain)


def upsample2d(
    x: Tensor,
    f: Tensor | None,
    up: IntPair = 2,
    padding: Padding = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Enlarge `x` [N, C, H, W] to [N, C, H * up, W * up]; a filter that sums to 1 keeps the brightness.

    `padding` counts in pixels of the result.
    """
    up_x, up_y = xy_pair(up, "up")
    taps_x, taps_y = filter_size(f)
    centred = (*upsampling_padding(taps_x, up_x), *upsampling_padding(taps_y, up_y))
    sides = [side + extra for side, extra in zip(centred, four_sides(padding))]
    # Only one in up_x * up_y pixels is not zero, hence the gain.
    return upfirdn2d(x, f, up=up, padding=sides, flip_filter=flip_filter, gain=gain * up_x * up_y)


def downsample2d(
    x: Tensor,
    f: Tensor | None,
    down: IntPair = 2,
    padding: Padding = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Shrink `x` [N, C, H, W] to [N, C, H // down, W // down]; `padding` counts in pixels of `x`."""
    down_x, down_y = xy_pair(down, "down")
    taps_x, taps_y = filter_size(f)
    centred = (*downsampling_padding(taps_x, down_x), *downsampling_padding(taps_y, down_y))
    sides = [side + extra for side, extra in zip(centred, four_sides(padding))]
    return upfirdn2d(x, f, down=down, padding=sides, flip_filter=flip_filter, gain=gain)
