"""Nominal cost of the networks: arithmetic that any way of computing them has to stand for.

One multiplication with its addition counts as 2 FLOP. Only convolutions count, ToRGB, FromRGB and skips
included; an up-convolution counts at its input resolution and a down-convolution at its output resolution,
the least that is needed. Resampling filters, activations, noise, augmentation and optimisers do not count:
they are no matrix products. Dense layers (mapping, styles, the last two of the discriminator) are listed but
do not count either: they are 0.4 % of the yardstick. So the figures do not change with the way taken, and an
implementation that does needless work gets no credit for it.

At the yardstick's settings this gives 1.40 GFLOP to sample an image and 18.7 GFLOP to train on one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan1 import config as stylegan1

Resample = Literal["none", "up", "down"]

YARDSTICK_SAMPLE_GFLOP = 1.40
YARDSTICK_TRAINING_GFLOP = 18.7


@dataclass(frozen=True)
class LayerCost:
    """One layer applied to one image.

    Attributes:
        name: block and layer, such as "b32.conv0".
        kind: "conv" counts towards the nominal cost, "dense" does not.
        c_in: feature maps, or numbers of a dense layer, that go in.
        c_out: those that come out.
        kernel: side of the kernel, px; 1 of a dense layer.
        height: rows that the product is counted at; 1 of a dense layer.
        width: columns likewise.
        resample: "up": the result has twice the counted size, "down": what goes in has.
    """

    name: str
    kind: Literal["conv", "dense"]
    c_in: int
    c_out: int
    kernel: int = 1
    height: int = 1
    width: int = 1
    resample: Resample = "none"

    @property
    def weights(self) -> int:
        """Parameters of the layer's kernel, without its bias."""
        return self.c_in * self.c_out * self.kernel**2

    @property
    def macs(self) -> int:
        """Multiply-adds an image."""
        return self.weights * self.height * self.width


@dataclass(frozen=True)
class TrainingTerm:
    """One phase of the training step, a training image.

    Attributes:
        name: what is computed.
        generator_passes: cost in forward passes of the generator over one image.
        discriminator_passes: the same for the discriminator.
    """

    name: str
    generator_passes: float
    discriminator_passes: float


def _conv(
    name: str, c_in: int, c_out: int, kernel: int, height: int, width: int, resample: Resample = "none"
) -> LayerCost:
    return LayerCost(name, "conv", c_in, c_out, kernel, height, width, resample)


def _dense(name: str, inputs: int, outputs: int) -> LayerCost:
    return LayerCost(name, "dense", inputs, outputs)


def mapping_layers(config: MappingConfig) -> list[LayerCost]:
    """Returns the dense layers from z and c to w."""
    embed = config.embed_features or config.w_dim
    hidden = config.layer_features or config.w_dim
    layers = [_dense("mapping.embed", config.c_dim, embed)] if config.c_dim else []
    inputs = config.z_dim + (embed if config.c_dim else 0)
    for index in range(config.num_layers):
        outputs = config.w_dim if index == config.num_layers - 1 else hidden
        layers.append(_dense(f"mapping.fc{index}", inputs, outputs))
        inputs = outputs
    return layers


def generator_layers(config: GeneratorConfig) -> list[LayerCost]:
    """Returns every layer of one forward pass over one image, mapping first."""
    layers = mapping_layers(config.mapping)
    w_dim = config.mapping.w_dim
    for index, (block, c_out) in enumerate(zip(config.block_names, config.channels)):
        height, width = config.base_height << index, config.base_width << index
        if index:
            c_in = config.channels[index - 1]
            layers.append(_dense(f"{block}.conv0.affine", w_dim, c_in))
            layers.append(_conv(f"{block}.conv0", c_in, c_out, 3, height // 2, width // 2, "up"))
            if config.architecture == "resnet":
                layers.append(_conv(f"{block}.skip", c_in, c_out, 1, height // 2, width // 2, "up"))
        layers.append(_dense(f"{block}.conv1.affine", w_dim, c_out))
        layers.append(_conv(f"{block}.conv1", c_out, c_out, 3, height, width))
        if config.architecture == "skip" or index == len(config.channels) - 1:
            layers.append(_dense(f"{block}.torgb.affine", w_dim, c_out))
            layers.append(_conv(f"{block}.torgb", c_out, config.img_channels, 1, height, width))
    return layers


def stylegan1_generator_layers(config: stylegan1.GeneratorConfig) -> list[LayerCost]:
    """Returns every layer of one forward pass over one image of a grown StyleGAN v1, mapping first."""
    mapping = config.mapping
    hidden = mapping.layer_features or mapping.w_dim
    widths = [
        mapping.z_dim * (2 if mapping.c_dim else 1),
        *[hidden] * (mapping.num_layers - 1),
        mapping.w_dim,
    ]
    layers = [
        _dense(f"mapping.fc{index}", inputs, outputs)
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths))
    ]
    for index, (block, c_out) in enumerate(zip(config.block_names, config.channels)):
        height, width = config.base_height << index, config.base_width << index
        layers.append(_dense(f"{block}.layer0.affine", mapping.w_dim, 2 * c_out))
        if index:
            c_in = config.channels[index - 1]
            layers.append(_conv(f"{block}.layer0", c_in, c_out, 3, height // 2, width // 2, "up"))
        layers.append(_dense(f"{block}.layer1.affine", mapping.w_dim, 2 * c_out))
        layers.append(_conv(f"{block}.layer1", c_out, c_out, 3, height, width))
    layers.append(
        _conv("torgb", config.channels[-1], config.img_channels, 1, config.img_height, config.img_width)
    )
    return layers


def discriminator_layers(config: DiscriminatorConfig) -> list[LayerCost]:
    """Returns every layer of one forward pass over one image, from the image down."""
    layers: list[LayerCost] = []
    last = len(config.channels) - 1
    for index in range(last, -1, -1):
        block, c_in = config.block_names[index], config.channels[index]
        height, width = config.base_height << index, config.base_width << index
        if index == last or config.architecture == "skip":
            layers.append(_conv(f"{block}.fromrgb", config.img_channels, c_in, 1, height, width))
        if index:
            c_out = config.channels[index - 1]
            layers.append(_conv(f"{block}.conv0", c_in, c_in, 3, height, width))
            layers.append(_conv(f"{block}.conv1", c_in, c_out, 3, height // 2, width // 2, "down"))
            if config.architecture == "resnet":
                layers.append(_conv(f"{block}.skip", c_in, c_out, 1, height // 2, width // 2, "down"))
            continue
        logits = config.mapping.w_dim if config.mapping else config.class_outputs or 1
        fc_features = config.fc_features or c_in
        layers.append(_conv(f"{block}.conv", c_in + config.mbstd_num_channels, c_in, 3, height, width))
        layers.append(_dense(f"{block}.fc", c_in * height * width, fc_features))
        layers.append(_dense(f"{block}.out", fc_features, logits))
    return layers + (mapping_layers(config.mapping) if config.mapping else [])


def training_terms(
    r1_interval_steps: int | None = 16, pl_interval_steps: int | None = 4, pl_batch_divisor: int = 2
) -> list[TrainingTerm]:
    """Returns what a training image costs, in forward passes of the networks.

    A backward pass costs two forward passes where the weights learn (one product for the gradient of the
    inputs, one for that of the weights) and one where they are frozen. Differentiating a gradient costs six
    in all: forward 1, gradient of the inputs 1, and then two for each of those on the way back.

    Args:
        r1_interval_steps: steps between R1 penalties; None: no R1.
        pl_interval_steps: steps between path-length penalties; None: none.
        pl_batch_divisor: the path-length batch is this much smaller than the step's.
    """
    terms = [
        TrainingTerm("G: fakes forward and backward, through D with frozen weights", 1 + 2, 1 + 1),
        TrainingTerm("D: fakes forward without gradients", 1, 0),
        TrainingTerm("D: fakes and reals forward and backward", 0, 2 * (1 + 2)),
    ]
    if pl_interval_steps is not None:
        passes = 6 / (pl_interval_steps * pl_batch_divisor)
        terms.append(TrainingTerm("path length: gradient with respect to w, differentiated", passes, 0))
    if r1_interval_steps is not None:
        passes = 6 / r1_interval_steps
        terms.append(TrainingTerm("R1: gradient with respect to the image, differentiated", 0, passes))
    return terms


def nominal_flop(layers: list[LayerCost]) -> float:
    """Returns the FLOP of one forward pass over one image, convolutions only."""
    return 2.0 * sum(layer.macs for layer in layers if layer.kind == "conv")


def sample_flop(generator: GeneratorConfig | stylegan1.GeneratorConfig) -> float:
    """Returns the nominal FLOP of sampling one image."""
    if isinstance(generator, stylegan1.GeneratorConfig):
        return nominal_flop(stylegan1_generator_layers(generator))
    return nominal_flop(generator_layers(generator))


def training_flop(
    generator: GeneratorConfig, discriminator: DiscriminatorConfig, terms: list[TrainingTerm] | None = None
) -> float:
    """Returns the nominal FLOP of training on one image, lazy regularisers spread over their intervals.

    Args:
        generator: the generator's sizes.
        discriminator: the discriminator's sizes.
        terms: the phases; None: those of `training_terms` with the usual intervals.
    """
    G, D = sample_flop(generator), nominal_flop(discriminator_layers(discriminator))
    terms = training_terms() if terms is None else terms
    return sum(term.generator_passes * G + term.discriminator_passes * D for term in terms)
