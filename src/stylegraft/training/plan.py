"""From flags and an image set to a resolved `RunConfig`: what the user left open is chosen here."""

from __future__ import annotations

import math
from typing import Any, Literal

from stylegraft.augment.config import ADA_KIMG_FROM_SCRATCH, AdaConfig, augment_preset
from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.split import Split
from stylegraft.errors import InputError
from stylegraft.networks.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    MappingConfig,
    base_size,
    channels_per_block,
)
from stylegraft.training.config import RunConfig, TrainOptions
from stylegraft.training.presets import PRESETS, Preset, ema_half_life_kimg, path_length_weight, r1_gamma

DEFAULT_MINUTES = 20.0
_FIXED_P = 0.2


def plan_run(
    options: TrainOptions,
    images: ImageSet,
    split: Split,
    data: DataConfig,
    device_type: str,
    precision: Literal["fp32", "bf16"],
) -> RunConfig:
    """Returns the settings of a run, without the schedule of distances (see `estimate.with_schedule`).

    Args:
        options: the user's flags; None fields are filled from the preset.
        images: the opened set.
        split: its training and held-out parts.
        data: how the set was read.
        device_type: "cpu" or "cuda".
        precision: "fp32" or "bf16", resolved.

    Raises:
        ConfigError: the image size fits no base.
        InputError: batch and micro-batch do not fit each other.
    """
    name = options.preset if options.preset != "auto" else ("lite" if device_type == "cpu" else "standard")
    preset = PRESETS[name]
    height, width = images.height, images.width
    batch = options.batch or min(preset.batch, _largest_power_of_two(len(split.train_indices)))
    micro_batch = options.micro_batch or batch
    if batch % micro_batch:
        raise InputError(
            f"--micro-batch {micro_batch}: expected a divisor of the batch, {batch}. "
            f"Use --micro-batch {math.gcd(batch, micro_batch)}."
        )
    generator, discriminator = _networks(options, preset, images)
    minutes = options.minutes
    if options.kimg is None and minutes is None:
        minutes = DEFAULT_MINUTES
    return RunConfig(
        data_path=str(images.path),
        data=data,
        data_hash=images.content_hash,
        generator=generator,
        discriminator=discriminator,
        seed=options.seed,
        total_kimg=options.kimg,
        total_minutes=minutes,
        batch=batch,
        micro_batch=micro_batch,
        precision=precision,
        lr=_or(options.lr, preset.lr),
        freeze_d=options.freeze_d,
        r1_gamma=_or(options.gamma, r1_gamma(height, width, batch)),
        pl_weight=_or(options.pl_weight, path_length_weight(preset, height, width)),
        mixing_prob=_or(options.mixing_prob, preset.mixing_prob),
        ema_kimg=_or(options.ema_kimg, ema_half_life_kimg(batch)),
        ema_rampup=_or(options.ema_rampup, 0.05),
        augment=None if options.aug == "none" else augment_preset(options.aug_preset),
        ada=_ada(options),
        save_minutes=options.save_minutes,
        num_checkpoints=options.num_checkpoints,
        on_divergence=options.on_divergence,
        tensorboard=options.tensorboard,
    )


def _networks(
    options: TrainOptions, preset: Preset, images: ImageSet
) -> tuple[GeneratorConfig, DiscriminatorConfig]:
    _, _, doublings = base_size(images.height, images.width)
    channels = channels_per_block(
        doublings, options.channel_base or preset.channel_base, options.channel_max or preset.channel_max
    )
    common: dict[str, Any] = {
        "img_height": images.height,
        "img_width": images.width,
        "img_channels": images.num_channels,
    }
    common |= {"channels": channels, "conv_clamp": options.conv_clamp}
    mapping = MappingConfig(
        z_dim=options.z_dim or preset.latent_dim,
        c_dim=images.c_dim,
        w_dim=options.w_dim or preset.latent_dim,
        num_layers=options.mapping_layers or preset.mapping_layers,
    )
    label_mapping = None
    if images.c_dim:
        label_mapping = MappingConfig(
            z_dim=0, c_dim=images.c_dim, w_dim=channels[0], num_layers=mapping.num_layers, w_avg_beta=None
        )
    return (
        GeneratorConfig(**common, mapping=mapping, architecture=options.g_arch),
        DiscriminatorConfig(**common, mapping=label_mapping, architecture=options.d_arch),
    )


def _ada(options: TrainOptions) -> AdaConfig:
    if options.aug == "fixed":
        return AdaConfig(mode="fixed", p=_or(options.aug_p, _FIXED_P), cap=1.0)
    return AdaConfig(
        mode="adaptive",
        p=_or(options.aug_p, 0.0),
        target=options.ada_target,
        kimg=_or(options.ada_kimg, ADA_KIMG_FROM_SCRATCH),
        cap=options.ada_p_max,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _largest_power_of_two(limit: int) -> int:
    return 1 << max(limit.bit_length() - 1, 0)
