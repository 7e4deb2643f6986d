"""Networks for smaller pictures: the largest blocks go, and layers at the image are fitted to what is left.

In the skip architecture all blocks have layers to and from RGB, in resnet and orig only the last. Either way
what is left makes (or sees) another picture than the whole network did at that size, so the layer is fitted
to it on the source's own pictures (see `fitting`). StyleGAN v1 was trained at each size in turn and keeps the
layers that it had there.
"""

from __future__ import annotations

import torch

from stylegraft.checkpoints.surgery.fitting import (
    Pictures,
    fit_discriminator,
    fit_generator,
    latents,
    pictures_downsampled,
)
from stylegraft.checkpoints.surgery.graft import Graft, block_of
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig

_CUT = "of larger pictures"


def cut_generator(graft: Graft[GeneratorConfig], num_blocks: int) -> None:
    """Keeps the smallest blocks of a generator.

    Args:
        graft: the generator.
        num_blocks: of blocks to keep, less than it has.
    """
    old = graft.config
    grown = old.architecture == "progressive"
    targets = (
        None if grown else pictures_downsampled(graft.built(), latents(old), len(old.channels) - num_blocks)
    )
    _drop_blocks(graft, num_blocks, "synthesis.")
    if grown:
        _lower_lod(graft, "synthesis.lod", len(old.channels) - num_blocks)
        return
    assert targets is not None
    torgb = f"synthesis.{graft.config.block_names[-1]}.torgb"
    if f"{torgb}.weight" not in graft.tensors:
        affine_weight = torch.zeros(graft.config.channels[-1], graft.config.mapping.w_dim)
        why = "no layer to the picture was here: fitted to the old picture, downsampled"
        graft.renew(f"{torgb}.affine.weight", why, affine_weight)
        graft.renew(f"{torgb}.affine.bias", why, torch.ones(graft.config.channels[-1]))
        weight = torch.zeros(graft.config.img_channels, graft.config.channels[-1], 1, 1)
        graft.renew(f"{torgb}.weight", why, weight)
        graft.renew(f"{torgb}.bias", why, torch.zeros(graft.config.img_channels))
    fit_generator(graft, targets, "fitted to the old picture, downsampled")


def cut_discriminator(graft: Graft[DiscriminatorConfig], num_blocks: int, pictures: Pictures) -> None:
    """Keeps the smallest blocks of a discriminator.

    Args:
        graft: the discriminator.
        num_blocks: of blocks to keep, less than it has.
        pictures: of the source's generator, at the old size.
    """
    old, whole = graft.config, graft.built()
    _drop_blocks(graft, num_blocks, "")
    if old.architecture == "progressive":
        _lower_lod(graft, "lod", len(old.channels) - num_blocks)
        return
    fromrgb = f"{graft.config.block_names[-1]}.fromrgb"
    if f"{fromrgb}.weight" not in graft.tensors:
        channels = graft.config.channels[-1]
        why = "no layer from the picture was here: fitted to the features of the old pictures"
        graft.renew(f"{fromrgb}.weight", why, torch.zeros(channels, graft.config.img_channels, 1, 1))
        graft.renew(f"{fromrgb}.bias", why, torch.zeros(channels))
    fit_discriminator(graft, whole, pictures, len(old.channels) - num_blocks)


def _drop_blocks(graft: Graft, num_blocks: int, prefix: str) -> None:
    old = graft.config
    gone = old.block_names[num_blocks:]
    for name in [name for name in graft.tensors if block_of(name, prefix) in gone]:
        graft.drop(name, _CUT)
    halvings = len(gone)
    graft.config = old.replace(
        img_height=old.img_height >> halvings,
        img_width=old.img_width >> halvings,
        channels=old.channels[:num_blocks],
    )


def _lower_lod(graft: Graft, name: str, halvings: int) -> None:
    """A network that was left while it grew goes on from there, if that is not cut away."""
    lod = graft.tensors[name]
    if lod > 0:
        graft.reshape(name, (lod - halvings).clamp(min=0), "halvings that are cut away are not left to grow")
