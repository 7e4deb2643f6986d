"""How long torch's own convolutions take at the shapes of a training step, with nothing around them.

Between the roofline's rate, that of one large matrix product, and a step lies what the convolution library
makes of small and odd shapes. No layer that calls it can be faster than this.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from stylegraft.bench.costs import LayerCost, discriminator_layers, generator_layers
from stylegraft.bench.machine import measure_machine, median_seconds
from stylegraft.bench.roofline import NumberType
from stylegraft.errors import InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.training.config import RunConfig

_DTYPES: dict[NumberType, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def measure_rates() -> dict[str, float]:
    """Returns the rates of `machine.measure_machine` and those of a large convolution, measured now.

    Convolutions come from another library than matrix products, and that one may know the processor better:
    `convolution_fp32_gflops` and, where products in bf16 were measured, `convolution_bf16_gflops` are of 3x3
    from 256 to 256 maps of 16 px for 16 images.
    """
    layer, n = LayerCost("large", "conv", 256, 256, kernel=3, height=16, width=16), 16
    rates = measure_machine()
    types: list[NumberType] = [type for type in _DTYPES if f"gemm_{type}_gflops" in rates]
    for type in types:
        forward, _, _ = convolution_seconds(layer, n, type)
        rates[f"convolution_{type}_gflops"] = 2 * layer.macs * n / forward / 1e9
    return rates


def convolution_phases(config: RunConfig, repeats: int = 5) -> dict[str, float]:
    """Returns seconds a step in convolutions, by the blocks' phases of `roofline.step_phases`.

    ToRGB, which is no convolution here, is left out, and so are the regularisers.

    Args:
        config: a run of StyleGAN2 networks.
        repeats: timed calls, of which the median counts, after two warm ones.

    Raises:
        InputError: the networks are StyleGAN v1's.
    """
    generator, discriminator = config.generator, config.discriminator
    if not isinstance(generator, GeneratorConfig) or not isinstance(discriminator, DiscriminatorConfig):
        raise InputError(f"roofline: expected networks of family stylegan2, got {config.family}.")
    n, times = config.micro_batch, config.batch / config.micro_batch
    seconds: dict[str, float] = {}

    def add(phase: str, value: float) -> None:
        seconds[phase] = seconds.get(phase, 0.0) + value * times

    for network, layers in (("G", generator_layers(generator)), ("D", discriminator_layers(discriminator))):
        passes = 1 if network == "G" else 2  # D sees fakes and reals...
        for layer in layers:
            block, name = layer.name.split(".", 1)
            if layer.kind != "conv" or name == "torgb":
                continue
            forward, inputs, weights = convolution_seconds(
                layer, n, "fp32" if name == "conv" else config.precision, repeats
            )
            add(f"{network}.{block} forward", passes * forward)
            # ...and hands G a gradient through fakes beside.
            add(f"{network}.{block} backward", (2 * passes - 1) * inputs + passes * weights)
    return seconds


def convolution_seconds(
    layer: LayerCost, n: int, type: NumberType, repeats: int = 5
) -> tuple[float, float, float]:
    """Returns the seconds of one convolution: forward, gradient of the inputs, gradient of the weights.

    Args:
        layer: its shape; "up" is a transposed convolution, "down" a strided one, 1x1 kernels neither.
        n: images.
        type: number type; the layout is channels_last.
        repeats: timed calls of each, of which the median counts, after two warm ones.
    """
    dtype = _DTYPES[type]
    resampled = layer.kernel > 1 and layer.resample != "none"
    transposed = resampled and layer.resample == "up"
    height, width = layer.height, layer.width
    if resampled and not transposed:
        height, width = 2 * height + 1, 2 * width + 1
    ends = (layer.c_in, layer.c_out) if transposed else (layer.c_out, layer.c_in)
    x = torch.randn(n, layer.c_in, height, width, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(*ends, layer.kernel, layer.kernel, dtype=dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)
    stride = 2 if resampled else 1
    padding = 0 if resampled else layer.kernel // 2
    geometry = ([stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], 1)
    aten = torch.ops.aten
    y = aten.convolution(x, weight, None, *geometry)

    def backward(mask: list[bool]) -> Callable[[], object]:
        return lambda: aten.convolution_backward(y, x, weight, None, *geometry, mask)

    calls = (
        lambda: aten.convolution(x, weight, None, *geometry),
        backward([True, False, False]),
        backward([False, True, False]),
    )
    forward, inputs, weights = (median_seconds(call, repeats) for call in calls)
    return forward, inputs, weights
