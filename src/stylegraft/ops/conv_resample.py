"""Convolution with built-in up- or downsampling; the fast orders of the operations beside the obvious one.

Convolution, FIR filter and zero insertion are linear and commute where no pixel is lost, so the convolution
can run at the lower of the two resolutions and the FIR filter on the side with fewer values.
"""

from torch import Tensor
from torch.nn import functional as F

from stylegraft.ops.filters import (
    Padding,
    downsampling_padding,
    filter_size,
    four_sides,
    upsampling_padding,
)
from stylegraft.ops.upfirdn import upfirdn2d
from stylegraft.ops.upfirdn_reference import upfirdn2d_reference


def conv2d_resample(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: Padding = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Upsample by `up`, convolve with `w`, downsample by `down`, with the filter `f` against aliasing.

    Args:
        x: [N, I, H, W], any floating dtype.
        w: [O, I / groups, kh, kw], cast to the dtype of `x`.
        f: Filter of `setup_filter`; None is the identity (plain zero insertion and subsampling).
        up: Factor by which the input grows.
        down: Factor by which the result shrinks.
        padding: Zeros around the upsampled image, on top of those that centre `f`.
        groups: Groups of channels that do not mix.
        flip_weight: True correlates (as F.conv2d does), False convolves.
        flip_filter: The same for `f`: False convolves, True correlates.

    Returns:
        [N, O, H * up // down, W * up // down] if `padding` makes up for the kernel (kh // 2, kw // 2).
    """
    w = w.to(x.dtype)
    kh, kw = w.shape[2:]
    left, right, top, bottom = sides = _sides_with_filter(f, up, down, padding)
    pointwise = kh == kw == 1

    if pointwise and up == 1 and down > 1:
        x = upfirdn2d(x, f, down=down, padding=sides, flip_filter=flip_filter)
        return F.conv2d(x, w, groups=groups)

    if pointwise and up > 1 and down == 1:
        x = F.conv2d(x, w, groups=groups)
        return upfirdn2d(x, f, up=up, padding=sides, gain=up**2, flip_filter=flip_filter)

    if up > 1:
        x = _conv_transpose(x, w, up, groups, flip_weight)
        # The transposed convolution already reached kw - 1 pixels past the left edge, kw - up past the right.
        rest = (left - (kw - 1), right - (kw - up), top - (kh - 1), bottom - (kh - up))
        x = upfirdn2d(x, f, padding=rest, gain=up**2, flip_filter=flip_filter)
        return upfirdn2d(x, f, down=down, flip_filter=flip_filter) if down > 1 else x

    if not flip_weight:
        w = w.flip([2, 3])
    if down > 1:
        x = upfirdn2d(x, f, padding=sides, flip_filter=flip_filter)
        return F.conv2d(x, w, stride=down, groups=groups)

    if left == right >= 0 and top == bottom >= 0:
        return F.conv2d(x, w, padding=(top, left), groups=groups)
    return F.conv2d(F.pad(x, sides), w, groups=groups)


def conv2d_resample_reference(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: Padding = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Return what `conv2d_resample` returns, in the order of the definition; the arguments are the same."""
    sides = _sides_with_filter(f, up, down, padding)
    x = upfirdn2d_reference(
        x, f if up > 1 else None, up=up, padding=sides, gain=up**2, flip_filter=flip_filter
    )
    x = F.conv2d(x, w if flip_weight else w.flip([2, 3]), groups=groups)
    return upfirdn2d_reference(x, f if down > 1 else None, down=down, flip_filter=flip_filter)


def _sides_with_filter(f: Tensor | None, up: int, down: int, padding: Padding) -> tuple[int, int, int, int]:
    """Return the padding (left, right, top, bottom) of the upsampled image, with room for the filter."""
    taps_x, taps_y = filter_size(f)
    left, right, top, bottom = four_sides(padding)
    for taps_factor, adjust in ((up, upsampling_padding), (down, downsampling_padding)):
        if taps_factor > 1:
            before_x, after_x = adjust(taps_x, taps_factor)
            before_y, after_y = adjust(taps_y, taps_factor)
            left, right, top, bottom = left + before_x, right + after_x, top + before_y, bottom + after_y
    return left, right, top, bottom


def _conv_transpose(x: Tensor, w: Tensor, stride: int, groups: int, flip_weight: bool) -> Tensor:
    """Insert zeros and convolve with `w` [O, I / groups, kh, kw], at the cost of a convolution of `x`."""
    if flip_weight:
        w = w.flip([2, 3])  # A transposed convolution convolves; the flip makes it correlate.
    out_channels, in_per_group, kh, kw = w.shape
    w = w.reshape(groups, out_channels // groups, in_per_group, kh, kw).transpose(1, 2)
    w = w.reshape(groups * in_per_group, out_channels // groups, kh, kw)
    return F.conv_transpose2d(x, w, stride=stride, groups=groups)
