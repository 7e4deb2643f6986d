"""Another shape of image: the smallest feature map, which all others are doublings of, changes its sides.

Convolutions do not know how large a map is. What does: the generator's constant and stored noise, and the
discriminator's first dense layer. With R the bilinear, antialiased resizing of maps from the new sides to the
old ones, the dense layer becomes W R: it sees the new map resized to what it knows. The constant is resized
the other way, and the noise, which has no content, is drawn anew.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from stylegraft.checkpoints.surgery.graft import Graft, block_of


def change_shape(graft: Graft, base_height: int, base_width: int) -> None:
    """Gives a StyleGAN2 network another smallest feature map, at the same number of blocks.

    Args:
        graft: the network.
        base_height: height of the smallest feature map, px.
        base_width: its width, px.
    """
    old = graft.config
    sides = old.base_height, old.base_width
    if sides == (base_height, base_width):
        return
    why = f"smallest feature map {sides[0]}x{sides[1]} -> {base_height}x{base_width}"
    doublings = len(old.channels) - 1
    graft.config = old.replace(img_height=base_height << doublings, img_width=base_width << doublings)
    _rename_blocks(graft, old.block_names, graft.config.block_names)
    for name, tensor in list(graft.tensors.items()):
        if name.endswith(".const"):
            graft.reshape(name, _resized(tensor, base_height, base_width), why)
        elif name.endswith(".noise_const"):
            graft.renew(name, f"{why}: the noise belongs to its pixels")
        elif name.endswith(".fc.weight"):
            maps = tensor.view(len(tensor), -1, *sides)  # [F, C, h, w]
            seen = _adjoint(maps, base_height, base_width).flatten(1)
            graft.reshape(name, seen * (seen.shape[1] / tensor.shape[1]) ** 0.5, why)  # gain 1 / sqrt(fan_in)


def _rename_blocks(graft: Graft, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Blocks are called by their shorter side."""
    names = dict(zip(old, new))
    moves = []
    for name in graft.tensors:
        for prefix in ("synthesis.", ""):
            block = block_of(name, prefix)
            if block in names:
                moves.append((name, prefix + names[block] + name.removeprefix(prefix + block)))
                break
    graft.rename(moves)


def _resized(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Maps [C, h, w] at another size."""
    return F.interpolate(maps[None], (height, width), mode="bilinear", antialias=True)[0]


def _adjoint(weights: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Weights [F, C, h, w] as weights [F, C, height, width] of maps that are resized to (h, w) first."""
    h, w = weights.shape[2:]
    pixels = torch.eye(height * width).view(height * width, height, width)
    resizing = _resized(pixels, h, w).flatten(1)  # [height * width, h * w]
    return (weights.flatten(2) @ resizing.t()).unflatten(2, (height, width))
