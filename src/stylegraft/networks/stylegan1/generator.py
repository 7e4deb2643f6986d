"""The StyleGAN v1 generator: style-based synthesis that grows block by block.

Convolutions run in `compute_dtype`; styles, noise, normalisation and images are float32. Feature maps are in
channels_last, in which filters and sums over pixels are several times as fast.

Source: Karras, Laine, Aila 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks",
figure 1b and appendix C; growing: Karras et al. 2018, "Progressive Growing of GANs", section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import nn
from torch.nn import functional as F

from stylegraft.errors import InputError
from stylegraft.networks.stylegan1.config import GeneratorConfig
from stylegraft.networks.stylegan1.epilogue import Epilogue
from stylegraft.networks.stylegan1.layers import Conv, equalized_weight
from stylegraft.networks.stylegan1.lod import split_lod
from stylegraft.networks.stylegan1.mapping import Mapping
from stylegraft.networks.stylegan1.resample import Resample, nearest_upscale

NoiseMode = Literal["const", "random", "none"]
ImageSize = Literal["full", "native"]
# Up to this size feature maps stay in the caches, and their memory is not given back to the system each time.
_CHUNK_BYTES = 16 << 20


class SynthesisLayer(Epilogue):
    """A 3x3 convolution, doubling the size in the first layer of a block, and what follows it."""

    def __init__(self, config: GeneratorConfig, block: int, index: int) -> None:
        super().__init__(config, block)
        self.is_fused = config.is_fused(block)
        self.resample = Resample(config.blur_filter) if index == 0 else None
        shape = (config.channels[block], config.channels[block - 1 + index], 3, 3)
        self.weight, self.weight_gain = equalized_weight(shape, config.activation, config.use_wscale)

    def convolve(self, x: torch.Tensor) -> tuple[torch.Tensor, float]:
        """x [N, I, H, W] -> [N, O, H', W'] in its type, and the gain that it lacks yet."""
        weight = self.weight.to(x.dtype)
        if self.resample is None:
            return F.conv2d(x, weight, padding=1), self.weight_gain
        return self.resample.conv_up(x, weight, self.is_fused), self.weight_gain


class SynthesisBlock(nn.Module):
    """The two layers of one resolution, and its way to the image; the first block has a learned constant."""

    def __init__(self, config: GeneratorConfig, block: int) -> None:
        super().__init__()
        channels = config.channels[block]
        self.map_bytes = 4 * channels * (config.base_height << block) * (config.base_width << block)
        if block == 0:
            self.const = nn.Parameter(torch.ones(channels, config.base_height, config.base_width))
        self.layer0 = SynthesisLayer(config, block, 0) if block else Epilogue(config, block)
        self.layer1 = SynthesisLayer(config, block, 1)
        self.torgb = Conv(channels, config.img_channels, 1, activation="linear", use_wscale=config.use_wscale)

    def forward(
        self,
        x: torch.Tensor | None,
        ws: Sequence[torch.Tensor],
        noises: Sequence[torch.Tensor | None],
        dtype: torch.dtype,
    ) -> torch.Tensor:
        """Returns the feature maps, float32 [N, C, H, W].

        Args:
            x: those of the block below; None for the first block.
            ws: w [N, w_dim] of both layers.
            noises: noise of both layers.
            dtype: type of the convolutions.
        """
        if x is None:
            const = self.const.expand(ws[0].shape[0], -1, -1, -1)
            x = const.contiguous(memory_format=torch.channels_last)
        else:
            x = x.to(dtype)
        y: torch.Tensor = self.layer0(x, ws[0], noises[0])
        return self.layer1(y.to(dtype), ws[1], noises[1])


class Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] to images [N, img_channels, H, W], float32, about [-1, 1]."""

    lod: torch.Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = torch.float32
        for block, name in enumerate(config.block_names):
            self.add_module(name, SynthesisBlock(config, block))
        self.num_ws = 2 * len(config.channels)
        self.register_buffer("lod", torch.zeros([]))

    @property
    def blocks(self) -> list[SynthesisBlock]:
        """The blocks, smallest first."""
        return [cast("SynthesisBlock", self.get_submodule(name)) for name in self.config.block_names]

    @property
    def noise_shapes(self) -> list[tuple[int, int]]:
        """(height, width) of each layer's noise, in the order of the layers."""
        config = self.config
        return [
            (config.base_height << layer // 2, config.base_width << layer // 2)
            for layer in range(self.num_ws)
        ]

    def forward(
        self,
        ws: torch.Tensor,
        noise_mode: NoiseMode = "const",
        noise: Sequence[torch.Tensor] | None = None,
        lod: float | None = None,
        image_size: ImageSize = "full",
    ) -> torch.Tensor:
        """Returns images, float32 [N, img_channels, H, W].

        Args:
            ws: one w a layer, float32 [N, num_ws, w_dim].
            noise_mode: "const" uses the stored noise, "random" draws anew, "none" uses no noise.
            noise: with "random", the draws to use: one [N, 1, h, w] for each of `noise_shapes`; those of
                layers that are not in use at `lod` may be left out.
            lod: 0 (full resolution) to `config.max_lod`; None: what `Generator.set_lod` set.
            image_size: "full" repeats the pixels of images with lod 1 or more until they have the full size,
                "native" does not.

        Raises:
            InputError: `ws` is not [N, num_ws, w_dim], the noise mode is unknown, `noise` has not one tensor
                for each layer, or `lod` is outside its range.
        """
        expected = [self.num_ws, self.config.mapping.w_dim]
        if ws.ndim != 3 or list(ws.shape[1:]) != expected:
            raise InputError(f"ws: expected shape [N, {expected[0]}, {expected[1]}], got {list(ws.shape)}.")
        if noise_mode not in ("const", "random", "none"):
            raise InputError(f"noise_mode: expected const, random or none, got {noise_mode!r}.")
        lod = float(self.lod) if lod is None else lod
        unused, share = split_lod(lod, self.config.max_lod)
        if noise is not None and len(noise) not in (self.num_ws, self.num_ws_in_use(lod)):
            raise InputError(f"noise: expected {self.num_ws} tensors, got {len(noise)}.")
        noises = self._noises(ws, noise_mode, noise, lod)
        blocks = self.blocks[: self.config.max_lod + 1 - unused]
        img = self._synthesize(blocks, 0, None, ws.to(torch.float32), noises, share)
        return nearest_upscale(img, 1 << unused if image_size == "full" else 1)

    def _synthesize(
        self,
        blocks: Sequence[SynthesisBlock],
        start: int,
        x: torch.Tensor | None,
        ws: torch.Tensor,
        noises: Sequence[torch.Tensor | None],
        share: float,
    ) -> torch.Tensor:
        """Returns images of the last block's size.

        Args:
            blocks: those in use.
            start: number of the blocks that are done.
            x: feature maps of the last of them; None at the beginning.
            ws: w of all layers.
            noises: of all layers.
            share: how much of the image of the last block but one is in the result.
        """
        below = None
        for index in range(start, len(blocks)):
            if _are_too_many(ws, blocks[index].map_bytes):
                half = len(ws) // 2
                images = []
                for rows in (slice(0, half), slice(half, None)):
                    parts = [part if part is None or part.ndim == 2 else part[rows] for part in noises]
                    maps = None if x is None else x[rows]
                    images.append(self._synthesize(blocks, index, maps, ws[rows], parts, share))
                return torch.cat(images)
            layers = slice(2 * index, 2 * index + 2)
            below = x
            x = blocks[index](x, ws[:, layers].unbind(dim=1), noises[layers], self.compute_dtype)
        img: torch.Tensor = blocks[-1].torgb(x)
        if share:
            img = img.lerp(nearest_upscale(blocks[-2].torgb(below), 2), share)
        return img.contiguous()

    def _noises(
        self, ws: torch.Tensor, noise_mode: NoiseMode, noise: Sequence[torch.Tensor] | None, lod: float
    ) -> list[torch.Tensor | None]:
        if noise_mode == "none" or not self.config.use_noise:
            return [None] * self.num_ws
        if noise_mode == "const":
            return [layer.noise_const for block in self.blocks for layer in (block.layer0, block.layer1)]
        if noise is not None:
            return list(noise)
        shapes = self.noise_shapes[: self.num_ws_in_use(lod)]
        return [torch.randn(len(ws), 1, h, w, device=ws.device) for h, w in shapes]

    def num_ws_in_use(self, lod: float) -> int:
        """Returns how many layers, from the coarsest, are computed at a lod."""
        return self.num_ws - 2 * split_lod(lod, self.config.max_lod)[0]


def _are_too_many(ws: torch.Tensor, map_bytes: int) -> bool:
    """Tells whether samples are better made in two halves; a recorded graph keeps them together."""
    if torch.is_grad_enabled() or torch.compiler.is_exporting():
        return False
    return len(ws) > 1 and len(ws) * map_bytes > _CHUNK_BYTES


class Generator(nn.Module):
    """The StyleGAN v1 generator: `mapping`, then `synthesis`.

    Example:
        >>> ws = generator.mapping(z, c, psi=0.7, cutoff=8)  # [N, num_ws, w_dim]
        >>> img = generator.synthesis(ws)                    # [N, img_channels, H, W]
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.synthesis = Synthesis(config)
        self.mapping = Mapping(config.mapping, num_ws=self.synthesis.num_ws)

    @property
    def num_ws(self) -> int:
        """Number of layers that take a w."""
        return self.synthesis.num_ws

    @property
    def lod(self) -> float:
        """Where growing stands: images have the detail of the full size halved so often."""
        return float(self.synthesis.lod)

    def set_lod(self, lod: float) -> None:
        """Sets where growing stands, which is saved with the weights.

        Raises:
            InputError: `lod` is outside 0 (full resolution) to `config.max_lod`.
        """
        split_lod(lod, self.config.max_lod)
        self.synthesis.lod.fill_(lod)

    def num_ws_in_use(self, lod: float) -> int:
        """Returns how many layers, from the coarsest, are computed at a lod."""
        return self.synthesis.num_ws_in_use(lod)

    def forward(
        self,
        z: torch.Tensor,
        c: torch.Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
    ) -> torch.Tensor:
        """Returns images, float32 [N, img_channels, H, W]; see `Mapping.forward` and `Synthesis.forward`."""
        return self.synthesis(self.mapping(z, c, psi, cutoff), noise_mode)

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """Chooses the type of the convolutions; parameters stay float32."""
        self.synthesis.compute_dtype = dtype
