"""A discriminator for twice the resolution: another block on top, through which it sees the smaller picture.

At first new(img) = old(downsample(img)) exactly, in all architectures:

skip: each block adds what it reads from the picture of its own size; the new block's conv1 = 0 adds nothing.
resnet, orig: blocks below read nothing from the picture, so the new one carries it. With a(x) the activation
    without its gain, a(-1) = -s, any x is (a(x) - a(-x)) / (1 + s). So feature maps in pairs carry the
    picture through activations: fromrgb gives (a(c), a(-c)) for each colour c, conv0 puts c together and
    gives the same pair, conv1 puts it together at half the size, weighs it as the old fromrgb did, and
    activates. What else the new block has is a new network's, and weighs nothing in conv1 and skip, which
    have a gradient from the first step. A block of fewer feature maps than two a colour is a new network's.
progressive (StyleGAN v1): as the generator's; lod is raised.
"""

from __future__ import annotations

import torch

from stylegraft.checkpoints.surgery.graft import Graft, block_of
from stylegraft.networks.families import DiscriminatorConfig
from stylegraft.ops.bias_act import ACTIVATIONS

_NEW = "new block"
_SQRT_HALF = 0.5**0.5


def grow_discriminator(graft: Graft[DiscriminatorConfig], channels: int) -> None:
    """Adds a block of so many feature maps on top.

    Args:
        graft: a discriminator; its `fresh` has the block.
        channels: feature maps of the block.
    """
    old = graft.config
    graft.config = old.replace(
        img_height=2 * old.img_height, img_width=2 * old.img_width, channels=(*old.channels, channels)
    )
    block, below = graft.config.block_names[-1], old.block_names[-1]
    for name in [name for name in graft.fresh if block_of(name, "") == block]:
        graft.renew(name, _NEW)
    if old.architecture == "progressive":
        graft.reshape(
            "lod", graft.tensors["lod"] + 1, "new blocks are not in use before training fades them in"
        )
    elif old.architecture == "skip":
        for kind in ("weight", "bias"):
            name = f"{block}.conv1.{kind}"
            graft.renew(name, f"{_NEW}, adds nothing at first", graft.tensors[name] * 0)
    else:
        _carry_picture(graft, block, below)
        for kind in ("weight", "bias"):
            graft.drop(f"{below}.fromrgb.{kind}", "moved to the new block, which reads the picture")


def _carry_picture(graft: Graft[DiscriminatorConfig], block: str, below: str) -> None:
    """Makes the new block compute what `below`'s fromrgb did, from the picture of twice the size."""
    config = graft.config
    activation = ACTIVATIONS[config.activation]
    colours, pairs = config.img_channels, 2 * config.img_channels
    if not activation.homogeneous or config.channels[-1] < pairs:
        if f"{block}.fromrgb.weight" not in graft.fresh:  # the next new block has no use for it either
            graft.renew(f"{block}.fromrgb.weight", _NEW, torch.zeros(config.channels[-1], colours, 1, 1))
            graft.renew(f"{block}.fromrgb.bias", _NEW, torch.zeros(config.channels[-1]))
        return  # nothing carries the picture; the new block is a new network's
    slope = -float(activation.apply(torch.tensor([-1.0]), activation.alpha, False))
    plus, minus = torch.arange(colours), torch.arange(colours) + colours
    why = f"{_NEW}, lets the smaller picture pass at first"

    name = f"{block}.fromrgb.weight"
    if name in graft.fresh:
        weight = graft.fresh[name].clone()
    else:  # not the last new block: the next takes this layer over, and any numbers of a new network will do
        weight = graft.fresh[f"{block}.conv0.weight"][:, :colours, :1, :1].clone()
        graft.renew(f"{block}.fromrgb.bias", _NEW, torch.zeros(len(weight)))
    weight[:pairs] = 0
    weight[plus, plus] = 1 / (graft.gain(name) * activation.gain)
    weight[minus, plus] = -weight[plus, plus]
    graft.renew(name, why, weight)

    # From here on both halves of a pair are a(c) and a(-c), so their difference is (1 + slope) c.
    name = f"{block}.conv0.weight"
    weight = graft.tensors[name].clone()
    weight[:pairs] = 0
    whole = 1 / (graft.gain(name) * activation.gain * (1 + slope))
    for row, sign in ((plus, 1), (minus, -1)):
        weight[row, plus, 1, 1] = sign * whole
        weight[row, minus, 1, 1] = -sign * whole
    graft.renew(name, why, weight)

    # The old fromrgb's activation and gain are conv1's own, but for the factor of a residual block.
    name, old = f"{block}.conv1.weight", f"{below}.fromrgb"
    is_resnet = config.architecture == "resnet"
    outer = 1 / _SQRT_HALF if is_resnet else 1.0
    old_weight = graft.tensors[f"{old}.weight"][:, :, 0, 0] * graft.gain(name.replace("conv1", "fromrgb"))
    weight = torch.zeros_like(graft.tensors[name])
    old_weight = old_weight * outer / (graft.gain(name) * (1 + slope))
    weight[:, plus, 1, 1], weight[:, minus, 1, 1] = old_weight, -old_weight
    read = "from the block below, which read the picture"
    graft.derive(name, weight, read)
    graft.derive(f"{block}.conv1.bias", graft.tensors[f"{old}.bias"] * outer, read)
    if is_resnet:
        name = f"{block}.skip.weight"
        graft.renew(name, why, graft.tensors[name] * 0)
