"""Least squares for the layers at the image of a StyleGAN2 network whose blocks were cut or added.

The rest of the network stays; its layer to (or from) RGB is linear (up to an activation), so that the
weights under which it does what the whole network did, on pictures of fixed seeds, have a closed form: ridge
regression towards the weights that are there, with sums in float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch

from stylegraft.checkpoints.surgery.graft import Graft
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.sampling import labels_of_seeds, latents_of_seeds
from stylegraft.networks.stylegan2 import Discriminator, DiscriminatorBlock, Generator
from stylegraft.ops.bias_act import ACTIVATIONS
from stylegraft.ops.upfirdn import downsample2d, upsample2d

_NUM_PICTURES, _AT_A_TIME = 32, 4
_RIDGE = 1e-4

Latents = Sequence[tuple[torch.Tensor, torch.Tensor | None]]
"""Batches of z [N, z_dim] and labels [N, c_dim]."""


_Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
"""Inputs [N, I, ...], outputs [N, O, ...] and how much each output counts, or None: all the same."""


@dataclass(frozen=True)
class Pictures:
    """What a network makes.

    Attributes:
        latents: what it makes them of.
        images: a batch each, [N, C, H, W]; to be gone through once.
    """

    latents: Latents
    images: Iterable[torch.Tensor]


def latents(config: GeneratorConfig) -> Latents:
    """Returns the latents of seeds 0, 1, ... with classes in turn."""
    batches = []
    for start in range(0, _NUM_PICTURES, _AT_A_TIME):
        seeds = range(start, start + _AT_A_TIME)
        batches.append((latents_of_seeds(seeds, config.mapping.z_dim), labels_of_seeds(seeds, config.c_dim)))
    return batches


def pictures(network: torch.nn.Module, of: Latents) -> Pictures:
    """Returns what a generator makes of latents, when it is asked for: many large ones take memory."""
    return Pictures(of, (network(z, c) for z, c in of))


def pictures_upsampled(network: torch.nn.Module, of: Latents) -> Pictures:
    """Returns what a generator makes, at twice the size."""
    taps = cast("Generator", network).synthesis.blocks[-1].resample_filter
    return Pictures(of, (upsample2d(network(z, c), taps) for z, c in of))


def pictures_downsampled(network: torch.nn.Module, of: Latents, halvings: int) -> Pictures:
    """Returns what a generator makes, halved in size so often."""
    taps = cast("Generator", network).synthesis.blocks[-1].resample_filter
    return Pictures(of, (_halved(network(z, c), taps, halvings) for z, c in of))


def _halved(images: torch.Tensor, taps: torch.Tensor | None, times: int) -> torch.Tensor:
    for _ in range(times):
        images = downsample2d(images, taps)
    return images


@torch.no_grad()
def fit_generator(graft: Graft[GeneratorConfig], targets: Pictures, why: str) -> None:
    """Fits the last layer to RGB, so that the generator makes the targets of their latents.

    Args:
        graft: the generator; its last block has a layer to RGB.
        targets: pictures of its size.
        why: for the report.
    """
    network = cast("Generator", graft.built())
    name = f"synthesis.{graft.config.block_names[-1]}.torgb"
    torgb = network.synthesis.blocks[-1].torgb

    def pairs() -> Iterable[_Batch]:
        for (z, c), images in zip(targets.latents, targets.images):
            ws = network.mapping(z, c)
            x, below = _before_last_layer(network, ws)
            styles = torgb.affine(ws[:, -1]) * torgb.weight_gain
            yield x * styles[:, :, None, None], images if below is None else images - below, None

    weight, bias = _ridge(pairs(), torgb.weight[:, :, 0, 0], torgb.bias)
    graft.reshape(f"{name}.weight", weight[:, :, None, None], why)
    graft.reshape(f"{name}.bias", bias, why)


def _before_last_layer(network: Generator, ws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The features that the last layer to RGB reads, and the picture so far, of full size."""
    synthesis = network.synthesis
    w_of_layer, noises = synthesis.checked(ws, "const", None)
    x = image = None
    first = 0
    for block in synthesis.blocks:
        if block is synthesis.blocks[-1]:
            x = block.features(x, w_of_layer[first:], noises, torch.float32)
            image = None if image is None else upsample2d(image, block.resample_filter)
        else:
            x, image = block(x, image, w_of_layer[first:], noises, torch.float32)
        first += block.num_conv
    assert x is not None
    return x, image


@torch.no_grad()
def fit_discriminator(
    graft: Graft[DiscriminatorConfig], whole: torch.nn.Module, pictures: Pictures, halvings: int
) -> None:
    """Fits the first layer from RGB, so that smaller pictures give the features that the larger ones gave.

    The features are traced back through the activation, and errors weigh as much as they do behind it.

    Args:
        graft: the discriminator that was cut; its largest block has a layer from RGB.
        whole: the discriminator before.
        pictures: of its size.
        halvings: of the size, that were cut.
    """
    name = graft.config.block_names[-1]
    activation = ACTIVATIONS[graft.config.activation]
    if not activation.homogeneous:
        return  # the features cannot be traced back through it
    slope = -float(activation.apply(torch.tensor([-1.0]), activation.alpha, False))
    block = cast("DiscriminatorBlock", cast("Discriminator", whole).get_submodule(name))
    seen: list[torch.Tensor] = []
    handle = block.conv0.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))

    def pairs() -> Iterable[_Batch]:
        for (_, c), images in zip(pictures.latents, pictures.images):
            seen.clear()
            whole(images, c)
            features = seen[0] / activation.gain
            slopes = torch.where(features < 0, slope, 1.0)
            before = features / slopes if slope else features
            yield _halved(images, block.resample_filter, halvings), before, slopes.square()

    gain = graft.gain(f"{name}.fromrgb.weight")
    start = graft.tensors[f"{name}.fromrgb.weight"][:, :, 0, 0] * gain
    weight, bias = _ridge(pairs(), start, graft.tensors[f"{name}.fromrgb.bias"])
    handle.remove()
    why = "fitted to the features of the old pictures"
    graft.reshape(f"{name}.fromrgb.weight", weight[:, :, None, None] / gain, why)
    graft.reshape(f"{name}.fromrgb.bias", bias, why)


def _ridge(
    batches: Iterable[_Batch], weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns weight [O, I] and bias [O] near the given ones."""
    start = torch.cat([weight, bias[:, None]], dim=1).double()  # [O, I + 1]
    covariances = torch.zeros(1, start.shape[1], start.shape[1], dtype=torch.float64)
    products = torch.zeros_like(start)
    for inputs, outputs, trust in batches:
        x = _rows(inputs)
        x = torch.cat([x, torch.ones_like(x[:1])])  # [I + 1, samples]
        missing = _rows(outputs) - start @ x
        if trust is None:
            covariances = covariances + x @ x.t()
        else:
            rows = _rows(trust)
            covariances = covariances + torch.stack([(rows * row) @ x.t() for row in x], dim=1)
            missing = missing * rows
        products += missing @ x.t()
    scale = covariances.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    ridge = _RIDGE * scale * torch.eye(start.shape[1], dtype=torch.float64)
    fitted = (start + torch.linalg.solve(covariances + ridge, products[:, :, None])[:, :, 0]).float()
    return fitted[:, :-1].contiguous(), fitted[:, -1].contiguous()


def _rows(maps: torch.Tensor) -> torch.Tensor:
    """Maps [N, C, ...] as float64 [C, samples]."""
    return maps.double().transpose(0, 1).flatten(1)
