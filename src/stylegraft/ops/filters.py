"""FIR filters as tensors, and the arithmetic of paddings that the resampling operations share."""

from collections.abc import Sequence

import torch
from torch import Tensor

IntPair = int | Sequence[int]
"""One number for both axes, or (x, y)."""

Padding = int | Sequence[int]
"""One number for all sides, (x, y), or (left, right, top, bottom); negative numbers crop."""

SEPARABLE_MIN_TAPS = 8
"""From this many taps on two 1D passes are worth more than one 2D pass, so the filter stays 1D."""


def setup_filter(
    f: Sequence[float] | Sequence[Sequence[float]] | Tensor | None,
    *,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1.0,
    separable: bool | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Return a FIR filter as a float32 tensor, ready for `upfirdn2d` and `conv2d_resample`.

    Args:
        f: Taps, 1D or 2D; None is the identity. A 1D `f` means the 2D filter outer(f, f).
        normalize: Scale the taps to sum to 1, so that a constant image stays as it is.
        flip_filter: Reverse the taps on every axis.
        gain: Factor of the whole 2D filter; a 1D filter gets its square root, because it is applied twice.
        separable: Keep a 1D filter 1D. None: yes from 8 taps on.
        device: Where the result lives; None is the device of `f`, or the CPU.

    Returns:
        [taps] for a separable filter, else [taps_y, taps_x].

    Raises:
        ValueError: `f` is empty, has more than two axes, or is 2D and asked to be separable.
    """
    taps = torch.as_tensor(1.0 if f is None else f, dtype=torch.float32, device=device)
    if taps.ndim == 0:
        taps = taps.reshape(1)
    if taps.ndim > 2 or taps.numel() == 0:
        raise ValueError(f"filter: expected 1 or 2 axes with at least one tap, got shape {tuple(taps.shape)}")
    if separable and taps.ndim != 1:
        raise ValueError(f"filter: only a 1D filter can be kept separable, got shape {tuple(taps.shape)}")
    if separable is None:
        separable = taps.ndim == 1 and taps.numel() >= SEPARABLE_MIN_TAPS
    if taps.ndim == 1 and not separable:
        taps = torch.outer(taps, taps)
    if normalize:
        taps = taps / taps.sum()
    if flip_filter:
        taps = taps.flip(list(range(taps.ndim)))
    return taps * gain ** (taps.ndim / 2)


def filter_size(f: Tensor | None) -> tuple[int, int]:
    """Return (width, height) of the 2D filter that `f` stands for; None is the one-tap identity."""
    if f is None:
        return 1, 1
    if f.ndim not in (1, 2):
        raise ValueError(f"filter: expected 1 or 2 axes, got shape {tuple(f.shape)}")
    return f.shape[-1], f.shape[0]


def xy_pair(value: IntPair, name: str) -> tuple[int, int]:
    """Return `value` as (x, y), both at least 1."""
    x, y = (value, value) if isinstance(value, int) else value
    if x < 1 or y < 1:
        raise ValueError(f"{name}: expected factors of at least 1, got {value}")
    return x, y


def four_sides(padding: Padding) -> tuple[int, int, int, int]:
    """Return `padding` as (left, right, top, bottom)."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if len(padding) == 2:
        x, y = padding
        return x, x, y, y
    left, right, top, bottom = padding
    return left, right, top, bottom


def upsampling_padding(taps: int, up: int) -> tuple[int, int]:
    """Return (before, after) that centre a filter on an axis that grows exactly `up` times."""
    return (taps + up - 1) // 2, (taps - up) // 2


def downsampling_padding(taps: int, down: int) -> tuple[int, int]:
    """Return (before, after) that centre a filter on an axis to be downsampled by `down`."""
    return (taps - down + 1) // 2, (taps - down) // 2
