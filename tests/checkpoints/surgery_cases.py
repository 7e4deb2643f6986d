"""Small sources for tests of surgery: networks of random weights, biases and noise included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.checkpoints.surgery import Operated, Target, operate
from stylegraft.networks import config as stylegan2
from stylegraft.networks.config import MappingConfig
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.networks.stylegan1 import config as stylegan1


def configs(
    size: tuple[int, int] = (16, 16),
    channels: Sequence[int] = (16, 12, 8),
    *,
    c_dim: int = 0,
    img_channels: int = 3,
    architectures: tuple[str, str] = ("skip", "resnet"),
    family: str = "stylegan2",
    **generator_changes: Any,
) -> tuple[GeneratorConfig, DiscriminatorConfig]:
    sizes = {"img_height": size[0], "img_width": size[1], "channels": channels, "img_channels": img_channels}
    if family == "stylegan1":
        mapping = stylegan1.MappingConfig(z_dim=8, c_dim=c_dim, w_dim=8, num_layers=2)
        return (
            stylegan1.GeneratorConfig(**sizes, mapping=mapping),
            stylegan1.DiscriminatorConfig(**sizes, c_dim=c_dim),
        )
    label_mapping = None
    if c_dim:
        label_mapping = MappingConfig(z_dim=0, c_dim=c_dim, w_dim=channels[0], num_layers=2, w_avg_beta=None)
    mapping = MappingConfig(z_dim=8, c_dim=c_dim, w_dim=10, num_layers=2)
    G = stylegan2.GeneratorConfig(
        **sizes, mapping=mapping, architecture=architectures[0], **generator_changes
    )
    D = stylegan2.DiscriminatorConfig(**sizes, mapping=label_mapping, architecture=architectures[1])
    return G, D


def random_state(network: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """The network's state with all values random, small ones for those that begin at zero."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in network.state_dict().items():
        noise = torch.randn(tensor.shape, generator=random)
        state[name] = tensor if name.endswith("lod") else tensor + 0.3 * noise
    return state


def make_source(
    G: GeneratorConfig, D: DiscriminatorConfig, class_names: Sequence[str] | None = None
) -> OpenedCheckpoint:
    torch.manual_seed(0)
    tensors = {name: random_state(make_generator(G), seed) for seed, name in enumerate(("G_ema", "G"))}
    tensors["D"] = random_state(make_discriminator(D), 2)
    return OpenedCheckpoint(G, D, tensors, {"class_names": class_names})


def operated(
    source: OpenedCheckpoint,
    G: GeneratorConfig,
    D: DiscriminatorConfig,
    class_names: Sequence[str] | None = None,
) -> Operated:
    torch.manual_seed(1)
    fresh_G, fresh_D = make_generator(G).state_dict(), make_discriminator(D).state_dict()
    return operate(source, Target(G, D, fresh_G, fresh_D, class_names))


def generator(config: GeneratorConfig, state: dict[str, torch.Tensor]) -> Any:
    network = make_generator(config)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def discriminator(config: DiscriminatorConfig, state: dict[str, torch.Tensor]) -> Any:
    network = make_discriminator(config)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)
