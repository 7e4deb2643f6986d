"""Networks small enough for a test: 16 px (or what is asked), eight feature maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig, base_size
from stylegraft.networks.stylegan2 import Discriminator, Generator


def _sizes(height: int, width: int) -> dict[str, Any]:
    doublings = base_size(height, width)[2]
    return {"img_height": height, "img_width": width, "channels": (8,) * (doublings + 1)}


@pytest.fixture
def make_generator() -> Callable[..., Generator]:
    """A seeded generator with noise strengths that are not zero, so that noise shows."""

    def make(
        height: int = 16, width: int = 16, *, c_dim: int = 0, depth: int = 2, seed: int = 0, **changes: Any
    ) -> Generator:
        mapping = changes.pop("mapping", MappingConfig(z_dim=12, c_dim=c_dim, w_dim=10, num_layers=depth))
        torch.manual_seed(seed)
        generator = Generator(GeneratorConfig(**_sizes(height, width) | {"mapping": mapping} | changes))
        with torch.no_grad():
            if generator.config.mapping.w_avg_beta is not None:
                generator.mapping.w_avg.normal_()
            for name, parameter in generator.named_parameters():
                if name.endswith("noise_strength"):
                    parameter.fill_(0.3)
        return generator

    return make


@pytest.fixture
def make_discriminator() -> Callable[..., Discriminator]:
    def make(
        height: int = 16, width: int = 16, *, c_dim: int = 0, seed: int = 0, **changes: Any
    ) -> Discriminator:
        mapping = None
        if c_dim:
            mapping = MappingConfig(z_dim=0, c_dim=c_dim, w_dim=8, num_layers=2, w_avg_beta=None)
        torch.manual_seed(seed)
        return Discriminator(DiscriminatorConfig(**_sizes(height, width) | {"mapping": mapping} | changes))

    return make
