"""Small StyleGAN v1 networks in which every term counts, in the variants that public files have."""

from __future__ import annotations

from typing import Any, TypeVar

import torch

from stylegraft.networks.stylegan1.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan1.discriminator import Discriminator
from stylegraft.networks.stylegan1.generator import Generator

_Network = TypeVar("_Network", Generator, Discriminator)

GENERATORS: dict[str, dict[str, Any]] = {
    "as published": {},
    "fused": {"fused_from_px": 8},
    "oblong with an odd base": {"img_height": 12, "img_width": 20},
    "oblong and fused": {"img_height": 24, "img_width": 16, "fused_from_px": 1},
    "grey": {"img_channels": 1},
    "two channels": {"img_channels": 2},
    "with alpha": {"img_channels": 4},
    "relu": {"activation": "relu"},
    "pixel norm": {"use_pixel_norm": True},
    "pixel norm only": {"use_pixel_norm": True, "use_instance_norm": False},
    "no normalisation": {"use_instance_norm": False},
    "no noise": {"use_noise": False},
    "no styles": {"use_styles": False},
    "plain weights": {"use_wscale": False},
    "no blur": {"blur_filter": None},
    "wide blur": {"blur_filter": (1.0, 4.0, 6.0, 4.0, 1.0), "fused_from_px": 16},
    "skew blur": {"blur_filter": (1.0, 2.0, 4.0)},
}
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "as published": {},
    "oblong with an odd base": {"img_height": 12, "img_width": 20},
    "grey": {"img_channels": 1},
    "relu": {"activation": "relu"},
    "plain weights": {"use_wscale": False},
    "no blur": {"blur_filter": None},
    "skew blur": {"blur_filter": (1.0, 2.0, 4.0)},
    "no minibatch std": {"mbstd_num_channels": 0},
    "one group of two features": {"mbstd_group_size": None, "mbstd_num_channels": 2},
    "classes": {"c_dim": 3},
    "wide last layer": {"fc_features": 14},
}


def make_generator(seed: int = 0, **changes: Any) -> Generator:
    """A generator with all parameters and buffers random."""
    sizes = {"img_height": 16, "img_width": 16, "channels": (10, 8, 6)}
    mapping = MappingConfig(z_dim=12, w_dim=9, num_layers=2, layer_features=7)
    config = GeneratorConfig(**{"mapping": mapping} | sizes | changes)
    return randomized(Generator(config), seed)


def make_discriminator(seed: int = 0, **changes: Any) -> Discriminator:
    """A discriminator with all parameters random."""
    sizes = {"img_height": 16, "img_width": 16, "channels": (10, 8, 6)}
    return randomized(Discriminator(DiscriminatorConfig(**sizes | changes)), seed)


def randomized(network: _Network, seed: int) -> _Network:
    """Gives every tensor but lod random values of its own order of magnitude, at least 0.3."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.split(".")[-1] != "lod":
                spread = max(float(tensor.std()), 0.3) if tensor.numel() > 1 else 1.0
                tensor.copy_(torch.randn_like(tensor) * spread)
    return network


def double_state(network: Generator | Discriminator) -> dict[str, torch.Tensor]:
    return {name: tensor.double() for name, tensor in network.state_dict().items()}


def relative_error(got: torch.Tensor, want: torch.Tensor) -> float:
    assert got.shape == want.shape
    return float((got.detach() - want.detach()).abs().max() / want.detach().abs().max())
