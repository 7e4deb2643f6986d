"""StyleGAN2 networks that grow: configs B to D of the paper, between StyleGAN v1 and StyleGAN2.

The layers are those of StyleGAN2 in the "orig" architecture; as in StyleGAN v1 each block has its own layers
to and from RGB, and `lod` fades the larger blocks in. At lod 0 only those of the largest block count.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2 and table 1;
growing: Karras et al. 2018, "Progressive Growing of GANs", section 2 and figure 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch

from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.stylegan1.lod import split_lod
from stylegraft.networks.stylegan1.resample import box_downscale, nearest_upscale
from stylegraft.networks.stylegan2 import Discriminator, Generator, NoiseMode, Synthesis


class GrowingSynthesis(Synthesis):
    """ws [N, num_ws, w_dim] to images [N, img_channels, H, W], float32, of full size at every lod."""

    lod: torch.Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.max_lod = len(config.channels) - 1
        self.register_buffer("lod", torch.zeros([]))

    def forward(
        self,
        ws: torch.Tensor,
        noise_mode: NoiseMode = "const",
        noise: Sequence[torch.Tensor] | None = None,
        lod: float | None = None,
    ) -> torch.Tensor:
        """Returns images, float32 [N, img_channels, H, W].

        Args:
            ws: as in `Synthesis`.
            noise_mode: as in `Synthesis`.
            noise: as in `Synthesis`; that of layers not in use is not looked at.
            lod: 0 (full resolution) to `max_lod`; None: the buffer's.

        Raises:
            InputError: as in `Synthesis`, or `lod` is outside its range.
        """
        w_of_layer, noises = self.checked(ws, noise_mode, noise)
        unused, share = split_lod(float(self.lod) if lod is None else lod, self.max_lod)
        x = below = img = None
        first = 0
        blocks = self.blocks[: self.max_lod + 1 - unused]
        for index, block in enumerate(blocks):
            below, x = img, block.features(x, w_of_layer[first:], noises, self.compute_dtype)
            first += block.num_conv
            if index + 1 == len(blocks) or (share and index + 2 == len(blocks)):
                img = block.torgb(x, w_of_layer[first])
        assert img is not None
        if share and below is not None:
            img = img.lerp(nearest_upscale(below, 2), share)
        return nearest_upscale(img, 1 << unused)


class GrowingGenerator(Generator):
    """A StyleGAN2 generator whose synthesis grows."""

    @staticmethod
    def make_synthesis(config: GeneratorConfig) -> Synthesis:
        """Returns the synthesis network."""
        return GrowingSynthesis(config)


class GrowingDiscriminator(Discriminator):
    """Images [N, img_channels, H, W] of full size and labels [N, c_dim] to logits [N, 1], float32."""

    lod: torch.Tensor

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__(config)
        self.max_lod = len(config.channels) - 1
        self.register_buffer("lod", torch.zeros([]))

    def forward(
        self, img: torch.Tensor, c: torch.Tensor | None = None, lod: float | None = None
    ) -> torch.Tensor:
        """Returns logits [N, 1], float32; positive means "looks real".

        Args:
            img: images.
            c: labels, or None.
            lod: 0 (full resolution) to `max_lod`; None: the buffer's.

        Raises:
            InputError: the images or labels have another shape than the network's, or `lod` is outside its
                range.
        """
        label = self.checked_label(img, c)
        unused, share = split_lod(float(self.lod) if lod is None else lod, self.max_lod)
        img = box_downscale(img.to(torch.float32), 1 << unused)
        top = self.max_lod - unused
        x = self._from_rgb(top, img)
        for block in range(top, 0, -1):
            x, _ = self.get_submodule(self.config.block_names[block])(x, None, self.compute_dtype)
            if block == top and share:
                x = x.lerp(self._from_rgb(block - 1, box_downscale(img, 2)), share)
        return self.get_submodule(self.config.block_names[0])(x, None, label)

    def _from_rgb(self, block: int, img: torch.Tensor) -> torch.Tensor:
        fromrgb = cast("torch.nn.Module", self.get_submodule(self.config.block_names[block]).fromrgb)
        return fromrgb(img.to(self.compute_dtype))
