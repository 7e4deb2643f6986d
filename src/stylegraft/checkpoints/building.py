"""From a config and tensors to a network: all tensors must be there, of the right shape, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from stylegraft.checkpoints.outline import outline
from stylegraft.config import Config
from stylegraft.errors import CheckpointError

_Config = TypeVar("_Config", bound=Config)
_Network = TypeVar("_Network", bound=torch.nn.Module)
_SHOWN = 3


def build_network(
    make: Callable[[_Config], _Network], config: _Config, tensors: dict[str, torch.Tensor], name: str
) -> _Network:
    """Returns the network of a config with the tensors copied into it.

    Args:
        make: `making.make_generator` or `make_discriminator`.
        config: its config.
        tensors: its state, under our names.
        name: of the network, for messages.

    Raises:
        CheckpointError: names the first tensors that are missing, left over or of another shape.
    """
    check_network(make, config, tensors, name)
    network = make(config)
    network.load_state_dict(tensors)
    return network


def check_network(
    make: Callable[[_Config], torch.nn.Module], config: _Config, tensors: dict[str, torch.Tensor], name: str
) -> None:
    """Compares a config with the tensors beside it, on a network without memory.

    A config from a stranger may ask for more than the machine has; the tensors were read within limits.

    Raises:
        CheckpointError: as `build_network`.
    """
    expected = outline(make, config).state_dict()
    check_tensors({key: tensor.shape for key, tensor in expected.items()}, tensors, name)


def fill_network(network: torch.nn.Module, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Copies tensors into a network that exists.

    Raises:
        CheckpointError: as `build_network`.
    """
    check_tensors({key: tensor.shape for key, tensor in network.state_dict().items()}, tensors, name)
    network.load_state_dict(tensors)


def check_tensors(expected: dict[str, torch.Size], tensors: dict[str, torch.Tensor], name: str) -> None:
    """Compares names and shapes.

    Raises:
        CheckpointError: they differ.
    """
    problems = [f"{key} is missing" for key in expected if key not in tensors]
    problems += [f"{key} is left over" for key in tensors if key not in expected]
    problems += [
        f"{key} is {list(tensors[key].shape)} instead of {list(shape)}"
        for key, shape in expected.items()
        if key in tensors and tensors[key].shape != shape
    ]
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise CheckpointError(
            f"{name}: expected the {len(expected)} tensors of its config, but "
            f"{', '.join(problems[:_SHOWN])}{more}. "
            "The file is damaged or its settings belong to another network."
        )
