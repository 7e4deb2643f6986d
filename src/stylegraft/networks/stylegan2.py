"""StyleGAN2: generator and discriminator, in the skip, resnet and orig architectures.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2 and figure 7.
Parameter names follow the public PyTorch files, so that reading one is a matter of copying.

The convolutions run in `compute_dtype` (bfloat16 halves the traffic and uses the matrix units); styles,
demodulation, the image and the discriminator's last block stay in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, cast

import torch
from torch import nn

from stylegraft.errors import InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.layers import Conv, Dense, register_filter
from stylegraft.networks.mapping import Mapping, checked_rows
from stylegraft.ops.bias_act import ACTIVATIONS
from stylegraft.ops.minibatch_std import minibatch_std
from stylegraft.ops.modulated_layer import modulated_layer, modulated_to_image
from stylegraft.ops.upfirdn import downsample2d, upsample2d

NoiseMode = Literal["const", "random", "none"]
_SQRT_HALF = math.sqrt(0.5)


class SynthesisLayer(nn.Module):
    """A modulated 3x3 convolution with noise, bias and activation, optionally doubling the size."""

    resample_filter: torch.Tensor | None
    noise_const: torch.Tensor

    def __init__(
        self, config: GeneratorConfig, in_channels: int, out_channels: int, block: int, up: int
    ) -> None:
        super().__init__()
        self.up, self.activation, self.conv_clamp = up, config.activation, config.conv_clamp
        self.height, self.width = config.base_height << block, config.base_width << block
        self.use_noise = config.use_noise
        self.act_gain = ACTIVATIONS[config.activation].gain
        self.affine = Dense(config.mapping.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        if self.use_noise:
            self.register_buffer("noise_const", torch.randn(self.height, self.width))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        register_filter(self, config.resample_filter)

    def forward(
        self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None, gain: float = 1.0
    ) -> torch.Tensor:
        """x [N, I, H, W], w [N, w_dim], noise [N, 1, H', W'] or [H', W'] or None -> [N, O, H', W']."""
        return modulated_layer(
            x,
            self.weight,
            self.affine(w),
            self.bias,
            noise=None if noise is None else noise * self.noise_strength,
            act=self.activation,
            gain=self.act_gain * gain,
            clamp=None if self.conv_clamp is None else self.conv_clamp * gain,
            up=self.up,
            padding=1,
            resample_filter=self.resample_filter,
            flip_weight=self.up == 1,
        )


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to image channels, without demodulation or noise."""

    def __init__(self, config: GeneratorConfig, in_channels: int) -> None:
        super().__init__()
        self.conv_clamp = config.conv_clamp
        self.affine = Dense(config.mapping.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """x [N, I, H, W], w [N, w_dim] -> float32 [N, img_channels, H, W]."""
        styles = self.affine(w) * self.weight_gain
        return modulated_to_image(x, self.weight, styles, self.bias, self.conv_clamp)


class SynthesisBlock(nn.Module):
    """All layers of one resolution; the first block starts from a learned constant."""

    resample_filter: torch.Tensor | None

    def __init__(self, config: GeneratorConfig, block: int) -> None:
        super().__init__()
        self.architecture = config.architecture
        self.is_first, is_last = block == 0, block == len(config.channels) - 1
        out_channels = config.channels[block]
        if self.is_first:
            self.const = nn.Parameter(torch.randn(out_channels, config.base_height, config.base_width))
        else:
            in_channels = config.channels[block - 1]
            self.conv0 = SynthesisLayer(config, in_channels, out_channels, block, up=2)
            if config.architecture == "resnet":
                self.skip = Conv(
                    in_channels, out_channels, 1, bias=False, up=2, resample_filter=config.resample_filter
                )
        self.conv1 = SynthesisLayer(config, out_channels, out_channels, block, up=1)
        self.num_conv = 1 if self.is_first else 2
        self.has_torgb = is_last or config.architecture in ("skip", "progressive")
        if self.has_torgb:
            self.torgb = ToRGB(config, out_channels)
        register_filter(self, config.resample_filter)

    @property
    def layers(self) -> list[SynthesisLayer]:
        """The convolution layers in order."""
        return [self.conv1] if self.is_first else [self.conv0, self.conv1]

    def forward(
        self,
        x: torch.Tensor | None,
        img: torch.Tensor | None,
        ws: Sequence[torch.Tensor],
        noises: Iterator[torch.Tensor | None],
        dtype: torch.dtype,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Returns the feature maps [N, O, H, W] in `dtype` and the image so far, float32 or None.

        Args:
            x: the block below's feature maps; None for the first block.
            img: the block below's image, or None.
            ws: w [N, w_dim] of each convolution here and of ToRGB.
            noises: gives each layer its noise.
            dtype: type of the convolutions.
        """
        x = self.features(x, ws, noises, dtype)
        if img is not None:
            img = upsample2d(img, self.resample_filter)
        if self.has_torgb:
            rgb = self.torgb(x, ws[self.num_conv])
            img = rgb if img is None else img + rgb
        return x, img

    def features(
        self,
        x: torch.Tensor | None,
        ws: Sequence[torch.Tensor],
        noises: Iterator[torch.Tensor | None],
        dtype: torch.dtype,
    ) -> torch.Tensor:
        """Returns the feature maps alone; arguments as in `forward`."""
        if self.is_first:
            x = self.const.to(dtype).expand(ws[0].shape[0], -1, -1, -1)
            if dtype == torch.bfloat16:
                x = x.contiguous(memory_format=torch.channels_last)
            x = self.conv1(x, ws[0], next(noises))
        elif self.architecture == "resnet":
            assert x is not None
            y = self.skip(x, gain=_SQRT_HALF)
            x = self.conv0(x, ws[0], next(noises))
            x = y + self.conv1(x, ws[1], next(noises), gain=_SQRT_HALF)
        else:
            assert x is not None
            x = self.conv0(x, ws[0], next(noises))
            x = self.conv1(x, ws[1], next(noises))
        assert x is not None
        return x


class Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] to images [N, img_channels, H, W], float32, about [-1, 1]."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = torch.float32
        for block, name in enumerate(config.block_names):
            self.add_module(name, SynthesisBlock(config, block))
        self.num_ws = sum(block.num_conv for block in self.blocks) + 1  # the last ToRGB has a w of its own

    @property
    def blocks(self) -> list[SynthesisBlock]:
        """The blocks, smallest first."""
        return [cast("SynthesisBlock", self.get_submodule(name)) for name in self.config.block_names]

    @property
    def noise_shapes(self) -> list[tuple[int, int]]:
        """(height, width) of each layer's noise, in the order of the layers."""
        return [(layer.height, layer.width) for block in self.blocks for layer in block.layers]

    def forward(
        self,
        ws: torch.Tensor,
        noise_mode: NoiseMode = "const",
        noise: Sequence[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Returns images, float32 [N, img_channels, H, W].

        Args:
            ws: one w a layer, float32 [N, num_ws, w_dim].
            noise_mode: "const" uses the stored noise, "random" draws anew, "none" uses no noise.
            noise: with "random", the draws to use: one [N, 1, h, w] for each of `noise_shapes`.

        Raises:
            InputError: `ws` is not [N, num_ws, w_dim], the noise mode is unknown, or `noise` has not one
                tensor for each layer.
        """
        w_of_layer, noises = self.checked(ws, noise_mode, noise)
        x = img = None
        first = 0
        for block in self.blocks:
            block_ws = w_of_layer[first : first + block.num_conv + block.has_torgb]
            x, img = block(x, img, block_ws, noises, self.compute_dtype)
            first += block.num_conv
        assert img is not None
        return img

    def checked(
        self, ws: torch.Tensor, noise_mode: NoiseMode, noise: Sequence[torch.Tensor] | None
    ) -> tuple[tuple[torch.Tensor, ...], Iterator[torch.Tensor | None]]:
        """Returns the w [N, w_dim] and the noise of each layer; arguments and errors as in `forward`."""
        expected = [self.num_ws, self.config.mapping.w_dim]
        if ws.ndim != 3 or list(ws.shape[1:]) != expected:
            raise InputError(f"ws: expected shape [N, {expected[0]}, {expected[1]}], got {list(ws.shape)}.")
        if noise_mode not in ("const", "random", "none"):
            raise InputError(f"noise_mode: expected const, random or none, got {noise_mode!r}.")
        if noise is not None and len(noise) != len(self.noise_shapes):
            raise InputError(f"noise: expected {len(self.noise_shapes)} tensors, got {len(noise)}.")
        return ws.to(torch.float32).unbind(dim=1), self._noises(ws, noise_mode, noise)

    def _noises(
        self, ws: torch.Tensor, noise_mode: NoiseMode, noise: Sequence[torch.Tensor] | None
    ) -> Iterator[torch.Tensor | None]:
        layers = [layer for block in self.blocks for layer in block.layers]
        for index, layer in enumerate(layers):
            if noise_mode == "none" or not layer.use_noise:
                yield None
            elif noise_mode == "const":
                yield layer.noise_const
            elif noise is not None:
                yield noise[index]
            else:
                yield torch.randn(len(ws), 1, layer.height, layer.width, device=ws.device)


class Generator(nn.Module):
    """The StyleGAN2 generator: `mapping`, then `synthesis`.

    Example:
        >>> ws = generator.mapping(z, c, psi=0.7)         # [N, num_ws, w_dim]
        >>> img = generator.synthesis(ws)                 # [N, img_channels, H, W]
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.synthesis = self.make_synthesis(config)
        self.mapping = Mapping(config.mapping, num_ws=self.synthesis.num_ws)

    @staticmethod
    def make_synthesis(config: GeneratorConfig) -> Synthesis:
        """Returns the synthesis network; a generator that grows has another one."""
        return Synthesis(config)

    @property
    def num_ws(self) -> int:
        """Number of layers that take a w."""
        return self.synthesis.num_ws

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


class DiscriminatorBlock(nn.Module):
    """One resolution of the discriminator; halves the size."""

    resample_filter: torch.Tensor | None

    def __init__(self, config: DiscriminatorConfig, block: int) -> None:
        super().__init__()
        self.architecture = config.architecture
        channels, out_channels = config.channels[block], config.channels[block - 1]
        taps, clamp, act = config.resample_filter, config.conv_clamp, config.activation
        if block == len(config.channels) - 1 or config.architecture in ("skip", "progressive"):
            self.fromrgb = Conv(config.img_channels, channels, 1, activation=act, conv_clamp=clamp)
        self.conv0 = Conv(channels, channels, 3, activation=act, conv_clamp=clamp)
        self.conv1 = Conv(
            channels, out_channels, 3, activation=act, down=2, resample_filter=taps, conv_clamp=clamp
        )
        if config.architecture == "resnet":
            self.skip = Conv(channels, out_channels, 1, bias=False, down=2, resample_filter=taps)
        register_filter(self, taps)

    def forward(
        self, x: torch.Tensor | None, img: torch.Tensor | None, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Returns feature maps [N, O, H/2, W/2] in `dtype`, and the image if the next block needs it."""
        if img is not None:
            y = self.fromrgb(img.to(dtype))
            x = y if x is None else x + y
            img = downsample2d(img, self.resample_filter) if self.architecture == "skip" else None
        assert x is not None
        y: torch.Tensor = self.conv0(x)
        if self.architecture == "resnet":
            y = self.skip(x, gain=_SQRT_HALF) + self.conv1(y, gain=_SQRT_HALF)
        else:
            y = self.conv1(y)
        return y, img


class DiscriminatorEpilogue(nn.Module):
    """The last block: minibatch standard deviation, convolution, two dense layers; float32."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.group_size, self.num_std = config.mbstd_group_size, config.mbstd_num_channels
        channels, act = config.channels[0], config.activation
        if config.architecture in ("skip", "progressive"):
            self.fromrgb = Conv(config.img_channels, channels, 1, activation=act)
        self.conv = Conv(channels + self.num_std, channels, 3, activation=act, conv_clamp=config.conv_clamp)
        fc_features = config.fc_features or channels
        self.fc = Dense(channels * config.base_height * config.base_width, fc_features, activation=act)
        self.out = Dense(fc_features, config.mapping.w_dim if config.mapping else config.class_outputs or 1)
        # Projection onto the label (Miyato and Koyama 2018), scaled to unit variance if it is a mapped one.
        self.label_gain = 1 / math.sqrt(config.mapping.w_dim) if config.mapping else 1.0

    def forward(self, x: torch.Tensor, img: torch.Tensor | None, label: torch.Tensor | None) -> torch.Tensor:
        """x [N, C, h, w], label [N, outputs] or None -> logits [N, 1]."""
        x = x.to(torch.float32)
        if img is not None:
            x = x + self.fromrgb(img)
        if self.num_std:
            x = minibatch_std(x, self.group_size, self.num_std)
        x = self.conv(x)
        x = self.out(self.fc(x.flatten(1)))
        if label is not None:
            x = (x * label).sum(dim=1, keepdim=True) * self.label_gain
        return x


class Discriminator(nn.Module):
    """Images [N, img_channels, H, W] and labels [N, c_dim] to logits [N, 1], float32."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = torch.float32
        *names, self._last = reversed(config.block_names)
        for name, block in zip(names, range(len(names), 0, -1)):
            self.add_module(name, DiscriminatorBlock(config, block))
        self.add_module(self._last, DiscriminatorEpilogue(config))
        if config.mapping is not None:
            self.mapping = Mapping(config.mapping, num_ws=None)

    def forward(self, img: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        """Returns logits [N, 1], float32; positive means "looks real".

        Raises:
            InputError: the images or labels have another shape than the network's.
        """
        label = self.checked_label(img, c)
        x, rgb = None, img.to(torch.float32)
        for name in reversed(self.config.block_names[1:]):
            x, rgb = self.get_submodule(name)(x, rgb, self.compute_dtype)
        return self.get_submodule(self._last)(x, rgb, label)

    def checked_label(self, img: torch.Tensor, c: torch.Tensor | None) -> torch.Tensor | None:
        """Returns what the scores are multiplied by, [N, outputs] or None; errors as in `forward`."""
        config = self.config
        expected = [config.img_channels, config.img_height, config.img_width]
        if img.ndim != 4 or list(img.shape[1:]) != expected:
            raise InputError(
                f"img: expected shape [N, {', '.join(map(str, expected))}], got {list(img.shape)}."
            )
        if config.c_dim and c is not None and len(c) != len(img):
            raise InputError(f"c: expected one row for each of the {len(img)} images, got {len(c)}.")
        if config.mapping is not None:
            return self.mapping(None, c)
        return checked_rows("c", c, config.class_outputs) if config.class_outputs else None

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """Chooses the type of the convolutions above the last block; parameters stay float32."""
        self.compute_dtype = dtype
