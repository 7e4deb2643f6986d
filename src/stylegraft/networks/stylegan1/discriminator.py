"""The StyleGAN v1 discriminator: that of progressive growing, with a blur before each downsampling.

Source: Karras et al. 2018, "Progressive Growing of GANs", sections 2 and 3; StyleGAN (2019), appendix C.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from stylegraft.errors import InputError
from stylegraft.networks.mapping import checked_rows
from stylegraft.networks.stylegan1.config import DiscriminatorConfig
from stylegraft.networks.stylegan1.layers import Conv, Dense
from stylegraft.networks.stylegan1.lod import split_lod
from stylegraft.networks.stylegan1.resample import Resample, box_downscale
from stylegraft.ops.minibatch_std import minibatch_std


class DiscriminatorBlock(nn.Module):
    """One resolution of the discriminator; halves the size."""

    def __init__(self, config: DiscriminatorConfig, block: int) -> None:
        super().__init__()
        channels, act, wscale = config.channels[block], config.activation, config.use_wscale
        self.fromrgb = Conv(config.img_channels, channels, 1, activation=act, use_wscale=wscale)
        self.conv0 = Conv(channels, channels, 3, activation=act, use_wscale=wscale)
        self.conv1 = Conv(
            channels,
            config.channels[block - 1],
            3,
            activation=act,
            use_wscale=wscale,
            resample=Resample(config.blur_filter),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, C, H, W] -> [N, O, H / 2, W / 2] in x's dtype."""
        return self.conv1(self.conv0(x))


class DiscriminatorEpilogue(nn.Module):
    """The last block: minibatch standard deviation, convolution, two dense layers; float32."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.group_size, self.num_std = config.mbstd_group_size, config.mbstd_num_channels
        channels, act, wscale = config.channels[0], config.activation, config.use_wscale
        pixels = config.base_height * config.base_width
        self.fromrgb = Conv(config.img_channels, channels, 1, activation=act, use_wscale=wscale)
        self.conv = Conv(channels + self.num_std, channels, 3, activation=act, use_wscale=wscale)
        fc_features = config.fc_features or channels
        self.fc = Dense(channels * pixels, fc_features, activation=act, use_wscale=wscale)
        self.out = Dense(fc_features, max(config.c_dim, 1), use_wscale=wscale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, C, h, w] -> scores [N, max(c_dim, 1)]."""
        x = x.to(torch.float32)
        if self.num_std:
            x = minibatch_std(x, self.group_size, self.num_std)
        return self.out(self.fc(self.conv(x).flatten(1)))


class Discriminator(nn.Module):
    """Images [N, img_channels, H, W] and labels [N, c_dim] to logits [N, 1], float32."""

    lod: torch.Tensor

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = torch.float32
        for block in range(config.max_lod, 0, -1):
            self.add_module(config.block_names[block], DiscriminatorBlock(config, block))
        self.add_module(config.block_names[0], DiscriminatorEpilogue(config))
        self.register_buffer("lod", torch.zeros([]))

    def forward(
        self, img: torch.Tensor, c: torch.Tensor | None = None, lod: float | None = None
    ) -> torch.Tensor:
        """Returns logits [N, 1], float32; positive means "looks real".

        Args:
            img: [N, img_channels, H, W], of full size, or halved floor(lod) times (means of 2 x 2 pixels).
            c: labels [N, c_dim]; None for an unconditional network.
            lod: 0 (full resolution) to `config.max_lod`; None: what `set_lod` set.

        Raises:
            InputError: the images or labels have another shape than the network's, or `lod` is outside its
                range.
        """
        config = self.config
        unused, share = split_lod(float(self.lod) if lod is None else lod, config.max_lod)
        img = self._at_native_size(img, unused)
        top = config.max_lod - unused
        x = self._from_rgb(top, img)
        for block in range(top, 0, -1):
            x = cast("DiscriminatorBlock", self.get_submodule(config.block_names[block]))(x)
            if block == top and share:
                x = x.lerp(self._from_rgb(block - 1, box_downscale(img, 2)), share)
        scores = self.get_submodule(config.block_names[0])(x)
        if config.c_dim == 0:
            return scores
        labels = checked_rows("c", c, config.c_dim)
        if len(labels) != len(img):
            raise InputError(f"c: expected one row for each of the {len(img)} images, got {len(labels)}.")
        return (scores * labels).sum(dim=1, keepdim=True)

    def _at_native_size(self, img: torch.Tensor, unused: int) -> torch.Tensor:
        """Returns images of the size of the largest block in use, float32."""
        config = self.config
        expected = [config.img_channels, config.img_height, config.img_width]
        if img.ndim == 4 and list(img.shape[1:]) == expected:
            return box_downscale(img.to(torch.float32), 1 << unused)
        expected[1:] = [config.img_height >> unused, config.img_width >> unused]
        if img.ndim != 4 or list(img.shape[1:]) != expected:
            raise InputError(
                f"img: expected shape [N, {', '.join(map(str, expected))}], got {list(img.shape)}."
            )
        return img.to(torch.float32)

    def _from_rgb(self, block: int, img: torch.Tensor) -> torch.Tensor:
        """Image of a block's size to its feature maps, in the type of the convolutions."""
        fromrgb = cast("Conv", self.get_submodule(self.config.block_names[block]).fromrgb)
        img = img.to(self.compute_dtype).contiguous(memory_format=torch.channels_last)
        return fromrgb(img)

    def set_lod(self, lod: float) -> None:
        """Sets where growing stands, which is saved with the weights.

        Raises:
            InputError: `lod` is outside 0 (full resolution) to `config.max_lod`.
        """
        split_lod(lod, self.config.max_lod)
        self.lod.fill_(lod)

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """Chooses the type of the convolutions above the last block; parameters stay float32."""
        self.compute_dtype = dtype
