"""Corruptions: additive noise, and cutout.

Source: Karras et al. 2020 (ADA), appendix B.5; cutout after DeVries and Taylor 2017.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylegraft.augment.config import AugmentConfig
from stylegraft.augment.draws import Array, Draws


def add_noise(images: Tensor, config: AugmentConfig, draws: Draws, p: float) -> Tensor:
    """Returns images [N, C, H, W] plus noise whose standard deviation is itself half-normal."""
    happens = draws.happens("noise", config.noise * p)
    if config.noise == 0 or not happens.any():
        return images
    assert draws.noise is not None, "expected a noise field in the draws, got none: draw with this pipe"
    assert draws.noise.shape == images.shape, (
        f"noise field: expected {tuple(images.shape)}, got {tuple(draws.noise.shape)}"
    )
    std = np.abs(draws.normals["noise_std"]) * config.noise_std * happens
    return images + draws.noise.to(images) * torch.from_numpy(std).to(images)[:, None, None, None]


def cut_out(images: Tensor, config: AugmentConfig, draws: Draws, p: float) -> Tensor:
    """Returns images [N, C, H, W] with a rectangle set to 0, mid-grey."""
    happens = draws.happens("cutout", config.cutout * p)
    if config.cutout == 0 or not happens.any():
        return images
    height, width = images.shape[2:]
    inside_x = _near(draws.uniforms["cutout_x"], width, config.cutout_size)  # [N, W]
    inside_y = _near(draws.uniforms["cutout_y"], height, config.cutout_size) & happens[:, None]  # [N, H]
    inside = torch.from_numpy(inside_y[:, None, :, None] & inside_x[:, None, None, :]).to(images.device)
    return images.masked_fill(inside, 0.0)


def _near(centre: Array, size: int, width: float) -> np.ndarray:
    """Returns which pixels of an axis lie less than half of `width` from `centre`, [N, size]; fractions."""
    places = (np.arange(size) + 0.5) / size
    return np.abs(places - centre[:, None]) < width / 2
