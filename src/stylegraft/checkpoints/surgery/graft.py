"""A network on the way from its source's shape to another: config and tensors change together, step by step.

After each step the tensors are those of the config, so that a step can run the network, and the next finds
whole blocks. Each change is written down with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

import torch

from stylegraft.checkpoints.outline import outline
from stylegraft.checkpoints.surgery.report import NetworkReport
from stylegraft.networks.config import ImageSizes

_Config = TypeVar("_Config", bound=ImageSizes)


@dataclass
class Graft(Generic[_Config]):
    """A network between two shapes.

    Attributes:
        make: `making.make_generator` or `make_discriminator`.
        config: the shape that `tensors` have now.
        tensors: the state by name.
        fresh: the state of a new network of the shape at the end; tensors without a source are its.
        reshaped: name -> reasons.
        reinitialised: name -> reason.
        left_over: name -> reason.
    """

    make: Callable[[_Config], torch.nn.Module]
    config: _Config
    tensors: dict[str, torch.Tensor]
    fresh: dict[str, torch.Tensor]
    reshaped: dict[str, list[str]] = field(default_factory=dict)
    reinitialised: dict[str, str] = field(default_factory=dict)
    left_over: dict[str, str] = field(default_factory=dict)

    def reshape(self, name: str, tensor: torch.Tensor, why: str) -> None:
        """Replaces a tensor by one that is made of it."""
        self.tensors[name] = tensor
        if name not in self.reinitialised and why not in self.reshaped.setdefault(name, []):
            self.reshaped[name].append(why)

    def renew(self, name: str, why: str, tensor: torch.Tensor | None = None) -> None:
        """Gives a name a tensor that owes nothing to the source: a new network's, or the one given."""
        self.tensors[name] = self.fresh[name].clone() if tensor is None else tensor
        self.reshaped.pop(name, None)
        self.reinitialised[name] = why

    def derive(self, name: str, tensor: torch.Tensor, why: str) -> None:
        """Gives a new name a tensor that is made of the source's under another name."""
        self.tensors[name] = tensor
        self.reinitialised.pop(name, None)
        self.reshaped[name] = [why]

    def drop(self, name: str, why: str) -> None:
        """Removes a tensor."""
        del self.tensors[name]
        self.reshaped.pop(name, None)
        if self.reinitialised.pop(name, None) is None:
            self.left_over[name] = why

    def rename(self, names: Iterable[tuple[str, str]]) -> None:
        """Renames tensors, (old, new); the values stay, so this is no change to report."""
        moved = {new: self.tensors.pop(old) for old, new in list(names)}
        self.tensors |= moved

    def gain(self, name: str, config: _Config | None = None) -> float:
        """Returns the factor at run time (equalised learning rate) of the weight called `name`.

        Args:
            name: of the weight.
            config: of another network that has it; None: this one's.
        """
        network = _outline(self.make, cast("Any", config or self.config))
        return float(getattr(network.get_submodule(name.rpartition(".")[0]), "weight_gain", 1.0))

    def built(self) -> torch.nn.Module:
        """Returns the network as it is now, in evaluation mode, without gradients."""
        network = self.make(self.config)
        network.load_state_dict(self.tensors)
        return network.eval().requires_grad_(False)

    def report(self) -> NetworkReport:
        """Returns what became of each tensor."""
        changed = self.reshaped.keys() | self.reinitialised.keys()
        return NetworkReport(
            copied=[name for name in self.tensors if name not in changed],
            reshaped={name: "; ".join(why) for name, why in self.reshaped.items()},
            reinitialised=dict(self.reinitialised),
            left_over=dict(self.left_over),
        )


@lru_cache(maxsize=8)
def _outline(make: Callable[[Any], torch.nn.Module], config: Any) -> torch.nn.Module:
    return outline(make, config)


def block_of(name: str, prefix: str) -> str:
    """Returns the block that a tensor belongs to ("b8" of "synthesis.b8.conv0.weight"), or ""."""
    return name.removeprefix(prefix).partition(".")[0] if name.startswith(prefix) else ""
