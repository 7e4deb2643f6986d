"""The layers of StyleGAN v1, with equalised learning rate.

The gain of a weight, sqrt(2) / sqrt(fan_in) before an activation, is applied at run time; no gain follows the
activation.

Source: Karras et al. 2018, "Progressive Growing of GANs", section 4.1; StyleGAN (2019), appendix C.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from stylegraft.networks.stylegan1.resample import Resample
from stylegraft.ops.bias_act import bias_act


def equalized_weight(
    shape: tuple[int, ...], activation: str, use_wscale: bool, lr_multiplier: float = 1.0
) -> tuple[nn.Parameter, float]:
    """Returns a new weight and its gain at run time.

    Args:
        shape: of the weight, the outputs first.
        activation: what follows: "lrelu", "relu" or "linear".
        use_wscale: the gain is applied at run time; else once, to the initial values.
        lr_multiplier: learning rate multiplier.
    """
    he_std = (1.0 if activation == "linear" else math.sqrt(2.0)) / math.sqrt(math.prod(shape[1:]))
    init_std, gain = (1.0, he_std) if use_wscale else (he_std, 1.0)
    return nn.Parameter(torch.randn(shape) * (init_std / lr_multiplier)), gain * lr_multiplier


class Dense(nn.Module):
    """A fully connected layer: [N, in_features] -> [N, out_features], float32.

    Args:
        in_features: input width.
        out_features: output width.
        activation: "lrelu", "relu" or "linear".
        lr_multiplier: learning rate multiplier of weight and bias.
        use_wscale: equalised learning rate.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        use_wscale: bool = True,
    ) -> None:
        super().__init__()
        self.activation = activation
        shape = (out_features, in_features)
        self.weight, self.weight_gain = equalized_weight(shape, activation, use_wscale, lr_multiplier)
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.bias_gain = lr_multiplier

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x @ (self.weight * self.weight_gain).t()
        return bias_act(x, self.bias * self.bias_gain, act=self.activation, gain=1.0)


class Conv(nn.Module):
    """A convolution that keeps the size, or halves it: [N, I, H, W] -> [N, O, H', W'] in the input's type.

    Args:
        in_channels: input feature maps.
        out_channels: output feature maps.
        kernel_size: odd side of the kernel, px; 3 where it halves the size.
        activation: "lrelu", "relu" or "linear".
        use_wscale: equalised learning rate.
        resample: halves the size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        activation: str,
        use_wscale: bool = True,
        resample: Resample | None = None,
    ) -> None:
        super().__init__()
        self.activation, self.padding, self.resample = activation, kernel_size // 2, resample
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight, self.weight_gain = equalized_weight(shape, activation, use_wscale)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight.to(x.dtype)
        if self.resample is None:
            x = F.conv2d(x, weight, padding=self.padding)
        else:
            x = self.resample.conv_down(x, weight)
        return bias_act(x, self.bias, act=self.activation, gain=1.0, x_gain=self.weight_gain)
