"""Writes StyleGAN2 networks as the `.pt` that rosinality's stylegan2-pytorch samples from.

The layout is that of its converted files: `g_ema`, `latent_avg`, and `g` and `d` where there are such. Its
code makes one kind of network only, so what a network has beyond that is refused before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from stylegraft.checkpoints.building import check_network
from stylegraft.checkpoints.foreign.rosinality_layout import (
    FilterRow,
    Row,
    discriminator_filters,
    discriminator_rows,
    generator_filters,
    generator_rows,
    stock_discriminator,
    stock_generator,
)
from stylegraft.checkpoints.outline import outline
from stylegraft.config import Config
from stylegraft.errors import CheckpointError, ConfigError
from stylegraft.files import atomic_file
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, channels_per_block
from stylegraft.networks.stylegan2 import Discriminator, Generator
from stylegraft.ops.filters import setup_filter

_NUM_TAPS = 4
_CHANNEL_MAX = 512
_CHANNEL_BASE = 16384  # times channel_multiplier

Networks = Mapping[str, Mapping[str, torch.Tensor]]


def write_rosinality(
    path: str | Path, generator: Config, discriminator: Config | None, tensors: Networks
) -> list[str]:
    """Writes the file; see `to_rosinality` for arguments, result and errors.

    Raises:
        RunError: the disk is full or cannot be written; nothing is left behind.
    """
    state, notes = to_rosinality(generator, discriminator, tensors)
    with atomic_file(path) as file:
        torch.save(state, file)
    return notes


def to_rosinality(
    generator: Config, discriminator: Config | None, tensors: Networks
) -> tuple[dict[str, Any], list[str]]:
    """Returns the content of the file, dicts of float32 tensors on the CPU, and notes for whoever uses it.

    Args:
        generator: config of G and G_ema.
        discriminator: config of D; None leaves D out.
        tensors: under our names, for "G_ema" (or "G" in its place) and where there are such for "G" and "D".

    Raises:
        CheckpointError: names the settings that its code has no counterpart for, or tensors that are missing.
    """
    average = tensors.get("G_ema", tensors.get("G"))
    if not isinstance(generator, GeneratorConfig) or average is None:
        raise _refused(["it is no StyleGAN2 generator with weights"])
    stock = _closest_generator(generator)
    problems = _differences("", generator, stock)
    if discriminator is not None:
        if not isinstance(discriminator, DiscriminatorConfig):
            raise _refused(["its discriminator is not StyleGAN2's"])
        problems += _differences("discriminator.", discriminator, _closest_discriminator(discriminator))
    if problems:
        raise _refused(problems)

    state: dict[str, Any] = {
        "g_ema": _generator_state(generator, average, "G_ema"),
        "latent_avg": _plain(average["mapping.w_avg"]),
    }
    if "G" in tensors:
        state["g"] = _generator_state(generator, tensors["G"], "G")
    if discriminator is not None and "D" in tensors:
        state["d"] = _discriminator_state(discriminator, tensors["D"])
    return state, _notes(generator)


def _closest_generator(config: GeneratorConfig) -> GeneratorConfig:
    """What its code would make of the sizes of a config; only without noise there is a free choice."""
    try:
        stock = stock_generator(
            config.channels, config.mapping.w_dim, config.mapping.num_layers, _taps(config.resample_filter)
        )
    except ConfigError as error:
        raise _refused([str(error)]) from None
    # A layer without noise is one with noise of no strength; the decay of w_avg is no part of the file.
    mapping = stock.mapping
    if config.mapping.w_avg_beta is not None:
        mapping = mapping.replace(w_avg_beta=config.mapping.w_avg_beta)
    return stock.replace(use_noise=config.use_noise, mapping=mapping)


def _closest_discriminator(config: DiscriminatorConfig) -> DiscriminatorConfig:
    try:
        return stock_discriminator(config.channels, _taps(config.resample_filter))
    except ConfigError as error:
        raise _refused([str(error)]) from None


def _taps(taps: tuple[float, ...] | None) -> tuple[float, ...]:
    """Its code sets aside room for four taps, and their values come from the file."""
    return taps if taps is not None and len(taps) == _NUM_TAPS else (1.0, 3.0, 3.0, 1.0)


def _differences(path: str, config: Config, stock: Config) -> list[str]:
    """The fields in which a config differs from what its code makes, nested ones by their dotted names."""
    problems = []
    for name in type(config).model_fields:
        ours, theirs = getattr(config, name), getattr(stock, name)
        if isinstance(ours, Config) and isinstance(theirs, Config):
            problems += _differences(f"{path}{name}.", ours, theirs)
        elif ours != theirs:
            shown = "a mapping network" if isinstance(ours, Config) else ours
            problems.append(f"{path}{name} is {shown} where its code has {theirs}")
    return problems


def _generator_state(
    config: GeneratorConfig, tensors: Mapping[str, torch.Tensor], name: str
) -> dict[str, torch.Tensor]:
    check_network(Generator, config, dict(tensors), name)
    with_noise = outline(Generator, config.replace(use_noise=True)).state_dict()
    silent = {key: torch.zeros(value.shape) for key, value in with_noise.items() if key not in tensors}
    num_blocks = len(config.channels)
    rows = generator_rows(num_blocks, config.mapping.num_layers)
    return _state(rows, generator_filters(num_blocks), {**tensors, **silent}, config.resample_filter)


def _discriminator_state(
    config: DiscriminatorConfig, tensors: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    check_network(Discriminator, config, dict(tensors), "D")
    num_blocks = len(config.channels)
    filters = discriminator_filters(num_blocks)
    return _state(discriminator_rows(num_blocks), filters, tensors, config.resample_filter)


def _state(
    rows: list[Row],
    filters: list[FilterRow],
    tensors: Mapping[str, torch.Tensor],
    taps: tuple[float, ...] | None,
) -> dict[str, torch.Tensor]:
    state = {}
    for row in rows:
        tensor = _plain(tensors[row.ours])
        state[row.theirs] = tensor.reshape(row.their_shape(tuple(tensor.shape)))
    for row in filters:
        state[row.theirs] = setup_filter(taps) * row.gain
    return state


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """A float32 copy, so that the file holds these elements and not the storage they are a view of."""
    return tensor.detach().to("cpu", torch.float32, copy=True).contiguous()


def _notes(config: GeneratorConfig) -> list[str]:
    """What a user of the file has to know: its code computes the feature maps from one number."""
    doublings = len(config.channels) - 1
    for multiplier in (1, 2):
        if config.channels == channels_per_block(doublings, _CHANNEL_BASE * multiplier, _CHANNEL_MAX):
            return [f"load it with size {config.img_height}, channel_multiplier {multiplier}"]
    sides = ", ".join(f"{4 << block}: {count}" for block, count in enumerate(config.channels))
    return [
        f"its code computes other feature maps for {config.img_height} px: set the table `channels` in its "
        f"Generator and Discriminator to {{{sides}}} before loading"
    ]


def _refused(problems: list[str]) -> CheckpointError:
    return CheckpointError(
        f"cannot be written as a rosinality file: {'; '.join(problems)}. "
        "Write the native format, which holds every network."
    )
