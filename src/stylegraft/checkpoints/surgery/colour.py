"""Grey to RGB and back, so that the networks do the same to the picture that looks the same.

Only the layers to and from the image change, and they are linear in it. Grey is y = l . rgb with the luma l
of ITU-R 601, as `--channels 1` reads colour images; a grey picture is the colour picture (y, y, y).

    G, RGB -> grey: w' = l . w, b' = l . b         its picture is the old one in grey
    G, grey -> RGB: w' = (w, w, w), b' likewise    its picture is the old one, in three equal channels
    D, RGB -> grey: w' = w_r + w_g + w_b           it sees y as it saw (y, y, y)
    D, grey -> RGB: w' = (l_r w, l_g w, l_b w)     it sees rgb as it saw l . rgb

and each weight is divided by the ratio of its gains, because D's depend on the number of channels.
"""

from __future__ import annotations

from typing import cast

import torch

from stylegraft.checkpoints.surgery.graft import Graft
from stylegraft.networks.config import ImageSizes

LUMA = torch.tensor([0.299, 0.587, 0.114])
"""Shares of red, green and blue in grey, ITU-R 601."""


def change_colour(graft: Graft, img_channels: int) -> None:
    """Gives a generator or discriminator another number of image channels, 1 or 3.

    Args:
        graft: the network; it has 1 or 3 image channels.
        img_channels: 1 for grey, 3 for RGB.
    """
    if graft.config.img_channels == img_channels:
        return
    why = "grey to RGB" if img_channels == 3 else "RGB to grey"
    config = cast("ImageSizes", graft.config).replace(img_channels=img_channels)
    for name in list(graft.tensors):
        layer, _, kind = name.rpartition(".")
        if layer.endswith("torgb") and kind in ("weight", "bias"):
            graft.reshape(name, _image_rows(graft.tensors[name], img_channels), why)
        if layer.endswith("fromrgb") and kind == "weight":
            ratio = graft.gain(name) / graft.gain(name, config)
            graft.reshape(name, _image_columns(graft.tensors[name], img_channels) * ratio, why)
    graft.config = config


def _image_rows(tensor: torch.Tensor, img_channels: int) -> torch.Tensor:
    """Rows [C, ...] that make image channels."""
    if img_channels == 3:
        return tensor.repeat(3, *[1] * (tensor.ndim - 1))
    return torch.tensordot(LUMA, tensor, dims=1)[None]


def _image_columns(weight: torch.Tensor, img_channels: int) -> torch.Tensor:
    """Columns [O, C, 1, 1] that read image channels."""
    if img_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    return weight * LUMA[None, :, None, None]
