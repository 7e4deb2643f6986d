"""Colour transforms: one affine map of RGB a sample.

Source: Karras et al. 2020 (ADA), appendix B.3.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylegraft.augment.config import AugmentConfig
from stylegraft.augment.draws import Array, Draws

_LUMA = np.full([3, 1], 3**-0.5)
_ONTO_LUMA = _LUMA @ _LUMA.T
"""The projection onto the grey axis."""


def color_matrices(config: AugmentConfig, draws: Draws, p: float, channels: int) -> tuple[Array, Array]:
    """Returns linear part [N, 3, 3] and offset [N, 3, 1] of the colour maps, in image range -1..1.

    Hue and saturation leave grey images (`channels` 1) alone, so they are left out for them.
    """
    linear = np.tile(np.eye(3), (draws.num, 1, 1))
    offset = np.zeros([draws.num, 3, 1])

    def step(name: str, strength: float, matrix: Array) -> None:
        """Lets a linear map follow where the transform happens."""
        happens = draws.happens(name, strength)
        linear[happens] = matrix[happens] @ linear[happens]
        offset[happens] = matrix[happens] @ offset[happens]

    def column(values: Array) -> Array:
        return values[:, None, None]

    if config.brightness > 0:
        happens = draws.happens("brightness", config.brightness * p)
        offset[happens] += column(draws.normals["brightness"] * config.brightness_std)[happens]
    if config.contrast > 0:
        gain = np.exp2(draws.normals["contrast"] * config.contrast_std)
        step("contrast", config.contrast * p, column(gain) * np.eye(3))
    if config.lumaflip > 0:  # half of the draws mirror at the plane through black, across the grey axis
        flips = np.floor(draws.uniforms["lumaflip"] * 2)
        step("lumaflip", config.lumaflip * p, np.eye(3) - 2 * column(flips) * _ONTO_LUMA)
    if config.hue > 0 and channels > 1:
        angle = draws.symmetric("hue") * np.pi * config.hue_max
        step("hue", config.hue * p, _rotate_about_luma(angle))
    if config.saturation > 0 and channels > 1:
        gain = np.exp2(draws.normals["saturation"] * config.saturation_std)
        step("saturation", config.saturation * p, _ONTO_LUMA + column(gain) * (np.eye(3) - _ONTO_LUMA))
    return linear, offset


def transform_color(images: Tensor, linear: Array, offset: Array) -> Tensor:
    """Returns images [N, C, H, W] mapped by `color_matrices`.

    C is 3, or 1: then the pixel counts as grey RGB, and the mean over RGB of what it maps to is the result.
    """
    if (linear == np.eye(3)).all() and (offset == 0).all():
        return images
    num, channels = images.shape[:2]
    if channels == 1:
        linear = linear.sum(axis=2, keepdims=True).mean(axis=1, keepdims=True)
        offset = offset.mean(axis=1, keepdims=True)
    matrix, shift = torch.from_numpy(linear).to(images), torch.from_numpy(offset).to(images)
    return torch.baddbmm(shift, matrix, images.reshape(num, channels, -1)).reshape(images.shape)


def _rotate_about_luma(angle: Array) -> Array:
    """Rotations about the grey axis by angles in radians, [N, 3, 3] (Rodrigues' formula)."""
    x, y, z = _LUMA[:, 0]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    return cos * np.eye(3) + sin * cross + (1 - cos) * _ONTO_LUMA
