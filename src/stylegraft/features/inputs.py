"""From images as the library has them to what a feature network eats."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

Images = torch.Tensor | np.ndarray
"""uint8 [N, H, W, C] in 0..255, or float [N, C, H, W] in [-1, 1]; C is 1 or 3."""


def to_float255(images: Images, device: torch.device | str = "cpu") -> torch.Tensor:
    """Returns images as float32 [N, C, H, W] on the scale 0..255.

    Args:
        images: uint8 NHWC (borders of the library) or floating point NCHW in [-1, 1] (inside it). Floats
            are mapped by (x + 1) * 127.5 and neither rounded nor clamped.
        device: where the result lives.

    Raises:
        ValueError: neither of the two layouts.
    """
    if isinstance(images, np.ndarray):
        # Copied, because torch refuses negative strides (mirrored views) and warns about read-only memory.
        images = torch.from_numpy(np.array(images))
    images = images.to(device)
    if images.ndim == 4 and images.dtype == torch.uint8 and images.shape[3] in (1, 3):
        return images.permute(0, 3, 1, 2).to(torch.float32)
    if images.ndim == 4 and images.is_floating_point() and images.shape[1] in (1, 3):
        return (images.to(torch.float32) + 1) * 127.5
    raise ValueError(
        "feature network input: expected uint8 [N, H, W, C] or float [N, C, H, W] with 1 or 3 channels, "
        f"got {images.dtype} {list(images.shape)}."
    )


def resize_bicubic(x: torch.Tensor, size_px: int) -> torch.Tensor:
    """Resizes float NCHW images to [N, C, size_px, size_px] by antialiased bicubic interpolation.

    The result is neither clamped nor rounded: overshoot at edges is kept, as in the reference features.
    Images that are not square are stretched.
    """
    if x.shape[2:] == (size_px, size_px):
        return x
    return F.interpolate(x, (size_px, size_px), mode="bicubic", align_corners=False, antialias=True)
