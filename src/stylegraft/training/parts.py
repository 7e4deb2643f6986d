"""Parts of the networks that training leaves alone, or moves at a rate of their own."""

from __future__ import annotations

from typing import Any

from torch import nn

from stylegraft.networks.protocol import Discriminator, Generator
from stylegraft.training.config import RunConfig
from stylegraft.training.fading import layers_from_image

FACTOR = "factor"
"""Key of a group of parameters: its rate relative to the run's."""


def freeze_parts(G: Generator, D: Discriminator, config: RunConfig) -> None:
    """Stops the gradients of all that a run keeps as it was."""
    freeze_layers(D, config.freeze_d)
    if config.freeze_mapping:
        G.mapping.requires_grad_(False)
    for block in G.synthesis.blocks[: config.freeze_synthesis]:
        block.requires_grad_(False)


def freeze_layers(D: Discriminator, count: int) -> None:
    """Stops the gradients of the first `count` convolutions of D, seen from the image.

    Source: Mo et al. 2020, "Freeze the Discriminator".
    """
    for layer in layers_from_image(D)[:count]:
        layer.requires_grad_(False)


def generator_groups(G: Generator, config: RunConfig) -> list[dict[str, Any]]:
    """Returns the groups of G's parameters for Adam: synthesis and mapping network, without frozen ones."""
    return [*_group(G.synthesis, config.lr_synthesis), *_group(G.mapping, config.lr_mapping)]


def discriminator_groups(D: Discriminator, config: RunConfig) -> list[dict[str, Any]]:
    """Returns the one group of D's parameters for Adam, without frozen ones."""
    return _group(D, config.lr_d)


def _group(part: nn.Module, factor: float) -> list[dict[str, Any]]:
    parameters = [parameter for parameter in part.parameters() if parameter.requires_grad]
    return [{"params": parameters, FACTOR: factor}] if parameters else []
