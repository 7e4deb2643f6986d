"""What all feature networks have in common, and how published tensors get into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from stylegraft.errors import InputError
from stylegraft.features.convolution import fold_all

_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Layout:
    """How one kind of published file names the tensors of a network.

    Args:
        name: from the name of a tensor of ours to the file's; None: the file has no such tensor and means 1.
        unused: beginnings of the names of tensors that features do not need.
    """

    name: Callable[[str], str | None] = lambda key: key
    unused: tuple[str, ...] = ()


class PublishedModule(nn.Module):
    """A module that `load_published` fills.

    Attributes:
        layouts: of the files that it can be loaded from.
    """

    layouts: tuple[Layout, ...] = (Layout(),)

    def after_load(self) -> None:
        """Changes the tensors as they were published to what `forward` uses."""


class Trunk(PublishedModule):
    """A network from pixels to vectors; `forward` maps prepared images to vectors [N, dim] in float32.

    Attributes:
        dim: length of a vector.
        batch: images at a time that a CPU is quickest with.
        has_bf16: whether `use_bf16` keeps distances what they are; the others run in float32 only.
    """

    dim: int
    batch: int
    has_bf16: bool = False

    def prepare(self, rgb255: torch.Tensor) -> torch.Tensor:
        """Maps float32 RGB [N, 3, H, W] in 0..255 to what `forward` takes."""
        raise NotImplementedError

    def use_bf16(self) -> None:
        """Runs convolutions in bfloat16 from now on; vectors stay float32."""
        raise NotImplementedError


def load_published(network: PublishedModule, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Loads every tensor (none missing, none left over) and gets the network ready for inference.

    The network may be on the meta device: it takes over the tensors, it does not copy them.

    Args:
        network: to load; batch normalisations are folded away.
        tensors: as read from the file.
        path: of the file, for messages.

    Raises:
        InputError: the first tensor that is missing, left over or of another shape.
    """
    ours = network.state_dict()
    layout = next(
        (found for found in network.layouts if found.name(next(iter(ours))) in tensors), network.layouts[0]
    )
    loaded: dict[str, torch.Tensor] = {}
    used: set[str] = set()
    for key, parameter in ours.items():
        name = layout.name(key)
        if name is None:
            loaded[key] = torch.ones(parameter.shape)
            continue
        expected = list(parameter.shape)
        found = tensors.get(name)
        if found is None or list(found.shape) != expected:
            got = "no such tensor" if found is None else str(list(found.shape))
            raise InputError(
                f"weights {path}: expected tensor {name} {expected}, got {got}. "
                f"Use the published file for {type(network).__name__}."
            )
        loaded[key] = found.detach().to(torch.promote_types(found.dtype, torch.float32))
        used.add(name)
    left_over = [
        name
        for name in tensors
        if name not in used and not name.endswith(_COUNTER) and not name.startswith(layout.unused)
    ]
    if left_over:
        raise InputError(
            f"weights {path}: expected the {len(used)} tensors of {type(network).__name__}, got "
            f"{left_over[0]} beside them. Use the published file."
        )
    network.load_state_dict(loaded, strict=False, assign=True)
    network.eval().requires_grad_(False)
    network.after_load()
    fold_all(network)
