"""The least time a training step can take on a machine: operations and bytes of every phase, by formula.

A phase is a list of kernels; each of them takes max(operations / product rate, bytes / copy rate). The
product rate is that of large matrix products or of a large convolution, whichever is higher, for libraries
differ. A kernel reads what it needs once and writes its result once, in the number type it works in:

- a modulated layer is a pass that applies styles, a product, a FIR filter where the size doubles, and one
  pass for demodulation, noise, bias and activation;
- a discriminator layer is a FIR filter where the size halves, a product, one pass for bias and activation;
- backwards each product becomes two (gradient of its inputs, gradient of its weights) and each pass one that
  reads the gradient and what was kept;
- a regulariser differentiates a gradient: forward, gradient of the inputs, and both kinds again for each.

Kernels are taken to run one after the other, and every byte to come from memory. Caches can beat the second
assumption at small sizes, never the first. Operations of passes other than products count nothing.

Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from stylegraft.augment.config import AugmentConfig
from stylegraft.bench.costs import (
    LayerCost,
    discriminator_layers,
    generator_layers,
    mapping_layers,
)
from stylegraft.errors import InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.training.config import RunConfig

NumberType = Literal["fp32", "bf16"]
Direction = Literal["forward", "inputs", "weights"]
"""What is computed of a layer: its result, the gradient of its inputs, or that of its weights."""

Rates = Mapping[str, float]
"""Of `convolutions.measure_rates`, or of `machine.measure_machine` without the convolutions."""

_FLOAT = 4
_BYTES: dict[NumberType, int] = {"fp32": 4, "bf16": 2}
_ADAM_BYTES = 8 * _FLOAT  # gradient twice (norm, step), weight and two moments read; those three written
_EMA_BYTES = 3 * _FLOAT
_WAVELET_TAPS = 12
_REGULARISED: tuple[Direction, ...] = ("forward", "inputs", "inputs", "weights", "inputs", "weights")


@dataclass(frozen=True)
class Kernel:
    """One pass: its matrix products in FLOP, and bytes read and written."""

    flop: float
    num_bytes: float
    type: NumberType = "fp32"

    def seconds(self, rates: Rates) -> float:
        """Returns the least time it takes."""
        return max(
            self.flop / product_rate(rates, self.type) / 1e9,
            self.num_bytes / rates["copy_gb_per_sec"] / 1e9,
        )


@dataclass(frozen=True)
class Phase:
    """Kernels that belong together, and how often they run in a step (less than 1: not in every step)."""

    name: str
    kernels: tuple[Kernel, ...]
    times: float = 1.0

    @property
    def flop(self) -> float:
        """FLOP of matrix products a step."""
        return self.times * sum(kernel.flop for kernel in self.kernels)

    @property
    def num_bytes(self) -> float:
        """Bytes read and written a step."""
        return self.times * sum(kernel.num_bytes for kernel in self.kernels)

    def seconds(self, rates: Rates) -> float:
        """Returns the least time it takes a step."""
        return self.times * sum(kernel.seconds(rates) for kernel in self.kernels)


def step_phases(config: RunConfig) -> list[Phase]:
    """Returns the phases of one training step, named as `phases.measure_phases` names them.

    Args:
        config: a run of StyleGAN2 networks; `ada.p` is the strength that counts.

    Raises:
        InputError: the networks are StyleGAN v1's, which train at several sizes.
    """
    generator, discriminator = config.generator, config.discriminator
    if not isinstance(generator, GeneratorConfig) or not isinstance(discriminator, DiscriminatorConfig):
        raise InputError(f"roofline: expected networks of family stylegan2, got {config.family}.")
    n, type = config.micro_batch, config.precision
    repeats = config.batch / n
    pixels = generator.img_channels * generator.img_height * generator.img_width
    reading = Kernel(0, n * pixels * (1 + _FLOAT))
    num_z = n * (2 if config.mixing_prob else 1)
    base = generator.base_height * generator.base_width
    noise = n * sum(base << 2 * index << (index > 0) for index in range(len(generator.channels)))
    drawing = Kernel(0, _FLOAT * (num_z * generator.mapping.z_dim + noise))
    augment = config.augment if config.ada.p else None
    ada = _augmentation(augment, config.ada.p, n, generator)  # the same forwards and backwards

    phases = [Phase("data", (reading,), repeats), Phase("draws", (drawing,), repeats)]
    phases.append(Phase("mapping forward", _dense_stack(generator, num_z, ("forward",)), repeats))
    phases.append(Phase("mapping backward", _dense_stack(generator, num_z, ("inputs", "weights")), repeats))
    for block, layers in _blocks(generator).items():
        phases.append(Phase(f"G.{block} forward", _generator(layers, n, type, ("forward",)), repeats))
        phases.append(
            Phase(f"G.{block} backward", _generator(layers, n, type, ("inputs", "weights")), repeats)
        )
    phases.append(Phase("ADA forward", tuple(ada), 2 * repeats))  # fakes and reals
    phases.append(Phase("ADA backward", tuple(ada), repeats))
    for block, layers in _blocks(discriminator).items():
        phases.append(Phase(f"D.{block} forward", _discriminator(layers, n, type, ("forward",)), 2 * repeats))
        # For G the gradient of the inputs alone; for D that of fakes and of reals.
        backward: tuple[Direction, ...] = ("inputs", "inputs", "weights", "inputs", "weights")
        phases.append(Phase(f"D.{block} backward", _discriminator(layers, n, type, backward), repeats))

    num_G, num_D = count_parameters(generator), count_parameters(discriminator)
    phases.append(Phase("optimisers", (Kernel(0, _ADAM_BYTES * num_G), Kernel(0, _ADAM_BYTES * num_D))))
    phases.append(Phase("averages", (Kernel(0, _EMA_BYTES * num_G),)))
    if config.pl_weight:
        few = max(n // config.pl_batch_shrink, 1)
        # w is a leaf of the inner gradient, so mapping is differentiated once.
        kernels = [*_dense_stack(generator, few * num_z // n, ("forward", "inputs", "weights"))]
        for layers in _blocks(generator).values():
            kernels += _generator(layers, few, type, _REGULARISED)
        kernels.append(Kernel(0, _ADAM_BYTES * num_G / repeats))
        phases.append(Phase("path length", tuple(kernels), repeats / config.pl_interval))
    if config.r1_gamma:
        kernels = [reading, *4 * ada]
        for layers in _blocks(discriminator).values():
            kernels += _discriminator(layers, n, type, _REGULARISED)
        kernels.append(Kernel(0, _ADAM_BYTES * num_D / repeats))
        phases.append(Phase("R1", tuple(kernels), repeats / config.r1_interval))
    return phases


def sample_phases(generator: GeneratorConfig, batch: int, type: NumberType) -> list[Phase]:
    """Returns the phases of sampling a batch, from z to uint8 pixels."""
    pixels = batch * generator.img_channels * generator.img_height * generator.img_width
    phases = [Phase("mapping forward", _dense_stack(generator, batch, ("forward",)))]
    for block, layers in _blocks(generator).items():
        phases.append(Phase(f"G.{block} forward", _generator(layers, batch, type, ("forward",))))
    return [*phases, Phase("pixels", (Kernel(0, pixels * (_FLOAT + 1)),))]


def product_rate(rates: Rates, type: NumberType) -> float:
    """Returns the GFLOP/s that products of a number type reach here at best.

    Raises:
        InputError: they were not measured, because this processor has no units for them.
    """
    if f"gemm_{type}_gflops" not in rates:
        raise InputError(f"roofline: expected a processor with {type} units, got one without. Take fp32.")
    return max(rates[f"gemm_{type}_gflops"], rates.get(f"convolution_{type}_gflops", 0.0))


def limit_seconds(phases: Sequence[Phase], rates: Rates) -> float:
    """Returns the least time that all phases take."""
    return sum(phase.seconds(rates) for phase in phases)


def count_parameters(config: GeneratorConfig | DiscriminatorConfig) -> int:
    """Returns the number of trained parameters of a network."""
    is_generator = isinstance(config, GeneratorConfig)
    layers = generator_layers(config) if is_generator else discriminator_layers(config)
    count = 0
    for layer in layers:
        bias = 0 if layer.name.endswith(".skip") else layer.c_out
        has_noise = is_generator and config.use_noise and layer.name.endswith((".conv0", ".conv1"))
        count += layer.weights + bias + has_noise
    return count + (config.channels[0] * config.base_height * config.base_width if is_generator else 0)


def _blocks(config: GeneratorConfig | DiscriminatorConfig) -> dict[str, list[LayerCost]]:
    """Layers by block, in the order they run; a label mapping counts with the last block."""
    layers = generator_layers(config) if isinstance(config, GeneratorConfig) else discriminator_layers(config)
    blocks: dict[str, list[LayerCost]] = {}
    for layer in layers:
        block = layer.name.split(".")[0]
        if block == "mapping":
            if isinstance(config, GeneratorConfig):
                continue
            block = config.block_names[0]
        blocks.setdefault(block, []).append(layer)
    return blocks


def _dense_stack(
    generator: GeneratorConfig, rows: int, directions: Sequence[Direction]
) -> tuple[Kernel, ...]:
    layers = mapping_layers(generator.mapping)
    return tuple(_product(layer, rows, "fp32") for layer in layers for _ in directions)


def _product(layer: LayerCost, n: int, type: NumberType) -> Kernel:
    """Any of the three products of a layer: each touches its inputs, its weights and its outputs once.

    A transposed convolution writes all pixels of the doubled size, a strided one reads them.
    """
    pixels = layer.height * layer.width
    inputs = layer.c_in * pixels * (4 if layer.resample == "down" and layer.kernel > 1 else 1)
    outputs = layer.c_out * pixels * (4 if layer.resample == "up" and layer.kernel > 1 else 1)
    num_bytes = n * (inputs + outputs) * _BYTES[type] + layer.weights * _FLOAT
    return Kernel(2.0 * layer.macs * n, num_bytes, type)


def _generator(
    layers: Sequence[LayerCost], n: int, type: NumberType, directions: Sequence[Direction]
) -> tuple[Kernel, ...]:
    """The kernels of one block of the generator."""
    size = _BYTES[type]
    kernels: list[Kernel] = []
    for layer in layers:
        counted = layer.height * layer.width
        full = counted * (4 if layer.resample == "up" else 1)
        x, y = n * layer.c_in * counted * size, n * layer.c_out * full * size
        for direction in directions:
            is_forward, name = direction == "forward", layer.name.split(".", 1)[1]
            if layer.kind == "dense":
                kernels.append(_product(layer, n, "fp32"))
            elif name == "torgb":
                image = n * layer.c_out * full * _FLOAT
                kernels.append(Kernel(2.0 * layer.macs * n, x + image, type))
                if direction != "weights":
                    # The smaller image is doubled and this one added, or the same backwards.
                    kernels.append(Kernel(0, image * 1.25))
            elif name == "skip":
                kernels.append(_product(layer, n, type))
                if direction != "weights":
                    kernels.append(Kernel(0, 1.25 * y))
                    kernels.append(Kernel(0, 3 * y))
            else:
                # Demodulation is a product of squared styles and squared weights, summed over the kernel.
                kernels.append(Kernel(2.0 * n * layer.c_in * layer.c_out, layer.weights * _FLOAT))
                kernels.append(_product(layer, n, type))
                if direction == "weights":
                    continue
                kernels.append(Kernel(0, (2 if is_forward else 3) * x))
                kernels.append(Kernel(0, (2 if is_forward else 3) * y + n * full * _FLOAT))
                if layer.resample == "up":
                    kernels.append(Kernel(0, 2 * y))
    return tuple(kernels)


def _discriminator(
    layers: Sequence[LayerCost], n: int, type: NumberType, directions: Sequence[Direction]
) -> tuple[Kernel, ...]:
    """The kernels of one block of the discriminator."""
    kernels: list[Kernel] = []
    for layer in layers:
        name = layer.name.split(".", 1)[1]
        layer_type: NumberType = "fp32" if name == "conv" else type
        size = _BYTES[layer_type]
        counted = layer.height * layer.width
        full = counted * (4 if layer.resample == "down" else 1)
        x, y = n * layer.c_in * full * size, n * layer.c_out * counted * size
        for direction in directions:
            is_forward = direction == "forward"
            if layer.kind == "dense":
                kernels.append(_product(layer, n, "fp32"))
                continue
            kernels.append(_product(layer, n, layer_type))
            if direction == "weights":
                continue
            if layer.resample == "down":
                kernels.append(Kernel(0, 1.25 * x if name == "skip" else 2 * x))
            # The skip is added where the main path ends; elsewhere bias and activation.
            kernels.append(Kernel(0, (2 if is_forward and name != "skip" else 3) * y))
            if name == "conv":
                kernels.append(Kernel(0, 2 * x))  # minibatch standard deviation
    return tuple(kernels)


def _augmentation(config: AugmentConfig | None, p: float, n: int, generator: GeneratorConfig) -> list[Kernel]:
    """Geometry of the images that move, and colour of all; no other transform is counted.

    Doubling, bilinear sampling and halving, with the margins that the wavelet needs and none for what a map
    moves in from outside.
    """
    if config is None:
        return []
    channels, height, width = generator.img_channels, generator.img_height, generator.img_width
    kernels = []
    if config.moves_pixels:
        moved = n * moved_share(config, p) * channels
        tall, wide = 2 * (height + _WAVELET_TAPS), 2 * (width + _WAVELET_TAPS)
        rows, columns = 2 * height + _WAVELET_TAPS - 2, 2 * width + _WAVELET_TAPS - 2
        doubling = height * width * tall + tall * width * wide
        halving = rows * columns * height + height * columns * width
        image, doubled, sampled = height * width, tall * wide, rows * columns
        kernels.append(Kernel(2.0 * moved * doubling, _FLOAT * moved * (image + doubled)))
        places = 2 / channels
        kernels.append(Kernel(0, _FLOAT * moved * (doubled + sampled * (1 + places))))
        kernels.append(Kernel(2.0 * moved * halving, _FLOAT * moved * (sampled + image)))
    if config.changes_color:
        kernels.append(Kernel(0, 2 * _FLOAT * n * channels * height * width))
    return kernels


def moved_share(config: AugmentConfig, p: float) -> float:
    """Returns how many images geometry moves: those that at least one transform happens to.

    A mirror image comes of half of the draws, a turn of three quarters.
    """
    rotation = 1 - (1 - min(config.rotate * p, 1)) ** 0.5
    chances = [config.xflip * p / 2, config.rotate90 * p * 3 / 4, rotation, rotation]
    chances += [getattr(config, name) * p for name in ("xint", "scale", "aniso", "xfrac")]
    return 1 - prod(1 - min(chance, 1) for chance in chances)
