"""Networks and images at a size they have grown to: what training asks of either family.

StyleGAN v1 always shows images of full size, with repeated pixels while it grows. Training works on the
pixels that differ: D sees the same, and nothing is computed that is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from stylegraft.networks.layers import Conv
from stylegraft.networks.protocol import Discriminator, Generator
from stylegraft.networks.stylegan1.discriminator import Discriminator as GrowingDiscriminator
from stylegraft.networks.stylegan1.generator import Generator as GrowingGenerator
from stylegraft.networks.stylegan1.layers import Conv as GrowingConv
from stylegraft.networks.stylegan1.resample import box_downscale, nearest_upscale


def set_lod(network: Generator | Discriminator, lod: float) -> None:
    """Tells a network how far it has grown; StyleGAN2 is always grown."""
    if isinstance(network, GrowingGenerator | GrowingDiscriminator):
        network.set_lod(lod)


def num_ws_in_use(G: Generator) -> int:
    """Returns how many layers take part in an image, from the coarsest."""
    return G.num_ws_in_use(G.lod) if isinstance(G, GrowingGenerator) else G.num_ws


def noise_shapes_in_use(G: Generator) -> Sequence[tuple[int, int]]:
    """Returns (height, width) of the noise of each layer that takes part in an image."""
    shapes = G.synthesis.noise_shapes
    return shapes[: num_ws_in_use(G)] if isinstance(G, GrowingGenerator) else shapes


def synthesize(G: Generator, ws: torch.Tensor, noise: Sequence[torch.Tensor]) -> torch.Tensor:
    """Returns images [N, C, H / 2^floor(lod), W / 2^floor(lod)] made with the given noise.

    Args:
        G: the generator.
        ws: [N, num_ws, w_dim].
        noise: for each of `noise_shapes_in_use`, [N, 1, h, w].
    """
    if isinstance(G, GrowingGenerator):
        return G.synthesis(ws, noise_mode="random", noise=noise, image_size="native")
    return G.synthesis(ws, noise_mode="random", noise=noise)


def fade_reals(images: torch.Tensor, lod: float) -> torch.Tensor:
    """Returns real images with the detail that generated ones have at a lod.

    Args:
        images: [N, C, H, W] of full size.
        lod: how far the networks have grown; its fraction is the share of half the resolution.

    Returns:
        [N, C, H / 2^floor(lod), W / 2^floor(lod)].

    Source: Karras et al. 2018, section 2 and figure 2.
    """
    halvings = math.floor(lod)
    images = box_downscale(images, 1 << halvings)
    share = lod - halvings
    return images.lerp(nearest_upscale(box_downscale(images, 2), 2), share) if share else images


def layers_from_image(D: Discriminator) -> Sequence[torch.nn.Module]:
    """Returns D's convolutions at full size in the order in which an image passes them."""
    blocks = [D.get_submodule(name) for name in reversed(D.config.block_names)]
    children = [layer for block in blocks for layer in block.children()]
    layers = [layer for layer in children if isinstance(layer, Conv | GrowingConv)]
    if isinstance(D, GrowingDiscriminator):
        # The blocks below have image layers of their own, which only smaller images pass.
        unused = {block.get_submodule("fromrgb") for block in blocks[1:]}
        layers = [layer for layer in layers if layer not in unused]
    return layers
