"""Other numbers of feature maps: the most important ones are kept, or new ones are added, not heard yet.

Narrower loses what the other maps knew. Wider loses nothing: new maps are made by a new network's weights,
and those that read them are zero, so that pictures and features stay as they are (minibatch standard
deviation, a mean over maps, hears new ones at once). Weights are divided by the ratio of their gains, which
depend on the number of inputs.

A map's importance is how much of it is used, times how large it is. In the generator: the norms of the
weights that read it, relative to their mean, times its style's mean; demodulation makes all maps about
equally large. In the discriminator also times the norm of the weights that make it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from stylegraft.checkpoints.surgery.graft import Graft
from stylegraft.checkpoints.surgery.maps import Maps, maps_of
from stylegraft.networks.families import GeneratorConfig

Kept = dict[str, torch.Tensor]
"""For each group of feature maps, which of the old ones stay, in their order."""


def choose_maps(graft: Graft, channels: Sequence[int]) -> Kept:
    """Returns the maps of each group that other widths leave: all, or the most important ones.

    Args:
        graft: a StyleGAN2 network.
        channels: feature maps of each block, smallest first.
    """
    old, new = maps_of(graft.config), maps_of(graft.config.replace(channels=tuple(channels)))
    kept = {}
    for group, size in old.sizes.items():
        importance = _importance(graft, old, group)
        count = min(size, new.sizes[group])
        kept[group] = importance.topk(count).indices.sort().values
    return kept


def _importance(graft: Graft, maps: Maps, group: str) -> torch.Tensor:
    """How much each map of a group matters, [size]."""
    size = maps.sizes[group]
    read, made = torch.zeros(size), torch.zeros(size)
    for name, dims in maps.tensors.items():
        if not name.endswith(".weight") or ".affine." in name:
            continue
        weight = graft.tensors[name]
        makes, reads, *_ = dims
        if reads is not None and reads.group == group:
            columns = weight.transpose(0, 1).flatten(1)[: size * reads.pixels].reshape(size, -1)
            use = columns.norm(dim=1)
            style = graft.tensors.get(name.removesuffix("weight") + "affine.bias")
            if style is not None:
                use = use * style.abs()
            read += use / use.mean().clamp(min=1e-12)
        if makes is not None and makes.group == group:
            rows = weight.flatten(1).norm(dim=1)
            made += rows / rows.mean().clamp(min=1e-12)
    return read if isinstance(graft.config, GeneratorConfig) else read * made


def change_widths(graft: Graft, channels: Sequence[int], kept: Kept, why: str) -> None:
    """Gives a network other numbers of feature maps.

    Args:
        graft: a StyleGAN2 network; its `fresh` has the new widths.
        channels: feature maps of each block, smallest first.
        kept: of `choose_maps`; G and its average keep the same ones.
        why: for the report.
    """
    config = graft.config.replace(channels=tuple(channels))
    old, new = maps_of(graft.config), maps_of(config)
    for name, dims in old.tensors.items():
        tensor, target = graft.tensors[name], list(graft.tensors[name].shape)
        sources, places = [], []
        for axis, dim in enumerate(dims):
            if dim is None:
                indices = torch.arange(tensor.shape[axis])
                sources.append(indices)
                places.append(indices)
                continue
            size, indices = new.sizes[dim.group], kept[dim.group]
            target[axis] = size * dim.pixels + dim.extra
            sources.append(_positions(indices, dim.pixels, dim.extra, old.sizes[dim.group]))
            places.append(_positions(torch.arange(len(indices)), dim.pixels, dim.extra, size))
        if target == list(tensor.shape) and all(len(s) == n for s, n in zip(sources, target)):
            continue
        changed = torch.zeros(target)
        if dims[0] is not None:
            is_new = torch.ones(target[0], dtype=torch.bool)
            is_new[places[0]] = False
            changed[is_new] = graft.fresh[name][is_new]
        values = tensor
        for axis, indices in enumerate(sources):
            values = values.index_select(axis, indices)
        ratio = graft.gain(name) / graft.gain(name, config) if name.endswith(".weight") else 1.0
        changed[torch.meshgrid(*places, indexing="ij")] = values * ratio
        graft.reshape(name, changed, why)
    graft.config = config


def _positions(maps: torch.Tensor, pixels: int, extra: int, size: int) -> torch.Tensor:
    """Positions along an axis of maps [n], each of so many values, and of what follows all `size` maps."""
    inside = (maps[:, None] * pixels + torch.arange(pixels)).flatten()
    return torch.cat([inside, size * pixels + torch.arange(extra)])
