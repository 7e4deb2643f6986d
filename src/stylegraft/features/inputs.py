"""From images as the library has them to what a feature network eats: channels, scale and size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

Images = torch.Tensor | np.ndarray
"""uint8 [N, H, W, C] in 0..255, or float [N, C, H, W] in [-1, 1]; C is 1 or 3."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Up to here a product with the matrix of the resize is quicker than walking over its few taps.
_LARGEST_BY_MATRIX_PX = 256


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


def imagenet_normalise(rgb255: torch.Tensor) -> torch.Tensor:
    """Scales [N, 3, H, W] in 0..255 by mean and deviation of ImageNet, as torchvision's networks expect."""
    mean = rgb255.new_tensor(IMAGENET_MEAN)[:, None, None] * 255
    std = rgb255.new_tensor(IMAGENET_STD)[:, None, None] * 255
    return (rgb255 - mean) / std


def resize_bicubic(x: torch.Tensor, size_px: int) -> torch.Tensor:
    """Resizes float NCHW images to [N, C, size_px, size_px] by antialiased bicubic interpolation.

    The result is neither clamped nor rounded: overshoot at edges is kept, as in the reference features.
    Images that are not square are stretched.
    """
    height, width = x.shape[2:]
    if (height, width) == (size_px, size_px):
        return x
    if max(height, width) > _LARGEST_BY_MATRIX_PX:
        return F.interpolate(x, (size_px, size_px), mode="bicubic", align_corners=False, antialias=True)
    rows = _bicubic_matrix(height, size_px).to(x)
    columns = _bicubic_matrix(width, size_px).to(x)
    return rows @ (x @ columns.T)


def resize_bilinear(x: torch.Tensor, size_px: int) -> torch.Tensor:
    """Resizes float NCHW images by bilinear interpolation with half-pixel centres, without antialiasing."""
    if x.shape[2:] == (size_px, size_px):
        return x
    return F.interpolate(x, (size_px, size_px), mode="bilinear", align_corners=False)


def resize_tensorflow1(x: torch.Tensor, size_px: int) -> torch.Tensor:
    """Resizes float NCHW images as TensorFlow 1 did: bilinear, pixel i taken from i * in / out.

    There is no half-pixel offset, so pictures shift a little to the lower right; published FIDs include that
    shift. Columns are interpolated before rows, in float32, which decides the last digit.
    """
    return _lerp_along(_lerp_along(x, size_px, dim=3), size_px, dim=2)


def _lerp_along(x: torch.Tensor, size_px: int, dim: int) -> torch.Tensor:
    """One axis of `resize_tensorflow1`."""
    size = x.shape[dim]
    if size == size_px:
        return x
    step = torch.tensor(size / size_px, dtype=torch.float32, device=x.device)
    source = torch.arange(size_px, dtype=torch.float32, device=x.device) * step
    low = source.long()  # Positive, so this rounds down.
    high = (low + 1).clamp(max=size - 1)
    fraction = (source - low).to(x.dtype)
    if dim == 2:
        fraction = fraction[:, None]
    start, end = x.index_select(dim, low), x.index_select(dim, high)
    return start + (end - start) * fraction


@lru_cache(maxsize=16)
def _bicubic_matrix(size: int, size_px: int) -> torch.Tensor:
    """Returns the resize of one axis as a float32 matrix [size_px, size]: the images of the unit vectors."""
    unit = torch.eye(size)[None, None]
    resized = F.interpolate(unit, (size_px, size), mode="bicubic", align_corners=False, antialias=True)
    return resized[0, 0]
