"""Whether a run grows, and from which size: flags, preset and source decide. No torch."""

from __future__ import annotations

import math

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.errors import InputError
from stylegraft.networks.families import GeneratorConfig
from stylegraft.networks.stylegan1.config import GeneratorConfig as GrowingGeneratorConfig
from stylegraft.training.config import TrainOptions
from stylegraft.training.growing import DEFAULT_GROW_FROM_PX, GrowingConfig, Stage, growing_stages
from stylegraft.training.presets import Preset

_FLAGS = ("grow_from", "start_lod", "stable_kimg", "fade_kimg")


def plan_growing(
    options: TrainOptions,
    preset: Preset,
    generator: GeneratorConfig,
    full_size: Stage,
    source: OpenedCheckpoint | None,
) -> GrowingConfig | None:
    """Returns the schedule of growing; None for networks that have their full size from the first step.

    Args:
        options: the user's flags.
        preset: what is so without them.
        generator: the networks' sizes.
        full_size: how to train at the end.
        source: trained networks to start from, or None.

    Raises:
        InputError: the flags contradict each other, the family, or the sizes there are.
    """
    if not isinstance(generator, GrowingGeneratorConfig):
        default = TrainOptions()
        ignored = [name for name in _FLAGS if getattr(options, name) != getattr(default, name)]
        if ignored:
            flags = ", ".join("--" + name.replace("_", "-") for name in ignored)
            raise InputError(f"{flags}: StyleGAN2 does not grow. Leave out, or use --family stylegan1.")
        return None
    start_lod = _start_lod(options, preset, generator, source)
    if start_lod == 0:
        return None
    lr_rises = preset.lr_rises and options.lr is None
    stages = growing_stages(generator.max_lod, start_lod, full_size, lr_rises)
    return GrowingConfig(stages=stages, stable_kimg=options.stable_kimg, fade_kimg=options.fade_kimg)


def _start_lod(
    options: TrainOptions,
    preset: Preset,
    generator: GrowingGeneratorConfig,
    source: OpenedCheckpoint | None,
) -> int:
    """Halvings from the full size to the images that training begins with."""
    side = min(generator.img_height, generator.img_width)
    base = min(generator.base_height, generator.base_width)
    if options.start_lod is not None:
        if options.grow_from is not None:
            raise InputError("--grow-from, --start-lod: expected one of them. Leave one out.")
        if options.start_lod > generator.max_lod:
            raise InputError(
                f"--start-lod {options.start_lod}: expected at most {generator.max_lod}, which is {base} px "
                f"of {side}. Use --start-lod {generator.max_lod}."
            )
        return options.start_lod
    if options.grow_from is not None and not base <= options.grow_from <= side:
        raise InputError(
            f"--grow-from {options.grow_from}: expected {base} to {side} px, the sizes of these networks. "
            f"Use --grow-from {base}."
        )
    if options.grow_from is None and source is not None:
        # A source that was left while it grew goes on from there; all others are grown, but for blocks that
        # images larger than its own ask for.
        tensors = source.tensors.get("G_ema") or source.tensors["G"]
        new_blocks = len(generator.channels) - len(source.generator.channels)
        return max(math.ceil(float(tensors["synthesis.lod"])) + new_blocks, 0)
    if options.grow_from is None and not preset.grows:
        return 0
    first = options.grow_from or DEFAULT_GROW_FROM_PX
    return max(lod for lod in range(generator.max_lod + 1) if lod == 0 or side >> lod >= first)
