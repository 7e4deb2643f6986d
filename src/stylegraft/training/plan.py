"""From flags and an image set to a resolved `RunConfig`: what the user left open is chosen here."""

from __future__ import annotations

import math
from typing import Literal

from stylegraft.augment.config import ADA_KIMG_ON_TRANSFER, AdaConfig, augment_preset
from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.split import Split
from stylegraft.errors import InputError
from stylegraft.networks.config import (
    Architecture,
    DiscriminatorConfig,
    GeneratorConfig,
    MappingConfig,
    base_size,
    channels_per_block,
)
from stylegraft.training.config import RunConfig, SourceConfig, TrainOptions
from stylegraft.training.presets import (
    PRESETS,
    Preset,
    channel_base,
    ema_half_life_kimg,
    path_length_weight,
    r1_gamma,
)
from stylegraft.training.source import check_fit

DEFAULT_MINUTES = 20.0
_FIXED_P = 0.2
_EMA_RAMPUP = 0.05


def plan_run(
    options: TrainOptions,
    images: ImageSet,
    split: Split,
    data: DataConfig,
    device_type: str,
    precision: Literal["fp32", "bf16"],
    source: OpenedCheckpoint | None = None,
) -> RunConfig:
    """Returns the settings of a run, without the schedule of distances (see `estimate.with_schedule`).

    Args:
        options: the user's flags; None fields are filled from the preset.
        images: the opened set.
        split: its training and held-out parts.
        data: how the set was read.
        device_type: "cpu" or "cuda".
        precision: "fp32" or "bf16", resolved.
        source: trained networks to start from; they decide the architecture.

    Raises:
        ConfigError: the image size fits no base.
        InputError: batch and micro-batch, or source and images, do not fit each other.
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
    if source is None:
        generator, discriminator = _new_networks(options, preset, images)
    else:
        check_fit(source.generator, images, options)
        generator = source.generator
        discriminator = source.discriminator or _discriminator_beside(generator, options.d_arch)
    if discriminator.mbstd_group_size is not None:
        group_size = _divisor(micro_batch, discriminator.mbstd_group_size)
        discriminator = discriminator.replace(mbstd_group_size=group_size)
    minutes = options.minutes
    if options.kimg is None and minutes is None:
        minutes = DEFAULT_MINUTES
    return RunConfig(
        data_path=str(images.path.resolve()),
        data=data,
        data_hash=images.content_hash,
        generator=generator,
        discriminator=discriminator,
        source=source and SourceConfig(path=source.info["path"], sha256=source.info["sha256"]),
        seed=options.seed,
        total_kimg=options.kimg,
        total_minutes=minutes,
        batch=batch,
        micro_batch=micro_batch,
        precision=precision,
        lr=_or(options.lr, preset.lr),
        freeze_d=options.freeze_d,
        r1_gamma=_or(options.gamma, r1_gamma(preset, height, width, batch)),
        pl_weight=_or(options.pl_weight, path_length_weight(preset, height, width)),
        mixing_prob=_or(options.mixing_prob, preset.mixing_prob),
        ema_kimg=_or(options.ema_kimg, ema_half_life_kimg(batch)),
        ema_rampup=_or(options.ema_rampup, _EMA_RAMPUP if source is None else 0.0),
        augment=None if options.aug == "none" else augment_preset(options.aug_preset),
        ada=_ada(options, preset.ada_kimg if source is None else ADA_KIMG_ON_TRANSFER),
        save_minutes=options.save_minutes,
        num_checkpoints=options.num_checkpoints,
        on_divergence=options.on_divergence,
        tensorboard=options.tensorboard,
    )


def _new_networks(
    options: TrainOptions, preset: Preset, images: ImageSet
) -> tuple[GeneratorConfig, DiscriminatorConfig]:
    _, _, doublings = base_size(images.height, images.width)
    generator = GeneratorConfig(
        img_height=images.height,
        img_width=images.width,
        img_channels=images.num_channels,
        channels=channels_per_block(
            doublings,
            options.channel_base or channel_base(preset, doublings),
            options.channel_max or preset.channel_max,
        ),
        conv_clamp=options.conv_clamp,
        mapping=MappingConfig(
            z_dim=options.z_dim or preset.latent_dim,
            c_dim=images.c_dim,
            w_dim=options.w_dim or preset.latent_dim,
            num_layers=options.mapping_layers or preset.mapping_layers,
        ),
        architecture=options.g_arch,
    )
    return generator, _discriminator_beside(generator, options.d_arch)


def _discriminator_beside(generator: GeneratorConfig, architecture: Architecture) -> DiscriminatorConfig:
    """A discriminator of the generator's size, feature maps and classes."""
    label_mapping = None
    if generator.mapping.c_dim:
        label_mapping = MappingConfig(
            z_dim=0,
            c_dim=generator.mapping.c_dim,
            w_dim=generator.channels[0],
            num_layers=generator.mapping.num_layers,
            w_avg_beta=None,
        )
    return DiscriminatorConfig(
        img_height=generator.img_height,
        img_width=generator.img_width,
        img_channels=generator.img_channels,
        channels=generator.channels,
        conv_clamp=generator.conv_clamp,
        mapping=label_mapping,
        architecture=architecture,
    )


def _divisor(micro_batch: int, wanted: int) -> int:
    """The smallest divisor of the micro-batch that is `wanted` or more; `wanted` if there is none."""
    return next((size for size in range(wanted, micro_batch + 1) if micro_batch % size == 0), wanted)


def _ada(options: TrainOptions, default_kimg: float) -> AdaConfig:
    if options.aug == "none":
        return AdaConfig(mode="fixed", p=0.0)  # or p would move and be warned of, without any effect
    if options.aug == "fixed":
        return AdaConfig(mode="fixed", p=_or(options.aug_p, _FIXED_P), cap=1.0)
    return AdaConfig(
        mode="adaptive",
        p=_or(options.aug_p, 0.0),
        target=options.ada_target,
        kimg=_or(options.ada_kimg, default_kimg),
        cap=options.ada_p_max,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _largest_power_of_two(limit: int) -> int:
    return 1 << max(limit.bit_length() - 1, 0)
