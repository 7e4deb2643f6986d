"""What rosinality's networks are in our terms: one table of settings and names, for reading and for writing.

Its layout holds the same numbers as ours. A row says which of our tensors a name means, and how many axes of
length 1 it carries before and after ours, so that a change of layout is a change of shape.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig

UPSAMPLING_GAIN = 4.0
"""Factor on the FIR of each upsampling: it makes up for the zeros put between the pixels of both axes."""


@dataclass(frozen=True)
class Row:
    """One tensor: `theirs` is `ours` between `ones_before` and `ones_after` axes of length 1."""

    theirs: str
    ours: str
    ones_before: int = 0
    ones_after: int = 0

    def their_shape(self, our_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape under their name of a tensor that has `our_shape` under ours."""
        return (1,) * self.ones_before + our_shape + (1,) * self.ones_after


@dataclass(frozen=True)
class FilterRow:
    """One FIR buffer [taps, taps] and the factor it carries; our configs hold the taps instead."""

    theirs: str
    gain: float


def stock_generator(
    channels: tuple[int, ...],
    style_dim: int,
    num_layers: int,
    resample_filter: tuple[float, ...] | None,
    img_channels: int = 3,
) -> GeneratorConfig:
    """Returns the config of a generator of that code: whatever is no argument here is fixed there.

    Args:
        channels: feature maps of each resolution from 4 px upwards.
        style_dim: size of z and of w.
        num_layers: layers of the mapping network.
        resample_filter: taps of its FIR.
        img_channels: 3 in the original; changed copies of the code make grey images.

    Raises:
        ConfigError: there is no such network.
    """
    side = 4 << (len(channels) - 1)
    return GeneratorConfig(
        img_height=side,
        img_width=side,
        img_channels=img_channels,
        channels=channels,
        architecture="skip",
        resample_filter=resample_filter,
        mapping=MappingConfig(z_dim=style_dim, w_dim=style_dim, num_layers=num_layers, lr_multiplier=0.01),
    )


def stock_discriminator(
    channels: tuple[int, ...],
    resample_filter: tuple[float, ...] | None,
    img_channels: int = 3,
    mbstd_num_channels: int = 1,
) -> DiscriminatorConfig:
    """Returns the config of a discriminator of that code; arguments as for `stock_generator`.

    Raises:
        ConfigError: there is no such network.
    """
    side = 4 << (len(channels) - 1)
    return DiscriminatorConfig(
        img_height=side,
        img_width=side,
        img_channels=img_channels,
        channels=channels,
        architecture="resnet",
        resample_filter=resample_filter,
        mbstd_group_size=4,
        mbstd_num_channels=mbstd_num_channels,
    )


def generator_rows(num_blocks: int, num_layers: int) -> list[Row]:
    """Returns the tensors of a generator in the order of its state dict.

    Args:
        num_blocks: resolutions from 4 px upwards.
        num_layers: layers of the mapping network.
    """
    rows = [
        Row(f"style.{layer + 1}.{tensor}", f"mapping.fc{layer}.{tensor}")
        for layer in range(num_layers)
        for tensor in ("weight", "bias")
    ]
    rows += [Row("input.input", "synthesis.b4.const", ones_before=1)]
    rows += _styled_conv("conv1", "synthesis.b4.conv1")
    rows += _to_rgb("to_rgb1", "synthesis.b4.torgb")
    doubled = [(block - 1, f"synthesis.b{4 << block}") for block in range(1, num_blocks)]
    for index, ours in doubled:
        rows += _styled_conv(f"convs.{2 * index}", f"{ours}.conv0")
        rows += _styled_conv(f"convs.{2 * index + 1}", f"{ours}.conv1")
    for index, ours in doubled:
        rows += _to_rgb(f"to_rgbs.{index}", f"{ours}.torgb")
    rows += [_noise("noises.noise_0", "synthesis.b4.conv1")]
    for index, ours in doubled:
        rows += [_noise(f"noises.noise_{2 * index + 1}", f"{ours}.conv0")]
        rows += [_noise(f"noises.noise_{2 * index + 2}", f"{ours}.conv1")]
    return rows


def generator_filters(num_blocks: int) -> list[FilterRow]:
    """Returns the FIR buffers of a generator."""
    return [
        FilterRow(name, UPSAMPLING_GAIN)
        for index in range(num_blocks - 1)
        for name in (f"convs.{2 * index}.conv.blur.kernel", f"to_rgbs.{index}.upsample.kernel")
    ]


def discriminator_rows(num_blocks: int) -> list[Row]:
    """Returns the tensors of a discriminator of `num_blocks` resolutions in the order of its state dict."""
    largest = f"b{4 << (num_blocks - 1)}"
    rows = [
        Row("convs.0.0.weight", f"{largest}.fromrgb.weight"),
        Row("convs.0.1.bias", f"{largest}.fromrgb.bias"),
    ]
    for index in range(1, num_blocks):
        ours = f"b{4 << (num_blocks - index)}"
        rows += [
            Row(f"convs.{index}.conv1.0.weight", f"{ours}.conv0.weight"),
            Row(f"convs.{index}.conv1.1.bias", f"{ours}.conv0.bias"),
            Row(f"convs.{index}.conv2.1.weight", f"{ours}.conv1.weight"),
            Row(f"convs.{index}.conv2.2.bias", f"{ours}.conv1.bias"),
            Row(f"convs.{index}.skip.1.weight", f"{ours}.skip.weight"),
        ]
    return [
        *rows,
        Row("final_conv.0.weight", "b4.conv.weight"),
        Row("final_conv.1.bias", "b4.conv.bias"),
        Row("final_linear.0.weight", "b4.fc.weight"),
        Row("final_linear.0.bias", "b4.fc.bias"),
        Row("final_linear.1.weight", "b4.out.weight"),
        Row("final_linear.1.bias", "b4.out.bias"),
    ]


def discriminator_filters(num_blocks: int) -> list[FilterRow]:
    """Returns the FIR buffers of a discriminator."""
    return [
        FilterRow(f"convs.{index}.{name}.0.kernel", 1.0)
        for index in range(1, num_blocks)
        for name in ("conv2", "skip")
    ]


def _styled_conv(theirs: str, ours: str) -> list[Row]:
    return [
        *_modulated(theirs, ours),
        Row(f"{theirs}.noise.weight", f"{ours}.noise_strength", ones_before=1),
        Row(f"{theirs}.activate.bias", f"{ours}.bias"),
    ]


def _to_rgb(theirs: str, ours: str) -> list[Row]:
    return [Row(f"{theirs}.bias", f"{ours}.bias", ones_before=1, ones_after=2), *_modulated(theirs, ours)]


def _modulated(theirs: str, ours: str) -> list[Row]:
    return [
        Row(f"{theirs}.conv.weight", f"{ours}.weight", ones_before=1),
        Row(f"{theirs}.conv.modulation.weight", f"{ours}.affine.weight"),
        Row(f"{theirs}.conv.modulation.bias", f"{ours}.affine.bias"),
    ]


def _noise(theirs: str, ours: str) -> Row:
    return Row(theirs, f"{ours}.noise_const", ones_before=2)
