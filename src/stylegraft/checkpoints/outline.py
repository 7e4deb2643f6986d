"""A network without the memory of its weights: names, shapes and attributes, to compare a file with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.overrides import TorchFunctionMode

_Config = TypeVar("_Config")
_Network = TypeVar("_Network", bound=torch.nn.Module)

_FACTORIES = {torch.randn: torch.empty, torch.empty: torch.empty, torch.zeros: torch.zeros}
_FACTORIES |= {torch.ones: torch.ones, torch.full: torch.full}
_SCALINGS = {torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.div, torch.Tensor.__truediv__}


def outline(make: Callable[[_Config], _Network], config: _Config) -> _Network:
    """Returns the network of a config on the meta device; it can be looked at, not run.

    A config from a stranger may ask for more than the machine has, so this comes before weights are made.

    Args:
        make: `making.make_generator` or the like.
        config: what it takes.
    """
    with _WithoutValues():
        return make(config)


class _WithoutValues(TorchFunctionMode):
    """Makes weights on the meta device, whatever they are filled with.

    `torch.device("meta")` would do the same, but it computes the shapes of random numbers and of products in
    Python, and imports eight hundred modules for it: one to two seconds at the first file.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES:
            return _FACTORIES[func](*args, **{**kwargs, "device": "meta"})
        if func in _SCALINGS and args[0].is_meta:
            return args[0]  # by a number: initial weights are scaled
        return func(*args, **kwargs)
