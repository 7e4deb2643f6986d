"""Tensors to safetensors files, the one way all our folders are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Writes a file of tensors, whatever their device and memory format.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(plain, path, metadata={"format": "pt"})
    except safetensors.SafetensorError as error:
        raise OSError(str(error)) from error
