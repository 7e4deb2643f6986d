"""Which axes of which tensors of a StyleGAN2 network count the same feature maps."""

from __future__ import annotations

from dataclasses import dataclass

from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig


@dataclass(frozen=True)
class Axis:
    """An axis of a tensor that counts feature maps.

    Attributes:
        group: of the maps.
        pixels: values along the axis for each map.
        extra: values after all maps.
    """

    group: str
    pixels: int = 1
    extra: int = 0


@dataclass(frozen=True)
class Maps:
    """The feature maps of a network.

    Attributes:
        sizes: number of maps of each group.
        tensors: the axes of each tensor that has maps; None: an axis that counts something else.
    """

    sizes: dict[str, int]
    tensors: dict[str, tuple[Axis | None, ...]]


def maps_of(config: GeneratorConfig | DiscriminatorConfig) -> Maps:
    """Returns the feature maps of a network."""
    return _of_generator(config) if isinstance(config, GeneratorConfig) else _of_discriminator(config)


def _of_generator(config: GeneratorConfig) -> Maps:
    sizes: dict[str, int] = {"const": config.channels[0]}
    tensors: dict[str, tuple[Axis | None, ...]] = {}
    last = len(config.channels) - 1
    for index, (block, channels) in enumerate(zip(config.block_names, config.channels)):
        name, out = f"synthesis.{block}", Axis(f"{block} out")
        sizes[out.group] = channels
        inside = Axis("const") if index == 0 else Axis(f"{block} inside")
        if index == 0:
            tensors[f"{name}.const"] = (inside, None, None)
        else:
            below = Axis(f"{config.block_names[index - 1]} out")
            sizes[inside.group] = channels
            _modulated(tensors, f"{name}.conv0", inside, below)
            if config.architecture == "resnet":
                tensors[f"{name}.skip.weight"] = (out, below, None, None)
        _modulated(tensors, f"{name}.conv1", out, inside)
        if index == last or config.architecture in ("skip", "progressive"):
            _modulated(tensors, f"{name}.torgb", None, out)
    return Maps(sizes, tensors)


def _modulated(tensors: dict[str, tuple[Axis | None, ...]], name: str, made: Axis | None, read: Axis) -> None:
    tensors[f"{name}.weight"] = (made, read, None, None)
    if made is not None:
        tensors[f"{name}.bias"] = (made,)
    tensors[f"{name}.affine.weight"] = (read, None)
    tensors[f"{name}.affine.bias"] = (read,)


def _of_discriminator(config: DiscriminatorConfig) -> Maps:
    sizes: dict[str, int] = {}
    tensors: dict[str, tuple[Axis | None, ...]] = {}
    last = len(config.channels) - 1
    everywhere = config.architecture in ("skip", "progressive")
    for index, (block, channels) in enumerate(zip(config.block_names, config.channels)):
        seen = Axis(f"{block} in")
        sizes[seen.group] = channels
        if everywhere or index == last:
            tensors[f"{block}.fromrgb.weight"] = (seen, None, None, None)
            tensors[f"{block}.fromrgb.bias"] = (seen,)
        if index == 0:
            continue
        inside, below = Axis(f"{block} inside"), Axis(f"{config.block_names[index - 1]} in")
        sizes[inside.group] = channels
        for layer, made, read in (("conv0", inside, seen), ("conv1", below, inside)):
            tensors[f"{block}.{layer}.weight"] = (made, read, None, None)
            tensors[f"{block}.{layer}.bias"] = (made,)
        if config.architecture == "resnet":
            tensors[f"{block}.skip.weight"] = (below, seen, None, None)
    block, pixels = config.block_names[0], config.base_height * config.base_width
    sizes["last conv"] = config.channels[0]
    tensors[f"{block}.conv.weight"] = (
        Axis("last conv"),
        Axis(f"{block} in", extra=config.mbstd_num_channels),
        None,
        None,
    )
    tensors[f"{block}.conv.bias"] = (Axis("last conv"),)
    dense = None
    if config.fc_features is None:
        dense = Axis("dense")
        sizes["dense"] = config.channels[0]
        tensors[f"{block}.fc.bias"] = (dense,)
    tensors[f"{block}.fc.weight"] = (dense, Axis("last conv", pixels=pixels))
    tensors[f"{block}.out.weight"] = (None, dense)
    return Maps(sizes, tensors)
