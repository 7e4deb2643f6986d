"""What follows each convolution of the generator: noise, bias, activation, normalisation, style.

Everything up to the normalisation is homogeneous, so the convolution's gain g need not be multiplied in: with
bias and noise strength divided by g, all activations are smaller by g, and the last factor makes up for it.
So vectors are multiplied and not feature maps, each pass over which is a trip to memory.

Source: StyleGAN (Karras et al. 2019), figure 1b and section 2; AdaIN: Huang and Belongie 2017, equation 8.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from stylegraft.networks.stylegan1.config import GeneratorConfig
from stylegraft.networks.stylegan1.layers import Dense

_EPS = 1e-8
_SQUARES_AT_A_TIME = 1 << 18


class Epilogue(nn.Module):
    """A layer without a convolution: noise, bias, activation, normalisation and style of feature maps.

    Args:
        config: which of them there are.
        block: the block of the layer, which decides the size.
    """

    noise_const: torch.Tensor

    def __init__(self, config: GeneratorConfig, block: int) -> None:
        super().__init__()
        channels = config.channels[block]
        self.activation = config.activation
        self.height, self.width = config.base_height << block, config.base_width << block
        self.use_noise = config.use_noise
        self.use_pixel_norm, self.use_instance_norm = config.use_pixel_norm, config.use_instance_norm
        self.bias = nn.Parameter(torch.zeros(channels))
        if config.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros(channels))
            self.register_buffer("noise_const", torch.randn(self.height, self.width))
        self.affine = None
        if config.use_styles:
            self.affine = Dense(config.mapping.w_dim, 2 * channels, use_wscale=config.use_wscale)

    def convolve(self, x: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Returns new feature maps of the layer's size, and the factor that they lack yet."""
        return x.clone(), 1.0

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Returns float32 [N, C, H, W].

        Args:
            x: feature maps; the convolution runs in their type.
            w: [N, w_dim].
            noise: [N, 1, H, W] or [H, W], or None.
        """
        x, gain = self.convolve(x)
        x = x.to(torch.float32).add_((self.bias / gain)[:, None, None])
        if noise is not None:
            x = x.addcmul_(noise, (self.noise_strength / gain)[:, None, None])
        x = F.relu_(x) if self.activation == "relu" else F.leaky_relu_(x, 0.2)
        if self.use_pixel_norm:
            x = x * (x.square().mean(dim=1, keepdim=True) + _EPS / gain**2).rsqrt()
            gain = 1.0
        if self.use_instance_norm:
            x, factor = _centre(x, _EPS / gain**2)
        else:
            factor = torch.full([1, 1, 1, 1], gain, device=x.device)
        if self.affine is None:
            return x * factor
        scale, shift = self.affine(w)[:, :, None, None].chunk(2, dim=1)  # [N, C, 1, 1] each
        factor = factor * (scale + 1)
        if _is_free(x, factor, shift):
            return torch.addcmul(shift, x, factor, out=x)
        return torch.addcmul(shift, x, factor)


def _centre(x: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns x minus the mean of each feature map, and 1 / sqrt(variance + eps), [N, C, 1, 1]."""
    # Tensor.var takes many times as long over the last axes; a sum of centred squares is as accurate.
    mean = x.mean(dim=(2, 3), keepdim=True)
    x = x.sub_(mean) if _is_free(x) else x - mean
    return x, (_mean_square(x) + eps).rsqrt()


def _mean_square(x: torch.Tensor) -> torch.Tensor:
    """Returns the mean of the squares of each feature map, [N, C, 1, 1]."""
    if not _is_free(x):
        return x.square().mean(dim=(2, 3), keepdim=True)
    # The squares of some rows at a time stay in the caches.
    rows = max(_SQUARES_AT_A_TIME // x[:, :, 0].numel(), 1)
    sums = [part.square().sum(dim=(2, 3), keepdim=True) for part in x.split(rows, dim=2)]
    return torch.stack(sums).sum(dim=0) / (x.shape[2] * x.shape[3])


def _is_free(*tensors: torch.Tensor) -> bool:
    """Tells whether the first may be overwritten by a result of all: nobody records a gradient or a graph."""
    if torch.compiler.is_exporting():
        return False
    return not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
