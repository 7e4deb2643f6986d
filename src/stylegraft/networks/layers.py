"""The two layers every network here is made of, with equalised learning rate.

Weights are stored as N(0, 1) / lr_multiplier and scaled at run time by lr_multiplier / sqrt(fan_in), so that
Adam moves all of them at the same relative speed.

Source: Karras et al. 2018, "Progressive Growing of GANs", section 4.1; StyleGAN (2019), appendix C.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from stylegraft.ops.bias_act import ACTIVATIONS, bias_act
from stylegraft.ops.conv_resample import conv2d_resample
from stylegraft.ops.filters import setup_filter


class Dense(nn.Module):
    """A fully connected layer: [N, in_features] -> [N, out_features], float32.

    Args:
        in_features: input width.
        out_features: output width.
        activation: name in `ops.bias_act.ACTIVATIONS`.
        lr_multiplier: learning rate multiplier of weight and bias.
        bias_init: value of the bias at the start (1 for the layers that make styles).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], bias_init))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier
        self.act_gain = ACTIVATIONS[activation].gain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight * self.weight_gain
        bias = self.bias * self.bias_gain if self.bias_gain != 1 else self.bias
        if self.activation == "linear":
            return torch.addmm(bias, x, weight.t())
        # The gain comes last, as in the public files' code: w then agrees with theirs to the last bit or two.
        return bias_act(x @ weight.t(), bias, act=self.activation, gain=1.0) * self.act_gain


class Conv(nn.Module):
    """A convolution with bias, activation and optional x2 resampling: [N, I, H, W] -> [N, O, H', W'].

    Args:
        in_channels: input feature maps.
        out_channels: output feature maps.
        kernel_size: odd side of the kernel, px.
        bias: whether a bias is added.
        activation: name in `ops.bias_act.ACTIVATIONS`.
        up: factor of upsampling before the convolution.
        down: factor of downsampling after it.
        resample_filter: FIR taps of up and down.
        conv_clamp: outputs are clamped to +- conv_clamp * gain; None: off.
    """

    resample_filter: torch.Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: tuple[float, ...] | None = (1.0, 3.0, 3.0, 1.0),
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.up, self.down, self.padding = up, down, kernel_size // 2
        self.conv_clamp = conv_clamp
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.act_gain = ACTIVATIONS[activation].gain
        register_filter(self, resample_filter)

    def forward(self, x: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        """Returns activation(resample(conv(x)) + bias) * default gain * `gain`, in x's dtype."""
        x = conv2d_resample(
            x,
            self.weight,
            self.resample_filter,
            up=self.up,
            down=self.down,
            padding=self.padding,
            flip_weight=self.up == 1,
        )
        return bias_act(
            x,
            self.bias,
            act=self.activation,
            gain=self.act_gain * gain,
            clamp=None if self.conv_clamp is None else self.conv_clamp * gain,
            x_gain=self.weight_gain,
        )


def register_filter(module: nn.Module, taps: tuple[float, ...] | None) -> None:
    """Gives a module its FIR as the buffer `resample_filter`, which follows it to a device but is not saved.

    It is not saved because the config already holds the taps.
    """
    module.register_buffer("resample_filter", setup_filter(taps), persistent=False)
