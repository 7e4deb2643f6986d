"""A generator for twice the resolution: another block on top, through which the old picture passes at first.

skip: the new block adds to the upsampled picture; with w_torgb = 0 and b_torgb = 0 it adds nothing, so that
    new(ws) = upsample(old(ws)) exactly. The convolutions are a new network's: w_torgb has a gradient from the
    first step, they from the second.
resnet, orig: the picture is made from the last features x alone. The new block begins as kernels with one
    non-zero value, so that conv1(conv0(x)) = f(upsample(x)) with f made of two activations, and its layer to
    RGB, the old one, is fitted so that f leaves as little trace as it can (see `fitting`). Demodulation makes
    kernels of any size equal in effect, and theirs are as large as a new network's, so that Adam moves them
    at the same pace.
progressive (StyleGAN v1): new blocks are a new network's; lod is raised with each, so that they are not in
    use until training fades them in, as when a network grows on its own.
"""

from __future__ import annotations

import math

import torch

from stylegraft.checkpoints.surgery.fitting import fit_generator, latents, pictures_upsampled
from stylegraft.checkpoints.surgery.graft import Graft, block_of
from stylegraft.networks.families import GeneratorConfig

_NEW = "new block"


def grow_generator(graft: Graft[GeneratorConfig], channels: int) -> None:
    """Adds a block of so many feature maps on top.

    Args:
        graft: a generator; its `fresh` has the block.
        channels: feature maps of the block.
    """
    old = graft.config
    old_pictures = None
    if old.architecture in ("resnet", "orig"):
        old_pictures = pictures_upsampled(graft.built(), latents(old))
    graft.config = old.replace(
        img_height=2 * old.img_height, img_width=2 * old.img_width, channels=(*old.channels, channels)
    )
    block, below = graft.config.block_names[-1], old.block_names[-1]
    for name in [name for name in graft.fresh if block_of(name, "synthesis.") == block]:
        graft.renew(name, _NEW)
    if old.architecture == "progressive":
        lod = graft.tensors["synthesis.lod"] + 1
        graft.reshape("synthesis.lod", lod, "new blocks are not in use before training fades them in")
    elif old.architecture == "skip":
        for kind in ("weight", "bias"):
            name = f"synthesis.{block}.torgb.{kind}"
            graft.renew(name, f"{_NEW}, adds nothing to the picture at first", graft.tensors[name] * 0)
    else:
        assert old_pictures is not None
        _pass_features(graft, block, below, old.channels[-1], channels)
        fit_generator(graft, old_pictures, "fitted to the old picture, upsampled")


def _pass_features(
    graft: Graft[GeneratorConfig], block: str, below: str, in_channels: int, out_channels: int
) -> None:
    """Lets the features below pass through a block whose layer to RGB becomes the old one."""
    to_image = f"synthesis.{below}.torgb"
    importance = graft.tensors[f"{to_image}.weight"].square().sum(dim=(0, 2, 3))
    importance = importance * graft.tensors[f"{to_image}.affine.bias"].square()
    kept = importance.topk(min(in_channels, out_channels)).indices.sort().values
    why = f"{_NEW}, lets the features below pass at first"
    for layer, inputs in (("conv0", kept), ("conv1", torch.arange(len(kept)))):
        name = f"synthesis.{block}.{layer}"
        weight = graft.tensors[f"{name}.weight"].clone()
        weight[: len(kept)] = 0
        size = math.sqrt(weight[0].numel())  # the norm of a new network's kernel
        weight[torch.arange(len(kept)), inputs, 1, 1] = size
        graft.renew(f"{name}.weight", why, weight)
        # A style below zero would turn a feature round.
        graft.renew(f"{name}.affine.weight", why, graft.tensors[f"{name}.affine.weight"] * 0)
    if graft.config.architecture == "resnet":
        name = f"synthesis.{block}.skip.weight"
        weight = torch.zeros_like(graft.tensors[name])
        weight[torch.arange(len(kept)), kept] = math.sqrt(in_channels)  # gain 1 / sqrt(fan_in)
        graft.renew(name, why, weight)
    ratio = math.sqrt(out_channels / in_channels)  # gain 1 / sqrt(fan_in)
    for kind in ("weight", "bias", "affine.weight", "affine.bias"):
        old = graft.tensors[f"{to_image}.{kind}"]
        if kind == "bias":
            tensor = old.clone()
        elif kind == "weight":
            tensor = torch.zeros(len(old), out_channels, 1, 1)
            tensor[:, : len(kept)] = old[:, kept] * ratio
        else:  # the styles of other features begin as 1
            tensor = torch.full([out_channels, *old.shape[1:]], float(kind == "affine.bias"))
            tensor[: len(kept)] = old[kept]
        graft.derive(
            f"synthesis.{block}.torgb.{kind}", tensor, "from the block below, which made the picture"
        )
        graft.drop(f"{to_image}.{kind}", "moved to the new block, which makes the picture")
