"""The taps of FIR buffers that files hold as tensors, where our configs hold the taps."""

from __future__ import annotations

import math

import torch
from torch import nn

from stylegraft.networks.layers import register_filter

_TOLERANCE = 1e-6  # a few float32 roundings of taps below 1
_MAX_TAPS = 1024


def find_taps(stored: torch.Tensor) -> tuple[float, ...] | None:
    """Returns the taps of a buffer as the small whole numbers they mostly are, such as (1, 3, 3, 1).

    Args:
        stored: float32 [taps] or [taps, taps], normalised to a sum of 1.

    Returns:
        The taps, or None for a buffer that no taps give.
    """
    if stored.ndim not in (1, 2) or not 0 < math.prod(stored.shape) <= _MAX_TAPS:
        return None
    exact = stored.to(torch.float64)
    # The column sums of an outer product are the taps times their sum, which is 1.
    taps = exact if exact.ndim == 1 else exact.sum(dim=0)
    nonzero = taps.abs()[taps != 0]
    if not torch.isfinite(taps).all() or not len(nonzero):
        return None
    scaled = taps / nonzero.min()
    whole = scaled.round()
    if torch.allclose(scaled, whole, rtol=0, atol=1e-4) and whole.sum() != 0:
        taps = whole
    found = tuple(taps.tolist())
    return found if filter_matches(stored, found) else None


def filter_matches(stored: torch.Tensor, taps: tuple[float, ...] | None) -> bool:
    """Whether a normalised FIR buffer is what the taps of a config give."""
    holder = nn.Module()
    register_filter(holder, taps)
    expected = holder.get_buffer("resample_filter")
    return stored.shape == expected.shape and torch.allclose(stored, expected, rtol=0, atol=_TOLERANCE)
