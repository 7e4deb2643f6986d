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
from stylegraft.training.config import AugmentMode, Family, RunConfig, TrainOptions
from stylegraft.training.growing import Stage
from stylegraft.training.new_networks import discriminator_beside, new_generator
from stylegraft.training.plan_freezing import check_freezing
from stylegraft.training.plan_growing import plan_growing
from stylegraft.training.presets import (
    EMA_RAMPUP_ON_TRANSFER,
    choose_preset,
    ema_half_life_kimg,
    learning_rate,
    path_length_weight,
    r1_gamma,
)
from stylegraft.training.source import networks_from, source_config

DEFAULT_MINUTES = 20.0
_FIXED_P = 0.2


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
        source: trained networks to start from; they decide the architecture, as far as flags do not.

    Raises:
        ConfigError: the image size fits no base.
        InputError: batch and micro-batch, source and images, or flags and family, do not fit each other; or
            there is nothing to stop early by.
    """
    source_family: Family | None = None if source is None else source.generator.family
    family, preset = choose_preset(options, source_family, device_type)
    height, width = images.height, images.width
    batch = options.batch or min(preset.batch, _largest_power_of_two(len(split.train_indices)))
    micro_batch = options.micro_batch or batch
    if batch % micro_batch:
        raise InputError(
            f"--micro-batch {micro_batch}: expected a divisor of the batch, {batch}. "
            f"Use --micro-batch {math.gcd(batch, micro_batch)}."
        )
    if source is None:
        generator = new_generator(family, options, preset, images)
        discriminator = discriminator_beside(generator, options.d_arch)
    else:
        generator, discriminator = networks_from(source, images, options)
    check_freezing(options, source, generator)
    if discriminator.mbstd_group_size is not None:
        group_size = _divisor(micro_batch, discriminator.mbstd_group_size)
        discriminator = discriminator.replace(mbstd_group_size=group_size)
    lr = _or(options.lr, learning_rate(preset, len(generator.channels) - 1))
    full_size = Stage(batch=batch, micro_batch=micro_batch, lr=lr)
    minutes = options.minutes
    if options.kimg is None and minutes is None:
        minutes = DEFAULT_MINUTES
    aug = options.aug or preset.aug
    return RunConfig(
        family=family,
        data_path=str(images.path.resolve()),
        data=data,
        data_hash=images.content_hash,
        generator=generator,
        discriminator=discriminator,
        source=source and source_config(source),
        seed=options.seed,
        total_kimg=options.kimg,
        total_minutes=minutes,
        batch=batch,
        micro_batch=micro_batch,
        precision=precision,
        threads=options.threads,
        growing=plan_growing(options, preset, generator, full_size, source),
        lr=lr,
        lr_mapping=options.lr_mapping,
        lr_synthesis=options.lr_synthesis,
        lr_d=options.lr_d,
        freeze_d=options.freeze_d,
        freeze_mapping=options.freeze_mapping,
        freeze_synthesis=options.freeze_synthesis,
        match_tones=options.match_tones and source is not None,
        r1_gamma=_or(options.gamma, r1_gamma(preset, height, width, batch)),
        r1_interval=preset.r1_interval,
        pl_weight=_or(options.pl_weight, path_length_weight(preset, height, width)),
        mixing_prob=_or(options.mixing_prob, preset.mixing_prob),
        ema_kimg=_or(options.ema_kimg, ema_half_life_kimg(preset, batch)),
        ema_rampup=_or(options.ema_rampup, preset.ema_rampup if source is None else EMA_RAMPUP_ON_TRANSFER),
        label_groups=options.label_groups and images.class_indices is not None,
        balance_classes=_balance(options, images),
        augment=None if aug == "none" else augment_preset(options.aug_preset),
        ada=_ada(options, aug, preset.ada_kimg if source is None else ADA_KIMG_ON_TRANSFER),
        early_stop_kimg=_early_stop(options, split),
        save_minutes=options.save_minutes,
        num_checkpoints=options.num_checkpoints,
        on_divergence=options.on_divergence,
        tensorboard=options.tensorboard,
    )


def _early_stop(options: TrainOptions, split: Split) -> float | None:
    if options.early_stop is None:
        return None
    if not len(split.holdout_indices):
        reason = f" ({split.note})" if split.note else ""
        raise InputError(
            f"--early-stop {options.early_stop:g}: expected held-out images to judge by, got none{reason}. "
            "Leave --early-stop out, or hold images out with --holdout."
        )
    if options.eval_share == 0:
        raise InputError(
            f"--early-stop {options.early_stop:g}: expected distances to judge by, got --eval-share 0. "
            "Leave one of the two out."
        )
    return options.early_stop


def _balance(options: TrainOptions, images: ImageSet) -> bool:
    if not options.balance_classes:
        return False
    if images.class_indices is None:
        raise InputError(
            f"--balance-classes: expected a set with classes, got {images.path} without. "
            "Leave it out, or sort the images into a folder a class."
        )
    if not options.label_groups:
        raise InputError(
            "--balance-classes: expected --label-groups, its way of drawing. Leave one of the two out."
        )
    return True


def _divisor(micro_batch: int, wanted: int) -> int:
    """The smallest divisor of the micro-batch that is `wanted` or more; `wanted` if there is none."""
    return next((size for size in range(wanted, micro_batch + 1) if micro_batch % size == 0), wanted)


def _ada(options: TrainOptions, aug: AugmentMode, default_kimg: float) -> AdaConfig:
    if aug == "none":
        return AdaConfig(mode="fixed", p=0.0)  # or p would move and be warned of, without any effect
    if aug == "fixed":
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
