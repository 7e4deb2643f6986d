"""Whether what is to be frozen is there, and worth keeping."""

from __future__ import annotations

import torch

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.errors import InputError
from stylegraft.networks.families import GeneratorConfig
from stylegraft.networks.making import make_discriminator
from stylegraft.training.config import TrainOptions
from stylegraft.training.fading import layers_from_image


def check_freezing(
    options: TrainOptions, source: OpenedCheckpoint | None, generator: GeneratorConfig
) -> None:
    """Refuses to freeze what has learned nothing, or everything.

    Args:
        options: the user's flags.
        source: trained networks to start from, or None.
        generator: of the run.

    Raises:
        InputError: there is no source, it lacks what is to be frozen, or nothing of G would be trained.
    """
    asked = [name for name in ("freeze_d", "freeze_mapping", "freeze_synthesis") if getattr(options, name)]
    if not asked:
        return
    if source is None:
        flags = ", ".join("--" + name.replace("_", "-") for name in asked)
        raise InputError(
            f"{flags}: expected --from, for new networks have learned nothing worth keeping. Leave out."
        )
    if options.freeze_d:
        _check_discriminator(options.freeze_d, source, generator)
    if options.freeze_mapping and generator.c_dim not in (0, source.generator.c_dim):
        raise InputError(
            f"--freeze-mapping: expected the source's {source.generator.c_dim} classes, for the mapping "
            f"network would have to learn the set's {generator.c_dim}. Leave it out, or use --labels none."
        )
    if options.freeze_synthesis:
        _check_synthesis(options, source.generator, generator)


def _check_discriminator(count: int, source: OpenedCheckpoint, generator: GeneratorConfig) -> None:
    old = source.discriminator
    if old is None:
        raise InputError(f"--freeze-d {count}: the source of --from has no discriminator. Leave it out.")
    before, after = f"{old.img_height}x{old.img_width}", f"{generator.img_height}x{generator.img_width}"
    if before != after:
        raise InputError(
            f"--freeze-d {count}: D's layers at the image are new, for the source's images have {before} px "
            f"and the set's {after}. Leave it out, or use --size {before} --fit crop."
        )
    if old.channels[-1] < generator.channels[-1]:
        raise InputError(f"--freeze-d {count}: some of D's feature maps at the image are new. Leave it out.")
    with torch.device("meta"):  # an outline, to count in
        most = len(layers_from_image(make_discriminator(old)))
    if count > most:
        raise InputError(
            f"--freeze-d {count}: expected at most {most}, so many convolutions has D of the source. "
            f"Use --freeze-d {most} or, as is usual, 2 to 5."
        )


def _check_synthesis(options: TrainOptions, old: GeneratorConfig, new: GeneratorConfig) -> None:
    count, most = options.freeze_synthesis, min(len(old.channels), len(new.channels))
    if options.freeze_mapping and most == len(new.channels):
        most -= 1  # or nothing of G would be trained
    if count > most:
        raise InputError(
            f"--freeze-synthesis {count}: expected at most {most} blocks, so many as the source has, and as "
            f"leave something of G to train. Use --freeze-synthesis {most}."
        )
    if any(before < after for before, after in zip(old.channels[:count], new.channels[:count])):
        raise InputError(
            f"--freeze-synthesis {count}: some feature maps of these blocks are new. Leave --channel-base "
            "and --channel-max out."
        )
