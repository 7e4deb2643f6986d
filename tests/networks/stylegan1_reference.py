"""StyleGAN v1 by the letter: each operation as the paper has it, one after the other, in any float type."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from stylegraft.networks.stylegan1.config import DiscriminatorConfig, GeneratorConfig

State = dict[str, torch.Tensor]
_GAIN = math.sqrt(2.0)


def map_latents(
    config: GeneratorConfig, state: State, z: torch.Tensor, c: torch.Tensor | None
) -> torch.Tensor:
    """w [N, w_dim]."""
    mapping = config.mapping
    x = z if c is None else torch.cat([z, c @ state["mapping.label_weight"]], dim=1)
    if mapping.normalize_latents:
        x = x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for index in range(mapping.num_layers):
        weight, bias = state[f"mapping.fc{index}.weight"], state[f"mapping.fc{index}.bias"]
        gain = _GAIN / math.sqrt(weight.shape[1]) if mapping.use_wscale else 1.0
        x = x @ (weight * mapping.lr_multiplier * gain).t() + bias * mapping.lr_multiplier
        x = x.relu() if mapping.activation == "relu" else F.leaky_relu(x, 0.2)
    return x


def synthesize(
    config: GeneratorConfig, state: State, ws: torch.Tensor, lod: float = 0.0, use_noise: bool = True
) -> torch.Tensor:
    """Images [N, C, H, W] with the stored noise or none; `state` and `ws` decide the type."""
    x = img = None
    for block, name in enumerate(config.block_names):
        block_state = _below(state, f"synthesis.{name}")
        for index in (0, 1):
            layer = _below(block_state, f"layer{index}")
            if block == 0 and index == 0:
                x = block_state["const"].repeat(len(ws), 1, 1, 1)
            elif index == 0:
                x = _up(config, block, x, _scaled(config, layer["weight"], _GAIN))
            else:
                x = F.conv2d(x, _scaled(config, layer["weight"], _GAIN), padding=1)
            x = _epilogue(config, layer, x, ws[:, 2 * block + index], use_noise)
        rgb = F.conv2d(x, _scaled(config, block_state["torgb.weight"], 1.0), block_state["torgb.bias"])
        # The share of the image below falls from 1 to 0 while this block fades in.
        share = min(max(lod - (config.max_lod - block), 0.0), 1.0)
        img = rgb if img is None else rgb.lerp(_nearest(img), share)
    assert img is not None
    return img


def judge(
    config: DiscriminatorConfig, state: State, img: torch.Tensor, c: torch.Tensor | None, lod: float = 0.0
) -> torch.Tensor:
    """Logits [N, 1]."""

    def act(x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        x = x + (bias[:, None, None] if x.ndim == 4 else bias)
        return x.relu() if config.activation == "relu" else F.leaky_relu(x, 0.2)

    def from_rgb(name: str, img: torch.Tensor) -> torch.Tensor:
        weight = _scaled(config, state[f"{name}.fromrgb.weight"], _GAIN)
        return act(F.conv2d(img, weight), state[f"{name}.fromrgb.bias"])

    x = from_rgb(config.block_names[-1], img)
    for block in range(config.max_lod, 0, -1):
        layers = _below(state, config.block_names[block])
        x = F.conv2d(x, _scaled(config, layers["conv0.weight"], _GAIN), padding=1)
        x = _blur(config, act(x, layers["conv0.bias"]))
        x = F.conv2d(x, _scaled(config, layers["conv1.weight"], _GAIN), padding=1)
        x = act(F.avg_pool2d(x, 2), layers["conv1.bias"])
        img = F.avg_pool2d(img, 2)
        share = min(max(lod - (config.max_lod - block), 0.0), 1.0)
        x = x.lerp(from_rgb(config.block_names[block - 1], img), share)
    layers = _below(state, config.block_names[0])
    if config.mbstd_num_channels:
        x = torch.cat([x, _spread(config, x)], dim=1)
    x = act(F.conv2d(x, _scaled(config, layers["conv.weight"], _GAIN), padding=1), layers["conv.bias"])
    x = act(x.flatten(1) @ _scaled(config, layers["fc.weight"], _GAIN).t(), layers["fc.bias"])
    x = x @ _scaled(config, layers["out.weight"], 1.0).t() + layers["out.bias"]
    return x if c is None else (x * c).sum(dim=1, keepdim=True)


def fused_kernel(weight: torch.Tensor) -> torch.Tensor:
    """[O, I, 3, 3] to [O, I, 4, 4]: the sum over the four shifts by a pixel."""
    return (
        F.pad(weight, (1, 0, 1, 0))
        + F.pad(weight, (0, 1, 1, 0))
        + F.pad(weight, (1, 0, 0, 1))
        + F.pad(weight, (0, 1, 0, 1))
    )


def _up(config: GeneratorConfig, block: int, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    if config.is_fused(block):
        x = F.conv_transpose2d(x, fused_kernel(weight).transpose(0, 1), stride=2, padding=1)
    else:
        x = F.conv2d(_nearest(x), weight, padding=1)
    return _blur(config, x)


def _epilogue(
    config: GeneratorConfig, layer: State, x: torch.Tensor, w: torch.Tensor, use_noise: bool
) -> torch.Tensor:
    if config.use_noise and use_noise:
        x = x + layer["noise_const"] * layer["noise_strength"][:, None, None]
    x = x + layer["bias"][:, None, None]
    x = x.relu() if config.activation == "relu" else F.leaky_relu(x, 0.2)
    if config.use_pixel_norm:
        x = x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    if config.use_instance_norm:
        variance, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        x = (x - mean) / (variance + 1e-8).sqrt()
    if config.use_styles:
        style = w @ _scaled(config, layer["affine.weight"], 1.0).t() + layer["affine.bias"]
        scale, shift = style[:, :, None, None].chunk(2, dim=1)
        x = x * (scale + 1) + shift
    return x


def _spread(config: DiscriminatorConfig, x: torch.Tensor) -> torch.Tensor:
    n, channels, height, width = x.shape
    group = min(config.mbstd_group_size or n, n)
    features = config.mbstd_num_channels
    y = x.reshape(group, n // group, features, channels // features, height, width)
    y = (y.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(2, 3, 4))  # [N / G, features]
    return y.repeat(group, 1)[:, :, None, None].expand(-1, -1, height, width)


def _scaled(config: GeneratorConfig | DiscriminatorConfig, weight: torch.Tensor, gain: float) -> torch.Tensor:
    return weight * (gain / math.sqrt(weight[0].numel())) if config.use_wscale else weight


def _blur(config: GeneratorConfig | DiscriminatorConfig, x: torch.Tensor) -> torch.Tensor:
    if config.blur_filter is None:
        return x
    row = torch.tensor(config.blur_filter, dtype=x.dtype)
    taps = torch.outer(row, row) / row.sum() ** 2
    return F.conv2d(x, taps.expand(x.shape[1], 1, -1, -1), padding=len(row) // 2, groups=x.shape[1])


def _nearest(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def _below(state: State, prefix: str) -> State:
    return {name[len(prefix) + 1 :]: value for name, value in state.items() if name.startswith(f"{prefix}.")}
