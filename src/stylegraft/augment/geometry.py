"""Pixel blitting and geometric transforms: one affine map a sample, one resampling.

The map is composed on the CPU in float64 (a few 3 x 3 products). The images are then doubled with a wavelet
low-pass, sampled bilinearly at the mapped places and halved with the same low-pass, which together is close
to a perfect band-limited resampling. Doubling and halving are linear along each axis, so they are done as
products with small matrices: three channels make poor convolutions but good matrix products, which
differentiate as often as wanted. The reflection at the borders is part of the matrix.

Source: Karras et al. 2020 (ADA), appendix B.2 and figure 18.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylegraft.augment.config import AugmentConfig
from stylegraft.augment.draws import Array, Draws
from stylegraft.augment.filters import SYM6_LOWPASS, apply_along_axes, reflected
from stylegraft.ops.grid_sample import grid_sample

_NUM_TAPS = len(SYM6_LOWPASS)
_MARGIN_PX = _NUM_TAPS // 2
"""Pixels that doubling and halving reach beyond the places that are sampled."""


def sampling_matrices(config: AugmentConfig, draws: Draws, p: float, height: int, width: int) -> Array:
    """Returns the maps from places in the result to places in the source, [N, 3, 3].

    Coordinates are homogeneous (x, y, 1) in source pixels, the origin in the middle of the image. The image
    is transformed by T_k ... T_2 T_1 in the order below, so places go back by T_1^-1 T_2^-1 ... T_k^-1.
    """
    matrices = np.tile(np.eye(3), (draws.num, 1, 1))

    def step(name: str, strength: float, inverse: Array) -> None:
        """Appends a transform's inverse where the transform happens."""
        happens = draws.happens(name, strength)
        matrices[happens] = matrices[happens] @ inverse[happens]

    if config.xflip > 0:  # half of the draws flip
        step("xflip", config.xflip * p, _scale(1 - 2 * np.floor(draws.uniforms["xflip"] * 2), 1))
    if config.rotate90 > 0:
        step("rotate90", config.rotate90 * p, _rotate(np.floor(draws.uniforms["rotate90"] * 4) * (np.pi / 2)))
    if config.xint > 0:
        move_x = np.rint(draws.symmetric("xint_x") * config.xint_max * width)
        move_y = np.rint(draws.symmetric("xint_y") * config.xint_max * height)
        step("xint", config.xint * p, _translate(-move_x, -move_y))
    if config.scale > 0:
        shrink = np.exp2(-draws.normals["scale"] * config.scale_std)
        step("scale", config.scale * p, _scale(shrink, shrink))
    # A rotation before and one after the anisotropic scaling; either happens with probability p in all.
    rotation = 1 - np.sqrt(1 - np.clip(config.rotate * p, 0, 1))
    max_angle = np.pi * config.rotate_max
    if config.rotate > 0:
        step("rotate_before", rotation, _rotate(draws.symmetric("rotate_before") * max_angle))
    if config.aniso > 0:
        stretch = np.exp2(draws.normals["aniso"] * config.aniso_std)
        step("aniso", config.aniso * p, _scale(1 / stretch, stretch))
    if config.rotate > 0:
        step("rotate_after", rotation, _rotate(draws.symmetric("rotate_after") * max_angle))
    if config.xfrac > 0:
        move_x = draws.normals["xfrac_x"] * config.xfrac_std * width
        move_y = draws.normals["xfrac_y"] * config.xfrac_std * height
        step("xfrac", config.xfrac * p, _translate(-move_x, -move_y))
    return matrices


def warp(images: Tensor, matrices: Array) -> Tensor:
    """Resamples images at mapped places; samples whose map is the identity are passed through.

    Every sample is padded by reflection as far as its own map reaches (at most the size less one; beyond is
    zero), not as far as the widest of the batch as in the original: that is what makes it independent of the
    other samples. In the shared buffer a sample fills the upper left part and the rest stays zero.

    Args:
        images: [N, C, H, W], float32 or float64.
        matrices: `sampling_matrices`, [N, 3, 3].

    Returns:
        [N, C, H, W], differentiable twice with respect to `images`.
    """
    moved = np.flatnonzero((matrices != np.eye(3)).any(axis=(1, 2)))
    if len(moved) == 0:
        return images
    if len(moved) == len(images):
        return _warp_all(images, matrices)
    index = torch.from_numpy(moved).to(images.device)
    return images.index_copy(0, index, _warp_all(images.index_select(0, index), matrices[moved]))


def _warp_all(images: Tensor, matrices: Array) -> Tensor:
    height, width = images.shape[2:]
    before, after = _margins(matrices, np.array([width, height]))
    padded = before + after + [width, height]  # [N, 2], x then y, px
    doubled_size = 2 * padded.max(axis=0)

    double_x = _doubling(width, before[:, 0], padded[:, 0], images)  # [N, doubled width, W]
    double_y = _doubling(height, before[:, 1], padded[:, 1], images)
    doubled = apply_along_axes(images, double_y, double_x)

    grid = _places(matrices, height, width, before, doubled_size, images)
    sampled = grid_sample(doubled, grid)  # [N, C, 2H + 10, 2W + 10]
    return apply_along_axes(sampled, _halving(height, images), _halving(width, images))


def _margins(matrices: Array, size: Array) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far to pad on the low and high sides, two int arrays [N, 2] (x, y), px.

    The mapped corners of the image bound the places that are sampled; to those come the taps of the filters.
    """
    half = (size - 1) / 2
    reach = np.abs(matrices[:, :2, :2]) @ half  # of a box centred at the origin
    low = matrices[:, :2, 2] - reach
    high = matrices[:, :2, 2] + reach
    limit = size - 1  # a reflection has no more pixels to give
    before = np.ceil(np.clip(-low - half + _MARGIN_PX, 0, limit)).astype(np.int64)
    after = np.ceil(np.clip(high - half + _MARGIN_PX, 0, limit)).astype(np.int64)
    return before, after


def _doubling(size: int, before: np.ndarray, padded: np.ndarray, like: Tensor) -> Tensor:
    """Returns matrices that pad an axis by reflection and double its sampling rate.

    Sample 2j of the doubled axis lies on pixel j, sample 2j + 1 halfway to the next (the filter, nearly
    symmetric, has its middle at tap 5). Of the 12 taps a sample meets every other one: the others fall on the
    zeros that doubling puts between the pixels.

    Args:
        size: pixels of the axis.
        before: pixels padded on the low side, [N].
        padded: pixels after padding, [N].
        like: tensor whose device and dtype the result gets.

    Returns:
        [N, 2 * max(padded), size]; rows beyond a sample's own 2 * padded are zero.
    """
    rows = np.arange(2 * padded.max())
    taps = np.arange(_NUM_TAPS // 2)
    # Tap 2q + 1 - f of row 2j + f meets pixel j + 2 + f - q.
    phase = rows[:, None] % 2
    weights = 2 * SYM6_LOWPASS[2 * taps + 1 - phase]  # [rows, 6]
    met = rows[:, None] // 2 + 2 + phase - taps  # [rows, 6], pixel of the padded axis

    limits = padded[:, None, None]
    inside = (met >= 0) & (met < limits) & (rows[:, None] < 2 * limits)  # [N, rows, 6]
    source = reflected(met - before[:, None, None], size)
    matrices = torch.zeros([len(before), len(rows), size], dtype=like.dtype, device=like.device)
    values = torch.from_numpy(weights * inside).to(like)
    return matrices.scatter_add_(2, torch.from_numpy(source).to(like.device), values)


def _halving(size: int, like: Tensor) -> Tensor:
    """Returns the matrix [size, 2 * size + 10] that low-passes and keeps every other sample."""
    matrix = np.zeros([size, 2 * size + _NUM_TAPS - 2])
    for row in range(size):
        matrix[row, 2 * row : 2 * row + _NUM_TAPS] = SYM6_LOWPASS
    return torch.from_numpy(matrix).to(like)


def _places(
    matrices: Array, height: int, width: int, before: np.ndarray, doubled_size: np.ndarray, like: Tensor
) -> Tensor:
    """Returns where in the doubled images to sample, [N, 2H + 10, 2W + 10, 2] as `grid_sample` wants it."""

    def centred(size: int) -> Array:
        """Places of the doubled result, in pixels from the middle; five more on either side, for the taps."""
        extra = _NUM_TAPS // 2 - 1
        return np.arange(-extra, 2 * size + extra) / 2 - (size - 1) / 2

    # Pixels from the middle -> index of padded pixel -> index of doubled pixel (its middle half a pixel on)
    # -> fraction of the buffer -> [-1, 1].
    offset = np.array([width - 1, height - 1]) / 2 + before + 0.25  # [N, 2]
    to_unit = 4 / doubled_size
    along_x = centred(width)[:, None] * matrices[:, None, :2, 0] * to_unit  # [N, 2W + 10, 2]
    along_y = centred(height)[:, None] * matrices[:, None, :2, 1] * to_unit  # [N, 2H + 10, 2]
    along_x = along_x + ((matrices[:, :2, 2] + offset) * to_unit - 1)[:, None]
    return torch.from_numpy(along_y).to(like)[:, :, None] + torch.from_numpy(along_x).to(like)[:, None]


def _scale(x: Array, y: Array | float) -> Array:
    """Diagonal matrices, [N, 3, 3]."""
    matrices = np.zeros([len(x), 3, 3])
    matrices[:, 0, 0] = x
    matrices[:, 1, 1] = y
    matrices[:, 2, 2] = 1
    return matrices


def _translate(x: Array, y: Array) -> Array:
    """Translations, [N, 3, 3]."""
    matrices = np.tile(np.eye(3), (len(x), 1, 1))
    matrices[:, 0, 2] = x
    matrices[:, 1, 2] = y
    return matrices


def _rotate(angle: Array) -> Array:
    """Rotations of the x axis towards the y axis, angles in radians, [N, 3, 3]."""
    matrices = np.tile(np.eye(3), (len(angle), 1, 1))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle)
    matrices[:, 1, 0] = np.sin(angle)
    matrices[:, 0, 1] = -matrices[:, 1, 0]
    return matrices
