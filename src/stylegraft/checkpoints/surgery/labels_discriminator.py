"""Adding, removing and changing the classes of a discriminator; all layers but the last stay as they are.

The score of features h is, with a label mapping l(c) of M values (projection, StyleGAN2-ADA),

    s(h, c) = sum over m of (o_m . h + b_m) l_m(c) / sqrt(M)

or, with an output for each class (StyleGAN, StyleGAN2 in TF), s(h, c) = o_c . h + b_c.

Removing: s'(h) is the mean of s(h, c) over classes: o' = sum over m of o_m mean(l_m) / sqrt(M), or mean(o_c).
Adding a label mapping: l is a new network's, and o'_m = a_m o, b'_m = a_m b with the smallest a for which
    a . l(c) / sqrt(M) = 1 for all classes. So s'(h, c) = s(h) for every class, as far as their vectors l(c)
    are linearly independent, and they are different vectors: classes part from the first step.
Adding outputs: each is the old one.
Changing: the embedding's columns (or outputs) of the classes that go on; the mean for new ones.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from stylegraft.checkpoints.surgery.classes import ClassMatch
from stylegraft.checkpoints.surgery.graft import Graft
from stylegraft.checkpoints.surgery.labels_generator import columns_of_classes
from stylegraft.networks.config import MappingConfig
from stylegraft.networks.families import DiscriminatorConfig
from stylegraft.networks.mapping import Mapping
from stylegraft.networks.stylegan1 import config as stylegan1

_AVERAGE = "without classes: the mean of their scores"
_ADDED = "with classes: all are scored as before"
_OTHER = "other classes"
_Weights = tuple[torch.Tensor, torch.Tensor]


def change_discriminator_classes(
    graft: Graft[DiscriminatorConfig],
    c_dim: int,
    match: ClassMatch | None,
    label_mapping: MappingConfig | None,
) -> None:
    """Gives a discriminator other classes.

    Args:
        graft: the discriminator.
        c_dim: size of the new label; 0: none.
        match: where new classes come from; None if the source or the target has none.
        label_mapping: of a StyleGAN2 discriminator to which classes are added.
    """
    config = graft.config
    if match is not None and (config.c_dim != c_dim or not match.is_identity):
        _reorder(graft, c_dim, match)
    elif match is None and config.c_dim:
        _remove(graft)
    elif match is None and c_dim:
        _add(graft, c_dim, label_mapping)


def _out(graft: Graft[DiscriminatorConfig]) -> str:
    return f"{graft.config.block_names[0]}.out"


def _outputs(graft: Graft[DiscriminatorConfig]) -> _Weights:
    """Weight [outputs, F] and bias [outputs] of the last layer."""
    return graft.tensors[f"{_out(graft)}.weight"], graft.tensors[f"{_out(graft)}.bias"]


def _set_outputs(graft: Graft[DiscriminatorConfig], weights: _Weights, why: str) -> None:
    for kind, tensor in zip(("weight", "bias"), weights):
        graft.reshape(f"{_out(graft)}.{kind}", tensor, why)


def _changed(config: DiscriminatorConfig, c_dim: int) -> DiscriminatorConfig:
    """The config with another number of classes, which enter as they do."""
    changes: dict[str, Any]
    if isinstance(config, stylegan1.DiscriminatorConfig):
        changes = {"c_dim": c_dim}
    elif config.mapping is None:
        changes = {"class_outputs": c_dim}
    else:
        changes = {"mapping": config.mapping.replace(c_dim=c_dim) if c_dim else None}
    return config.replace(**changes)


def _reorder(graft: Graft[DiscriminatorConfig], c_dim: int, match: ClassMatch) -> None:
    config = _changed(graft.config, c_dim)
    name = "mapping.embed.weight"
    if name in graft.tensors:
        ratio = graft.gain(name) / graft.gain(name, config)
        graft.reshape(name, columns_of_classes(graft.tensors[name], match) * ratio, _OTHER)
    else:
        weight, bias = _outputs(graft)
        rows = columns_of_classes(torch.cat([weight, bias[:, None]], dim=1).t(), match).t()
        _set_outputs(graft, (rows[:, :-1].contiguous(), rows[:, -1].contiguous()), _OTHER)
    graft.config = config


def _label_vectors(config: MappingConfig, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """l(c) / sqrt(M) of each class, [classes, M], float64."""
    mapping = Mapping(config, num_ws=None)
    prefix = "mapping."
    mapping.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    with torch.no_grad():
        vectors = mapping(None, torch.eye(config.c_dim))
    return vectors.double() / math.sqrt(config.w_dim)


def _remove(graft: Graft[DiscriminatorConfig]) -> None:
    config = graft.config
    weight, bias = _outputs(graft)
    if config.family == "stylegan2" and config.mapping is not None:
        shares = _label_vectors(config.mapping, graft.tensors).mean(dim=0)
    else:
        shares = torch.full([len(bias)], 1 / len(bias), dtype=torch.float64)
    _set_outputs(
        graft, ((shares @ weight.double())[None].float(), (shares @ bias.double())[None].float()), _AVERAGE
    )
    for name in [name for name in graft.tensors if name.startswith("mapping.")]:
        graft.drop(name, _AVERAGE)
    graft.config = _changed(config, 0)


def _add(graft: Graft[DiscriminatorConfig], c_dim: int, label_mapping: MappingConfig | None) -> None:
    weight, bias = _outputs(graft)
    if isinstance(graft.config, stylegan1.DiscriminatorConfig):
        _set_outputs(graft, (weight.repeat(c_dim, 1), bias.repeat(c_dim)), _ADDED)
        graft.config = graft.config.replace(c_dim=c_dim)
        return
    assert label_mapping is not None
    for name in [name for name in graft.fresh if name.startswith("mapping.")]:
        graft.renew(name, "new label mapping")
    vectors = _label_vectors(label_mapping, graft.tensors)
    ones = torch.ones(len(vectors), dtype=torch.float64)
    a = (torch.linalg.pinv(vectors) @ ones).float()
    _set_outputs(graft, (a[:, None] * weight, a * bias), _ADDED)
    graft.config = graft.config.replace(mapping=label_mapping)
