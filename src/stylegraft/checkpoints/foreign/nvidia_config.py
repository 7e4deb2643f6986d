"""Infers the configs of official StyleGAN2 networks from their tensors and attributes, never from a preset.

The arguments stored in the file are no help: only explicit ones are there, the defaults changed over the
years, and the two code bases nest them differently. What the layers themselves hold is unambiguous.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch

from stylegraft.checkpoints.foreign.filters import find_taps
from stylegraft.checkpoints.foreign.limits import Reading
from stylegraft.checkpoints.foreign.nvidia_modules import ForeignModule
from stylegraft.config import Config
from stylegraft.errors import CheckpointError, ConfigError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig

_MAX_BLOCKS = 12
_MAX_MAPPING_LAYERS = 64
_MAX_BASE_PX = 64
_MAX_WIDTH = 1 << 16  # features or channels; with it no product of sizes can overflow
_MAX_FILTER_TAPS = 1024

_C = TypeVar("_C", bound=Config)


def infer_generator(network: ForeignModule, reading: Reading) -> GeneratorConfig:
    """Returns the config of a StyleGAN2 generator.

    Raises:
        CheckpointError: it is StyleGAN3 or of unknown layout.
    """
    synthesis, mapping = network.child("synthesis"), network.child("mapping")
    if "input" in synthesis:
        raise CheckpointError(
            f"cannot read {reading.source}: expected a StyleGAN2 generator, got StyleGAN3, which is not "
            "supported yet. Use a StyleGAN2 file."
        )
    blocks = _blocks(synthesis)
    first, last = blocks[0], blocks[-1]
    const = first.shape("const")
    if len(const) != 3 or max(const[1:]) > _MAX_BASE_PX:
        raise first.unknown_layout(f"a const of shape {list(const)}")
    doublings = len(blocks) - 1
    return _config(
        GeneratorConfig,
        network,
        img_height=const[1] << doublings,
        img_width=const[2] << doublings,
        img_channels=_length(last.child("torgb"), "bias"),
        channels=tuple(_length(block.child("conv1"), "bias") for block in blocks),
        architecture=last.text("architecture"),
        activation=last.child("conv1").text("activation"),
        conv_clamp=last.child("conv1").optional_number("conv_clamp"),
        use_noise="noise_strength" in last.child("conv1").tensors,
        resample_filter=_taps(last, reading),
        mapping=_infer_mapping(mapping, z_dim=network.whole("z_dim"), num_ws=network.whole("num_ws")),
    )


def infer_discriminator(
    network: ForeignModule, generator: GeneratorConfig, reading: Reading
) -> DiscriminatorConfig:
    """Returns the config of a StyleGAN2 discriminator; the image size is the generator's.

    Raises:
        CheckpointError: it is of unknown layout.
    """
    blocks = _blocks(network)
    if len(blocks) != len(generator.channels):
        raise network.unknown_layout(
            f"{len(blocks)} blocks where the generator has {len(generator.channels)}"
        )
    epilogue, last = blocks[0], blocks[-1]
    conv = epilogue.child("conv")
    mbstd = epilogue.child("mbstd") if "mbstd" in epilogue else None
    mapping = network.child("mapping") if "mapping" in network else None
    return _config(
        DiscriminatorConfig,
        network,
        img_height=generator.img_height,
        img_width=generator.img_width,
        img_channels=network.whole("img_channels"),
        channels=tuple(
            _length(block.child("conv" if block is epilogue else "conv0"), "bias") for block in blocks
        ),
        architecture=epilogue.text("architecture"),
        activation=conv.text("activation"),
        conv_clamp=conv.optional_number("conv_clamp"),
        resample_filter=_taps(last, reading) if last is not epilogue else generator.resample_filter,
        mapping=_infer_mapping(mapping, z_dim=0, num_ws=None) if mapping else None,
        mbstd_group_size=mbstd.optional_number("group_size") if mbstd else None,
        mbstd_num_channels=mbstd.whole("num_channels") if mbstd else 0,
    )


def _infer_mapping(mapping: ForeignModule, z_dim: int, num_ws: int | None) -> MappingConfig:
    num_layers = 0
    while f"fc{num_layers}" in mapping:
        num_layers += 1
        if num_layers > _MAX_MAPPING_LAYERS:
            raise mapping.unknown_layout(f"more than {_MAX_MAPPING_LAYERS} layers")
    if not num_layers:
        raise mapping.unknown_layout("no layers")
    if z_dim > _MAX_WIDTH:
        raise mapping.unknown_layout(f"z_dim {z_dim}")
    layers = [mapping.child(f"fc{index}") for index in range(num_layers)]
    w_dim = _length(layers[-1], "bias")
    hidden = _length(layers[0], "bias")
    c_dim, embedded = 0, w_dim
    if "embed" in mapping:
        embed = mapping.child("embed")
        embedded = _length(embed, "bias")
        c_dim = (embed.shape("weight") or (0,))[-1]
    return _config(
        MappingConfig,
        mapping,
        z_dim=z_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        num_layers=num_layers,
        embed_features=None if embedded == w_dim else embedded,
        layer_features=None if hidden == w_dim else hidden,
        activation=layers[0].text("activation"),
        lr_multiplier=layers[0].number("bias_gain"),
        w_avg_beta=None if num_ws is None else mapping.optional_number("w_avg_beta"),
    )


def _blocks(parent: ForeignModule) -> list[ForeignModule]:
    """The blocks b4, b8, ... smallest first; the official code knows no other base than 4 px."""
    blocks = []
    while (name := f"b{4 << len(blocks)}") in parent:
        blocks.append(parent.child(name))
        if len(blocks) > _MAX_BLOCKS:
            raise parent.unknown_layout(f"more than {_MAX_BLOCKS} blocks")
    if not blocks:
        raise parent.unknown_layout("no block b4")
    return blocks


def _length(module: ForeignModule, tensor: str) -> int:
    shape = module.shape(tensor)
    if len(shape) != 1 or shape[0] > _MAX_WIDTH:
        raise module.unknown_layout(f"{tensor} of shape {list(shape)}")
    return shape[0]


def _taps(block: ForeignModule, reading: Reading) -> tuple[float, ...]:
    """The taps of a block's FIR buffer."""
    shape = block.shape("resample_filter")
    if math.prod(shape) > _MAX_FILTER_TAPS:
        raise block.unknown_layout(f"a resample_filter of shape {list(shape)}")
    taps = find_taps(block.tensors["resample_filter"].to_torch(reading).to(torch.float32))
    if taps is None:
        raise block.unknown_layout(f"a resample_filter {list(shape)} that is no outer product of finite taps")
    return taps


def _config(kind: type[_C], module: ForeignModule, **values: object) -> _C:
    try:
        return kind(**values)
    except ConfigError as error:
        raise module.unknown_layout(f"values that make no network: {error}") from None
