"""Adding, removing and changing the classes of a generator: the synthesis network stays, bit by bit.

Only the mapping network knows of classes. With n the normalisation to a mean square of 1, E the embedding,
g the gain of the first dense layer at run time, and b its bias (with a gain of its own), that layer computes

    embedded (StyleGAN2-ADA)                    g W_z n(z) + g W_c n(E(c)) + b
    concatenated (StyleGAN, StyleGAN2 in TF)    (g W_z z + g W_c E(c)) r + b,   r = 1 / rms of [z, E(c)]

Removing: c becomes the average class. With e the mean of n(E(c)) over classes, or the mean of E(c) and r that
of a normalised z, w' = W_z (r), b' = b + g W_c e (r), divided by ratios of gains. For a source with one class
(or equal ones) and normalised z that is the same w.

Adding: w does not depend on the class at first, and is the source's.
    embedded: E(c) = v, the same for all c, and b' = b - g' W_c n(v), with v and W_c of a new network. E has
    the full learning rate, so that classes part within some hundred steps; W_c = 0 in its place would have
    to be learned at the mapping network's rate, a hundredth.
    concatenated, StyleGAN v1: E = 0, which only scales z, and W_z makes up for it.

Changing: E's columns are those of the classes that go on; the mean column for new ones.
"""

from __future__ import annotations

import math

import torch

from stylegraft.checkpoints.surgery.classes import ClassMatch
from stylegraft.checkpoints.surgery.graft import Graft
from stylegraft.networks.families import GeneratorConfig
from stylegraft.networks.mapping import normalize_2nd_moment
from stylegraft.networks.stylegan1 import config as stylegan1

_FC = "mapping.fc0"


def change_generator_classes(graft: Graft[GeneratorConfig], c_dim: int, match: ClassMatch | None) -> None:
    """Gives a generator other classes.

    Args:
        graft: the generator.
        c_dim: size of the new label; 0: none.
        match: where new classes come from; None if the source or the target has none.
    """
    old_c_dim = graft.config.c_dim
    if match is not None:
        if old_c_dim != c_dim or not match.is_identity:
            _reorder(graft, c_dim, match)
    elif old_c_dim:
        _remove(graft)
    elif c_dim:
        _add(graft, c_dim)


def _with_c_dim(config: GeneratorConfig, c_dim: int, **changes: object) -> GeneratorConfig:
    return config.replace(mapping=config.mapping.replace(c_dim=c_dim, **changes))


def _reorder(graft: Graft[GeneratorConfig], c_dim: int, match: ClassMatch) -> None:
    config = _with_c_dim(graft.config, c_dim)
    if isinstance(config, stylegan1.GeneratorConfig):
        name = "mapping.label_weight"
        weight = columns_of_classes(graft.tensors[name].t(), match).t().contiguous()
    else:
        name = "mapping.embed.weight"
        ratio = graft.gain(name) / graft.gain(name, config)
        weight = columns_of_classes(graft.tensors[name], match) * ratio
    graft.reshape(name, weight, "other classes")
    graft.config = config


def columns_of_classes(columns: torch.Tensor, match: ClassMatch) -> torch.Tensor:
    """Returns the columns [O, c] of new classes from a source's; the mean column where there is no origin."""
    mean = columns.mean(dim=1)
    return torch.stack([mean if i is None else columns[:, i] for i in match.origins], dim=1)


def _remove(graft: Graft[GeneratorConfig]) -> None:
    config = _with_c_dim(graft.config, 0)
    mapping, why = graft.config.mapping, "without classes: the average class of the source"
    if isinstance(graft.config, stylegan1.GeneratorConfig):
        e = graft.tensors["mapping.label_weight"].mean(dim=0)
        is_normalised = graft.config.mapping.normalize_latents
        r = _joint_scale(mapping.z_dim, e) if is_normalised else 1.0
    else:
        columns = graft.tensors["mapping.embed.weight"] * graft.gain("mapping.embed.weight")
        if graft.config.mapping.label_input == "embedded":
            columns = columns + graft.tensors["mapping.embed.bias"][:, None]
            e, r = normalize_2nd_moment(columns.t()).mean(dim=0), 1.0
        else:
            e = columns.mean(dim=1)
            r = _joint_scale(mapping.z_dim, e)
    weight = graft.tensors[f"{_FC}.weight"]
    gain, new_gain = graft.gain(f"{_FC}.weight"), graft.gain(f"{_FC}.weight", config)
    of_z, of_c = weight[:, : mapping.z_dim], weight[:, mapping.z_dim :]
    graft.reshape(f"{_FC}.weight", of_z * (r * gain / new_gain), why)
    shift = of_c @ e * (r * gain / mapping.lr_multiplier)
    graft.reshape(f"{_FC}.bias", graft.tensors[f"{_FC}.bias"] + shift, why)
    for name in [
        name for name in graft.tensors if name.startswith(("mapping.embed.", "mapping.label_weight"))
    ]:
        graft.drop(name, why)
    graft.config = config


def _joint_scale(z_dim: int, e: torch.Tensor) -> float:
    """1 / rms of a normalised z and a label's vector together."""
    return math.sqrt((z_dim + len(e)) / (z_dim + float(e.square().sum())))


def _add(graft: Graft[GeneratorConfig], c_dim: int) -> None:
    mapping = graft.config.mapping
    why = "with classes: all begin as the source's only one"
    joint = 1.0
    if isinstance(graft.config, stylegan1.GeneratorConfig):
        config = _with_c_dim(graft.config, c_dim)
        graft.renew("mapping.label_weight", why, torch.zeros_like(graft.fresh["mapping.label_weight"]))
        if graft.config.mapping.normalize_latents:
            joint = math.sqrt(0.5)  # z and as many zeros: their mean square is half of z's
        e = torch.zeros(mapping.z_dim)
    else:
        config = _with_c_dim(graft.config, c_dim, label_input="embedded", embed_features=None)
        name = "mapping.embed.weight"
        e = normalize_2nd_moment(graft.fresh[name][:, :1].t())
        graft.renew(name, why, torch.zeros_like(graft.fresh[name]))
        graft.renew("mapping.embed.bias", why, e[0].clone())
        e = normalize_2nd_moment(e)[0]
    gain, new_gain = graft.gain(f"{_FC}.weight"), graft.gain(f"{_FC}.weight", config)
    of_c = graft.fresh[f"{_FC}.weight"][:, mapping.z_dim :]
    of_z = graft.tensors[f"{_FC}.weight"] * (joint * gain / new_gain)
    graft.reshape(f"{_FC}.weight", torch.cat([of_z, of_c], dim=1), why)
    shift = of_c @ e * (new_gain / mapping.lr_multiplier)
    graft.reshape(f"{_FC}.bias", graft.tensors[f"{_FC}.bias"] - shift, why)
    graft.config = config
