"""The configs of networks after an operation: what was asked for, and all else as in the source."""

from __future__ import annotations

from typing import TypeVar

from stylegraft.errors import InputError
from stylegraft.networks.config import ImageSizes, base_size, channels_per_block
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.stylegan1 import config as stylegan1

_Config = TypeVar("_Config", bound=ImageSizes)
_FEWEST_NEW = 16  # feature maps of a new block, if the source's last has as many


def resized(config: _Config, height: int, width: int) -> _Config:
    """Returns a network for another size of image: more or fewer blocks, or another shape of all of them.

    Args:
        config: of the source.
        height: px.
        width: px.

    Raises:
        ConfigError: the size fits no smallest feature map.
        InputError: the network cannot have the size; says why.
    """
    if (height, width) == (config.img_height, config.img_width):
        return config
    doublings = _doublings(height, config.base_height)
    if doublings is None or doublings != _doublings(width, config.base_width):
        if isinstance(config, stylegan1.GeneratorConfig | stylegan1.DiscriminatorConfig):
            raise InputError("StyleGAN v1 can be doubled or halved in size, its shape stays")
        _, _, doublings = base_size(height, width)
    if doublings < 1:
        raise InputError("a network needs more than its smallest block")
    more = doublings + 1 - len(config.channels)
    if more > 0 and _grows_in_part(config):
        raise InputError("a StyleGAN2 network of the growing kind cannot get new blocks")
    channels = config.channels[: doublings + 1]
    fewest = min(_FEWEST_NEW, channels[-1])
    channels += tuple(max(channels[-1] >> step, fewest) for step in range(1, more + 1))
    return config.replace(img_height=height, img_width=width, channels=channels)


def _doublings(side: int, base: int) -> int | None:
    """How often the base is doubled to the side; None if it is not."""
    times, rest = divmod(side, base)
    return None if rest or times & (times - 1) or not times else times.bit_length() - 1


def _grows_in_part(config: ImageSizes) -> bool:
    """Whether training would not fade new blocks in, although the architecture asks for it."""
    is_stylegan1 = isinstance(config, stylegan1.GeneratorConfig | stylegan1.DiscriminatorConfig)
    return not is_stylegan1 and getattr(config, "architecture", "") == "progressive"


def widths(config: ImageSizes, channel_base: int | None, channel_max: int | None) -> tuple[int, ...]:
    """Returns the feature maps of each block under the papers' rule; None: the source's part of the rule.

    Args:
        config: of the source, at its new size.
        channel_base: feature maps = channel_base / resolution...
        channel_max: ...but no more than this.
    """
    if channel_base is None:
        cap = max(config.channels) if channel_max is None else channel_max
        return tuple(min(channels, cap) for channels in config.channels)
    cap = channel_max or max(config.channels)
    return channels_per_block(len(config.channels) - 1, channel_base, cap)


def with_colour(config: _Config, img_channels: int) -> _Config:
    """Returns a network for grey (1) or RGB (3) images.

    Raises:
        InputError: the source's images are neither.
    """
    if config.img_channels == img_channels:
        return config
    if {config.img_channels, img_channels} != {1, 3}:
        raise InputError("only grey (1) and RGB (3) can be turned into each other")
    return config.replace(img_channels=img_channels)


def with_generator_classes(config: GeneratorConfig, c_dim: int) -> GeneratorConfig:
    """Returns a generator with other classes; 0: none.

    Raises:
        InputError: it has no place for them.
    """
    mapping = config.mapping
    if c_dim == mapping.c_dim:
        return config
    if mapping.num_layers == 0:
        raise InputError("a mapping network without layers has no place for other classes")
    if isinstance(config, stylegan1.GeneratorConfig):
        return config.replace(mapping=config.mapping.replace(c_dim=c_dim))
    added = {} if mapping.c_dim else {"label_input": "embedded", "embed_features": None}
    return config.replace(mapping=config.mapping.replace(c_dim=c_dim, **added))


def with_discriminator_classes(
    config: DiscriminatorConfig, c_dim: int, beside: DiscriminatorConfig
) -> DiscriminatorConfig:
    """Returns a discriminator with other classes; 0: none.

    Args:
        config: of the source.
        c_dim: size of the new label.
        beside: a new discriminator for the new generator; where classes are added, they enter as in it.
    """
    if c_dim == config.c_dim:
        return config
    if isinstance(config, stylegan1.DiscriminatorConfig):
        return config.replace(c_dim=c_dim)
    if config.c_dim == 0:
        assert not isinstance(beside, stylegan1.DiscriminatorConfig)
        return config.replace(mapping=beside.mapping)
    if config.mapping is None:
        return config.replace(class_outputs=c_dim)
    return config.replace(mapping=config.mapping.replace(c_dim=c_dim) if c_dim else None)
