"""Writes state dicts as rosinality's code names them, by hand and not by our table, to be read in tests."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch

State = dict[str, torch.Tensor]
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])


def generator_state(
    channels: tuple[int, ...], style_dim: int = 6, n_mlp: int = 2, img_channels: int = 3, seed: int = 0
) -> State:
    """A generator for pictures of 4 px times two to the number of channels less one; random numbers."""
    random = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random)

    def styled(into: int, out: int, up: bool) -> State:
        state = {
            "conv.weight": rand(1, out, into, 3, 3),
            "conv.modulation.weight": rand(into, style_dim),
            "conv.modulation.bias": rand(into),
            "noise.weight": rand(1),
            "activate.bias": rand(out),
        }
        return state | ({"conv.blur.kernel": torch.outer(TAPS, TAPS) / 16} if up else {})

    def to_rgb(into: int, up: bool) -> State:
        state = {
            "bias": rand(1, img_channels, 1, 1),
            "conv.weight": rand(1, img_channels, into, 1, 1),
            "conv.modulation.weight": rand(into, style_dim),
            "conv.modulation.bias": rand(into),
        }
        return state | ({"upsample.kernel": torch.outer(TAPS, TAPS) / 16} if up else {})

    state: State = {}
    for layer in range(1, n_mlp + 1):
        state |= {
            f"style.{layer}.weight": rand(style_dim, style_dim),
            f"style.{layer}.bias": rand(style_dim),
        }
    state["input.input"] = rand(1, channels[0], 4, 4)
    state |= prefixed("conv1.", styled(channels[0], channels[0], up=False))
    state |= prefixed("to_rgb1.", to_rgb(channels[0], up=False))
    state["noises.noise_0"] = rand(1, 1, 4, 4)
    for index, (into, out) in enumerate(pairwise(channels)):
        side = 8 << index
        state |= prefixed(f"convs.{2 * index}.", styled(into, out, up=True))
        state |= prefixed(f"convs.{2 * index + 1}.", styled(out, out, up=False))
        state |= prefixed(f"to_rgbs.{index}.", to_rgb(out, up=True))
        state |= {f"noises.noise_{2 * index + 1 + layer}": rand(1, 1, side, side) for layer in range(2)}
    return state


def discriminator_state(channels: tuple[int, ...], img_channels: int = 3, seed: int = 1) -> State:
    """The discriminator that belongs to such a generator."""
    random = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random)

    kernel = torch.outer(TAPS, TAPS) / 64
    down = channels[::-1]
    state = {"convs.0.0.weight": rand(down[0], img_channels, 1, 1), "convs.0.1.bias": rand(down[0])}
    for index, (into, out) in enumerate(pairwise(down), start=1):
        state |= prefixed(
            f"convs.{index}.",
            {
                "conv1.0.weight": rand(into, into, 3, 3),
                "conv1.1.bias": rand(into),
                "conv2.0.kernel": kernel,
                "conv2.1.weight": rand(out, into, 3, 3),
                "conv2.2.bias": rand(out),
                "skip.0.kernel": kernel,
                "skip.1.weight": rand(out, into, 1, 1),
            },
        )
    last = down[-1]
    return state | {
        "final_conv.0.weight": rand(last, last + 1, 3, 3),
        "final_conv.1.bias": rand(last),
        "final_linear.0.weight": rand(last, last * 16),
        "final_linear.0.bias": rand(last),
        "final_linear.1.weight": rand(1, last),
        "final_linear.1.bias": rand(1),
    }


def prefixed(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def converted(channels: tuple[int, ...], **sizes: Any) -> dict[str, Any]:
    """A converted file with all three networks."""
    style_dim = sizes.get("style_dim", 6)
    return {
        "g_ema": generator_state(channels, **sizes),
        "latent_avg": torch.arange(float(style_dim)),
        "g": generator_state(channels, **sizes, seed=2),
        "d": discriminator_state(channels, sizes.get("img_channels", 3)),
    }
