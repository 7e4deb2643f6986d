"""The configs of networks that start anew: sizes from the preset and the flags, shapes from the images."""

from __future__ import annotations

from typing import Any

from stylegraft.data.dataset import ImageSet
from stylegraft.errors import InputError
from stylegraft.networks import config as stylegan2
from stylegraft.networks.config import base_size, channels_per_block
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.stylegan1 import config as stylegan1
from stylegraft.training.config import Family, TrainOptions
from stylegraft.training.presets import Preset, channel_base

_ONLY_STYLEGAN2 = ("g_arch", "d_arch", "conv_clamp")


def new_generator(family: Family, options: TrainOptions, preset: Preset, images: ImageSet) -> GeneratorConfig:
    """Returns a generator for images of a set.

    Raises:
        ConfigError: the image size fits no base.
        InputError: a flag chooses what the family has no choice of.
    """
    _, _, doublings = base_size(images.height, images.width)
    sizes: dict[str, Any] = {
        "img_height": images.height,
        "img_width": images.width,
        "img_channels": images.num_channels,
        "channels": channels_per_block(
            doublings,
            options.channel_base or channel_base(preset, doublings),
            options.channel_max or preset.channel_max,
        ),
    }
    mapping: dict[str, Any] = {
        "z_dim": options.z_dim or preset.latent_dim,
        "c_dim": images.c_dim,
        "w_dim": options.w_dim or preset.latent_dim,
        "num_layers": options.mapping_layers or preset.mapping_layers,
    }
    if family == "stylegan2":
        return stylegan2.GeneratorConfig(
            **sizes,
            mapping=stylegan2.MappingConfig(**mapping),
            conv_clamp=options.conv_clamp,
            architecture=options.g_arch,
        )
    default = TrainOptions()
    ignored = [name for name in _ONLY_STYLEGAN2 if getattr(options, name) != getattr(default, name)]
    if ignored:
        flags = ", ".join("--" + name.replace("_", "-") for name in ignored)
        raise InputError(f"{flags}: StyleGAN v1 has no such choice. Leave out, or use --family stylegan2.")
    return stylegan1.GeneratorConfig(**sizes, mapping=stylegan1.MappingConfig(**mapping))


def discriminator_beside(
    generator: GeneratorConfig, architecture: stylegan2.Architecture
) -> DiscriminatorConfig:
    """Returns a discriminator of the generator's family, size, feature maps and classes.

    Args:
        generator: whose images it is to judge.
        architecture: of a StyleGAN2 discriminator.
    """
    sizes: dict[str, Any] = {name: getattr(generator, name) for name in stylegan2.ImageSizes.model_fields}
    if isinstance(generator, stylegan1.GeneratorConfig):
        return stylegan1.DiscriminatorConfig(
            **sizes, blur_filter=generator.blur_filter, c_dim=generator.c_dim
        )
    label_mapping = None
    if generator.mapping.c_dim:
        label_mapping = stylegan2.MappingConfig(
            z_dim=0,
            c_dim=generator.mapping.c_dim,
            w_dim=generator.channels[0],
            num_layers=generator.mapping.num_layers,
            w_avg_beta=None,
        )
    return stylegan2.DiscriminatorConfig(
        **sizes, conv_clamp=generator.conv_clamp, mapping=label_mapping, architecture=architecture
    )
