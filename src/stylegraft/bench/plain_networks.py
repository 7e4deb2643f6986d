"""StyleGAN2 written straight from the paper, in fp32 and eager torch: the networks of the yardstick.

Nothing of the project's `ops` or `networks` is used here, because what they gain is measured against this.
Modulated weights are made for each sample and applied as one convolution of N groups; "up" inserts zeros and
filters, "down" filters and takes each second pixel in the convolution that follows. Where the paper leaves
the order free, the cheaper one is taken (the 1x1 skip runs after its downsampling).

The tensors have the names and shapes of the published PyTorch networks, so that weights can be exchanged
with the project's networks and the images compared.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", figure 2 (c) and
equations 1 to 3 (modulated convolution), figure 7 (skip generator, residual discriminator); Karras et al.
2018, "Progressive Growing of GANs", sections 3 (minibatch standard deviation) and 4.1 (equalised rate).
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SQRT2 = math.sqrt(2)


def fir_kernel() -> Tensor:
    """Returns the [1, 3, 3, 1] low-pass filter as a float32 [4, 4] kernel that sums to 1."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def fir(x: Tensor, kernel: Tensor, pad: tuple[int, int], gain: float = 1.0, stride: int = 1) -> Tensor:
    """Filters each channel with `kernel`, as one convolution whose groups are the channels.

    Args:
        x: [N, C, H, W].
        kernel: [4, 4].
        pad: zeros added before and after, on both axes.
        gain: factor of the result.
        stride: 2 keeps each second pixel of each second row.
    """
    channels = x.shape[1]
    weight = (kernel * gain).expand(channels, 1, *kernel.shape)
    return F.conv2d(F.pad(x, [*pad, *pad]), weight, stride=stride, groups=channels)


def upsample(x: Tensor, kernel: Tensor, margin: int = 0) -> Tensor:
    """Doubles height and width: zeros between the pixels, then the FIR with gain 4.

    Args:
        x: [N, C, H, W].
        kernel: [4, 4].
        margin: pixels around the result that are kept as well.

    Returns:
        [N, C, 2H + 2 margin, 2W + 2 margin].
    """
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, 1, 0, 0, 0, 1]).reshape(n, c, 2 * h, 2 * w)
    return fir(x, kernel, pad=(2 + margin, 1 + margin), gain=4)


def modulated_conv(
    x: Tensor, weight: Tensor, styles: Tensor, kernel: Tensor, up: bool = False, demodulate: bool = True
) -> Tensor:
    """Convolves each sample with weights of its own (equations 1 to 3), as one convolution of N groups.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k].
        styles: [N, I], factor of each input channel.
        kernel: [4, 4] FIR, used when `up`.
        up: double the size before the convolution.
        demodulate: scale each output channel of each sample to unit weight norm.

    Returns:
        [N, O, H, W], or [N, O, 2H, 2W] when `up`.
    """
    n, c_in, h, w = x.shape
    c_out, _, k, _ = weight.shape
    weights = weight[None] * styles[:, None, :, None, None]  # [N, O, I, k, k]
    if demodulate:
        norm = (weights.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt()
        weights = weights * norm[:, :, None, None, None]
    padding = k // 2
    if up:
        # The convolution takes its border from the filtered image instead of padding it anew, and the
        # published up-layers hold their kernels as a transposed convolution would use them.
        x = upsample(x, kernel, margin=padding)
        weights = weights.flip([3, 4])
        h, w, padding = 2 * h, 2 * w, 0
    x = x.reshape(1, n * c_in, *x.shape[2:])
    x = F.conv2d(x, weights.reshape(n * c_out, c_in, k, k), padding=padding, groups=n)
    return x.reshape(n, c_out, h, w)


class Dense(nn.Module):
    """A dense layer with equalised learning rate, leaky ReLU 0.2 (gain sqrt 2) after it if asked for."""

    def __init__(self, inputs: int, outputs: int, act: bool = False, lr_mul: float = 1.0, bias: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_mul)
        self.bias = nn.Parameter(torch.full([outputs], bias))
        self.act = act
        self.lr_mul = lr_mul
        self.gain = lr_mul / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [N, inputs] to [N, outputs]."""
        x = F.linear(x, self.weight * self.gain, self.bias * self.lr_mul)
        return F.leaky_relu(x, 0.2) * SQRT2 if self.act else x


class Mapping(nn.Module):
    """z [N, z_dim] to w [N, w_dim]; keeps the running mean of w that truncation needs."""

    w_avg: Tensor

    def __init__(self, z_dim: int, w_dim: int, num_layers: int):
        super().__init__()
        for index in range(num_layers):
            self.add_module(f"fc{index}", Dense(w_dim if index else z_dim, w_dim, act=True, lr_mul=0.01))
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, update_average: bool = False) -> Tensor:
        """Maps z [N, z_dim] to w [N, w_dim]; moves w_avg by 0.5 % if asked to."""
        w = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.children():
            w = layer(w)
        if update_average:
            self.w_avg.copy_(w.detach().mean(dim=0).lerp(self.w_avg, 0.995))
        return w


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, c_in: int, c_out: int, w_dim: int, side: int, up: bool):
        super().__init__()
        self.affine = Dense(w_dim, c_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(c_out, c_in, 3, 3))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.register_buffer("noise_const", torch.randn(side, side))
        self.register_buffer("resample_filter", fir_kernel())
        self.up = up

    def forward(self, x: Tensor, w: Tensor, random_noise: bool) -> Tensor:
        """Maps x [N, c_in, H, W] and w [N, w_dim] to [N, c_out, side, side]."""
        x = modulated_conv(x, self.weight, self.affine(w), self.resample_filter, up=self.up)
        noise = torch.randn(x.shape[0], 1, *x.shape[2:]) if random_noise else self.noise_const
        x = x + noise * self.noise_strength
        return F.leaky_relu(x + self.bias[:, None, None], 0.2) * SQRT2


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, c_in: int, w_dim: int):
        super().__init__()
        self.affine = Dense(w_dim, c_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, c_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.gain = 1 / math.sqrt(c_in)

    def forward(self, x: Tensor, w: Tensor, kernel: Tensor) -> Tensor:
        """Maps x [N, c_in, H, W] and w [N, w_dim] to colours [N, 3, H, W]."""
        x = modulated_conv(x, self.weight, self.affine(w) * self.gain, kernel, demodulate=False)
        return x + self.bias[:, None, None]


class SynthesisBlock(nn.Module):
    """One resolution of the skip generator."""

    resample_filter: Tensor

    def __init__(self, c_in: int, c_out: int, w_dim: int, side: int):
        super().__init__()
        self.register_buffer("resample_filter", fir_kernel())
        self.is_first = c_in == 0
        if self.is_first:
            self.const = nn.Parameter(torch.randn(c_out, side, side))
        else:
            self.conv0 = SynthesisLayer(c_in, c_out, w_dim, side, up=True)
        self.conv1 = SynthesisLayer(c_out, c_out, w_dim, side, up=False)
        self.torgb = ToRGB(c_out, w_dim)

    def forward(
        self, x: Tensor | None, img: Tensor | None, ws: list[Tensor], random_noise: bool
    ) -> tuple[Tensor, Tensor]:
        """Goes one resolution up.

        Args:
            x: [N, c_in, side/2, side/2]; None in the first block.
            img: [N, 3, side/2, side/2]; None in the first block.
            ws: the w of each convolution and of ToRGB.
            random_noise: fresh noise instead of the stored one.
        """
        if x is None:
            x = self.const.expand(len(ws[0]), -1, -1, -1)
        else:
            x = cast(Tensor, self.conv0(x, ws[0], random_noise))
        x = cast(Tensor, self.conv1(x, ws[-2], random_noise))
        rgb = self.torgb(x, ws[-1], self.resample_filter)
        return x, rgb if img is None else upsample(img, self.resample_filter) + rgb


class Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] to images [N, 3, side, side]."""

    def __init__(self, channels: tuple[int, ...], w_dim: int):
        super().__init__()
        for index, c_out in enumerate(channels):
            c_in = channels[index - 1] if index else 0
            side = 4 << index
            self.add_module(f"b{side}", SynthesisBlock(c_in, c_out, w_dim, side))
        self.num_ws = 2 * len(channels)

    def forward(self, ws: Tensor, random_noise: bool = True) -> Tensor:
        """Maps ws [N, num_ws, w_dim] to images [N, 3, side, side], about [-1, 1]."""
        each = list(ws.unbind(dim=1))
        x = img = None
        position = 0
        for block in self.children():
            # ToRGB of a block shares its w with the first convolution of the next one.
            count = 2 if position == 0 else 3
            x, img = block(x, img, each[position : position + count], random_noise)
            position += count - 1
        return cast(Tensor, img)


class PlainGenerator(nn.Module):
    """The skip generator for square images.

    Args:
        channels: feature maps of each block, from 4x4 upwards.
        z_dim: size of z.
        w_dim: size of w.
        mapping_layers: dense layers of the mapping network.
    """

    def __init__(self, channels: tuple[int, ...], z_dim: int, w_dim: int, mapping_layers: int):
        super().__init__()
        self.mapping = Mapping(z_dim, w_dim, mapping_layers)
        self.synthesis = Synthesis(channels, w_dim)

    @property
    def num_ws(self) -> int:
        """How many w vectors an image takes."""
        return self.synthesis.num_ws


class Conv(nn.Module):
    """A convolution of the discriminator with equalised learning rate; `down` halves the size."""

    resample_filter: Tensor

    def __init__(self, c_in: int, c_out: int, k: int, down: bool = False, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, k, k))
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None
        self.register_buffer("resample_filter", fir_kernel())
        self.gain = 1 / math.sqrt(c_in * k * k)
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [N, c_in, H, W] to [N, c_out, H, W], or half the size."""
        weight = self.weight * self.gain
        k = weight.shape[2]
        if not self.down:
            x = F.conv2d(x, weight, padding=k // 2)
        elif k == 1:
            x = F.conv2d(fir(x, self.resample_filter, pad=(1, 1), stride=2), weight)
        else:
            x = F.conv2d(fir(x, self.resample_filter, pad=(2, 2)), weight, stride=2)
        return x if self.bias is None else F.leaky_relu(x + self.bias[:, None, None], 0.2) * SQRT2


class DiscriminatorBlock(nn.Module):
    """One resolution of the residual discriminator."""

    def __init__(self, c_in: int, c_out: int, from_rgb: bool):
        super().__init__()
        if from_rgb:
            self.fromrgb = Conv(3, c_in, 1)
        self.from_rgb = from_rgb
        self.conv0 = Conv(c_in, c_in, 3)
        self.conv1 = Conv(c_in, c_out, 3, down=True)
        self.skip = Conv(c_in, c_out, 1, down=True, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [N, c_in, H, W], in the first block an image, to [N, c_out, H/2, W/2]."""
        if self.from_rgb:
            x = self.fromrgb(x)
        return (self.skip(x) + self.conv1(self.conv0(x))) * math.sqrt(0.5)


class DiscriminatorEnd(nn.Module):
    """Minibatch standard deviation, a convolution and two dense layers."""

    def __init__(self, c_in: int, group_size: int):
        super().__init__()
        self.conv = Conv(c_in + 1, c_in, 3)
        self.fc = Dense(c_in * 16, c_in, act=True)
        self.out = Dense(c_in, 1)
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [N, c_in, 4, 4] to logits [N, 1]."""
        n, c, h, w = x.shape
        group = min(self.group_size, n)
        y = x.reshape(group, n // group, c, h, w)
        y = (y - y.mean(dim=0)).square().mean(dim=0)
        y = (y + 1e-8).sqrt().mean(dim=[1, 2, 3])  # [N / group]
        y = y.repeat(group)[:, None, None, None].expand(n, 1, h, w)
        x = self.conv(torch.cat([x, y], dim=1))
        return self.out(self.fc(x.flatten(1)))


class PlainDiscriminator(nn.Module):
    """The residual discriminator for square images: [N, 3, side, side] to logits [N, 1].

    Args:
        channels: feature maps of each block, from 4x4 upwards.
        mbstd_group: samples in a group of the minibatch standard deviation.
    """

    def __init__(self, channels: tuple[int, ...], mbstd_group: int):
        super().__init__()
        for index in range(len(channels) - 1, 0, -1):
            block = DiscriminatorBlock(channels[index], channels[index - 1], index == len(channels) - 1)
            self.add_module(f"b{4 << index}", block)
        self.b4 = DiscriminatorEnd(channels[0], mbstd_group)

    def forward(self, img: Tensor) -> Tensor:
        """Maps img [N, 3, side, side] to logits [N, 1]; positive means real."""
        for block in self.children():
            img = block(img)
        return img
