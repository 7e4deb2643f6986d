"""Resampling of StyleGAN v1: nearest-neighbour up, box down, blur, and the convolutions beside them.

All of it is linear, so the order of the operations is free. Nearest-neighbour upsampling is the insertion of
zeros and a 2 x 2 box; done last, the box costs one pass over the output and the convolution runs at the
input's resolution, as a transposed convolution with 9 multiplications a pixel. The original convolves at the
output's resolution (36), or with the box drawn into the kernel (16, "fused"). Downsampling mirrors that.

Source: Karras et al. 2018, "Progressive Growing of GANs", section 3; StyleGAN (2019), appendix C.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from stylegraft.ops.depthwise_fir import fir_down


class Resample(nn.Module):
    """Convolutions that double or halve the size, with a blur at the larger of the two sizes.

    Args:
        blur_filter: taps of the blur along one axis, an odd number; None: no blur.
    """

    box: torch.Tensor
    blur: torch.Tensor | None

    def __init__(self, blur_filter: tuple[float, ...] | None) -> None:
        super().__init__()
        self.register_buffer("box", torch.ones(2, 2), persistent=False)
        taps = None
        if blur_filter is not None:
            row = torch.tensor(blur_filter, dtype=torch.float32)
            taps = torch.outer(row, row) / row.sum() ** 2
        self.register_buffer("blur", taps, persistent=False)

    def conv_up(self, x: torch.Tensor, weight: torch.Tensor, fused: bool) -> torch.Tensor:
        """Returns blur(conv(nearest_upscale(x))), [N, O, 2 H, 2 W].

        Args:
            x: [N, I, H, W].
            weight: [O, I, 3, 3] in the type of x.
            fused: the kernel is that of the original's fused form, in which it is spatially flipped.
        """
        kernel = weight.transpose(0, 1)
        if not fused:
            kernel = kernel.flip([2, 3])  # A transposed convolution convolves; the flip makes it correlate.
        x = F.conv_transpose2d(x, kernel, stride=2)  # [N, O, 2 H + 1, 2 W + 1]
        return self._blur(fir_down(x, self.box.to(x.dtype), (1, 1), (0, 0)))

    def conv_down(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Returns box_downscale(conv(blur(x))), [N, O, H / 2, W / 2]; x [N, I, H, W], weight [O, I, 3, 3]."""
        x = fir_down(self._blur(x), (self.box / 4).to(x.dtype), (1, 1), (1, 1))  # [N, I, H + 1, W + 1]
        return F.conv2d(x, weight, stride=2)

    def _blur(self, x: torch.Tensor) -> torch.Tensor:
        if self.blur is None:
            return x
        # Taps that are not symmetric correlate, as in the original.
        margin = self.blur.shape[0] // 2
        return fir_down(x, self.blur.to(x.dtype), (1, 1), (margin, margin))


def nearest_upscale(img: torch.Tensor, factor: int) -> torch.Tensor:
    """Returns [N, C, H * factor, W * factor] with each pixel repeated."""
    return img if factor == 1 else F.interpolate(img, scale_factor=factor, mode="nearest")


def box_downscale(img: torch.Tensor, factor: int) -> torch.Tensor:
    """Returns [N, C, H / factor, W / factor], each pixel the mean of factor x factor."""
    return img if factor == 1 else F.avg_pool2d(img, factor)
