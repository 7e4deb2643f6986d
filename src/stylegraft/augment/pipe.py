"""The augmentation pipe: pixel blitting, geometry, colour, filtering, corruptions, in this order.

Source: Karras et al. 2020, "Training generative adversarial networks with limited data", appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylegraft.augment.color import color_matrices, transform_color
from stylegraft.augment.config import AugmentConfig
from stylegraft.augment.corruptions import add_noise, cut_out
from stylegraft.augment.draws import Draws, percentile_draws, random_draws
from stylegraft.augment.filters import band_gains, filter_images
from stylegraft.augment.geometry import sampling_matrices, warp
from stylegraft.runtime.random import Key


class AugmentPipe:
    """Augments images, differentiably, with what chance decided beforehand.

    A sample's result depends on its own pixels and draws only (up to float noise): what the batch shares is
    the size of a buffer. So neither the number of processes nor the micro-batches change the training.

    Example:
        >>> pipe = AugmentPipe(augment_preset("bgc"))
        >>> draws = pipe.draw(key.fold("augment", "real"), samples, images.device, *images.shape[-2:])
        >>> augmented = pipe(images, p, draws)
    """

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def draw(
        self,
        key: Key,
        samples: Sequence[int],
        device: torch.device | str,
        height: int,
        width: int,
        channels: int = 3,
    ) -> Draws:
        """Returns random draws keyed by global sample index.

        Args:
            key: names step and purpose, so that real and generated images get draws of their own.
            samples: global sample indices of the micro-batch, N of them.
            device: the images' device. Only the field of additive noise is drawn there.
            height: image height, px.
            width: image width, px.
            channels: image channels.
        """
        noise_shape = (channels, height, width) if self.config.noise > 0 else None
        return random_draws(key, samples, noise_shape, device)

    def draw_percentile(self, percentile: float, num: int) -> Draws:
        """Returns draws by which every transform happens, its parameters at one percentile; for checks."""
        return percentile_draws(percentile, num)

    def __call__(self, images: Tensor, p: float | Tensor, draws: Draws) -> Tensor:
        """Augments images.

        Args:
            images: [N, C, H, W] with C 1 or 3, about [-1, 1]. Computed in float32 (float64 stays) even inside
                autocast: eight bits of mantissa would show as an artefact that only augmented images have.
            p: probability of each transform before its multiplier, 0..1.
            draws: of the same N samples.

        Returns:
            [N, C, H, W], float32 or float64, not clamped; differentiable twice with respect to `images`.
        """
        assert images.ndim == 4, f"expected [N, C, H, W], got {tuple(images.shape)}"
        assert images.shape[1] in (1, 3), f"expected 1 or 3 channels, got {images.shape[1]}"
        assert draws.num == len(images), f"expected draws of {len(images)} samples, got {draws.num}"
        config, p = self.config, float(p)
        if images.dtype != torch.float64:
            images = images.float()
        with torch.autocast(images.device.type, enabled=False):
            if config.moves_pixels:
                images = warp(images, sampling_matrices(config, draws, p, *images.shape[2:]))
            if config.changes_color:
                images = transform_color(images, *color_matrices(config, draws, p, images.shape[1]))
            if config.imgfilter > 0:
                images = filter_images(images, band_gains(config, draws, p))
            images = add_noise(images, config, draws, p)
            return cut_out(images, config, draws, p)
