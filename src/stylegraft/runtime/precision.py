"""Which number type the convolutions run in, and on which device."""

from __future__ import annotations

from typing import Literal

import torch

from stylegraft.errors import InputError

Precision = Literal["auto", "fp32", "bf16"]


def has_bf16_units(device: torch.device) -> bool:
    """Returns whether the device multiplies bfloat16 matrices in hardware (not by emulation)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # Guarded, because the two questions moved between private names over torch releases.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name)() for name in checks if hasattr(torch.cpu, name))


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Returns the type for convolutions: bfloat16 where "auto" finds units for it, float32 else."""
    if precision == "auto":
        return torch.bfloat16 if has_bf16_units(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def pick_device(name: str = "auto") -> torch.device:
    """Returns the torch device called `name`; "auto" takes a GPU where there is one.

    Raises:
        InputError: torch does not know the device, or has no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} (--device): {reason}. Use auto, cpu or cuda.") from error
    return device
