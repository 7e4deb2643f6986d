"""From seeds to pixels: the conventions every part of stylegraft samples by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from stylegraft.errors import CheckpointError, InputError
from stylegraft.networks.protocol import Generator, NoiseMode
from stylegraft.runtime.random import Key


def latents_of_seeds(seeds: Sequence[int], z_dim: int) -> torch.Tensor:
    """Returns z, float32 [N, z_dim]; row i is RandomState(seeds[i]).randn(1, z_dim), as in all this field."""
    rows = [np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]
    return torch.from_numpy(np.concatenate(rows).astype(np.float32)) if rows else torch.empty(0, z_dim)


def labels_of_seeds(seeds: Sequence[int], c_dim: int) -> torch.Tensor | None:
    """Returns one-hot labels [N, c_dim] of class seed % c_dim; None where c_dim is 0."""
    if c_dim == 0:
        return None
    classes = [seed % c_dim for seed in seeds]
    return torch.nn.functional.one_hot(torch.tensor(classes, dtype=torch.long), c_dim).to(torch.float32)


@torch.inference_mode()
def sample_pixels(
    generator: Generator,
    z: torch.Tensor,
    c: torch.Tensor | None,
    *,
    seeds: Sequence[int],
    psi: float = 1.0,
    cutoff: int | None = None,
    noise_mode: NoiseMode = "const",
    batch: int = 16,
) -> np.ndarray:
    """Returns pictures, uint8 [N, H, W, C].

    Every batch has the same size (the last one is filled up and cut), because kernels chosen by batch size
    would otherwise make a picture depend on its neighbours.

    Args:
        generator: in evaluation mode.
        z: latents [N, z_dim].
        c: labels [N, c_dim] or None.
        seeds: N numbers that key the noise of "random" mode.
        psi: truncation.
        cutoff: layers truncated; None: all.
        noise_mode: "const", "random" or "none".
        batch: pictures at a time.

    Raises:
        InputError: `batch` is below 1.
        CheckpointError: a picture is not finite; rounded to bytes it would pass for a black one.
    """
    if batch < 1:
        raise InputError(f"batch: expected 1 or more, got {batch}.")
    device = next(generator.parameters()).device
    pictures = []
    for start in range(0, len(z), batch):
        rows = torch.arange(start, start + batch).clamp_(max=len(z) - 1)
        row_c = None if c is None else c[rows].to(device)
        ws = generator.mapping(z[rows].to(device), row_c, psi, cutoff)
        noise = None
        if noise_mode == "random":
            noise = _keyed_noise(generator, [seeds[row] for row in rows.tolist()], device)
        images = generator.synthesis(ws, noise_mode, noise)
        if not images.isfinite().all():
            raise CheckpointError(
                "pictures of the generator: expected finite values, got NaN or infinity. "
                "The network has diverged; use an earlier checkpoint."
            )
        pictures.append(to_pixels(images)[: len(z) - start])
    if not pictures:
        config = generator.config
        return np.empty((0, config.img_height, config.img_width, config.img_channels), dtype=np.uint8)
    return np.concatenate(pictures)


def _keyed_noise(generator: Generator, seeds: Sequence[int], device: torch.device) -> list[torch.Tensor]:
    """Noise of each layer, [N, 1, h, w], that depends on a sample's seed only."""
    keys = [Key.of(seed).fold("noise") for seed in seeds]
    return [
        torch.cat([key.normal([layer], [1, h, w], device) for key in keys])
        for layer, (h, w) in enumerate(generator.synthesis.noise_shapes)
    ]


def to_pixels(images: torch.Tensor) -> np.ndarray:
    """Float NCHW in [-1, 1] to uint8 NHWC: x * 127.5 + 128, clamped and cut off, as the official tools do."""
    return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
