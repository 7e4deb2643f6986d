"""From seeds to pixels: the conventions every part of stylegraft samples by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from stylegraft.errors import CheckpointError, InputError
from stylegraft.networks.protocol import Generator, NoiseMode
from stylegraft.runtime.random import Key

# A batch, counted in pictures and in bytes of one feature map at full size.
_MOST_PICTURES, _MOST_BYTES = 32, 2**20
_MAPPED_ROWS = 16


def latents_of_seeds(seeds: Sequence[int], z_dim: int) -> torch.Tensor:
    """Returns z, float32 [N, z_dim]; row i is RandomState(seeds[i]).randn(1, z_dim), as in all this field."""
    rows = np.empty([len(seeds), z_dim], np.float32)
    random = np.random.RandomState(0)  # Seeded anew for each row, for making one costs more than the draw.
    for row, seed in zip(rows, seeds):
        random.seed(seed)
        row[:] = random.randn(z_dim)
    return torch.from_numpy(rows)


def sampling_batch(generator: Generator) -> int:
    """Returns how many pictures at a time are quickest to sample, as `benchmarks/generating.py` measures it.

    More of them share the reading of weights, until their feature maps no longer fit the caches of a CPU.
    """
    config, dtype = generator.config, generator.synthesis.compute_dtype
    return min(max(_MOST_BYTES // (config.img_height * config.img_width * dtype.itemsize), 1), _MOST_PICTURES)


def labels_of_seeds(seeds: Sequence[int], c_dim: int) -> torch.Tensor | None:
    """Returns one-hot labels [N, c_dim] of class seed % c_dim; None where c_dim is 0."""
    if c_dim == 0:
        return None
    classes = [seed % c_dim for seed in seeds]
    return torch.nn.functional.one_hot(torch.tensor(classes, dtype=torch.long), c_dim).to(torch.float32)


@torch.inference_mode()
def map_to_w(generator: Generator, z: torch.Tensor, c: torch.Tensor | None) -> torch.Tensor:
    """Returns w [N, w_dim] without truncation, on the generator's device.

    Always so many rows at a time, the last ones filled up, so that w does not depend on what is asked for
    beside it.

    Args:
        generator: in evaluation mode.
        z: latents [N, z_dim].
        c: labels [N, c_dim] or None.
    """
    device = next(generator.parameters()).device
    parts = [torch.empty(0, generator.config.mapping.w_dim, device=device)]
    for start in range(0, len(z), _MAPPED_ROWS):
        rows = torch.arange(start, start + _MAPPED_ROWS).clamp_(max=len(z) - 1)
        ws = generator.mapping(z[rows].to(device), None if c is None else c[rows].to(device))
        parts.append(ws[: len(z) - start, 0])
    return torch.cat(parts)


@torch.inference_mode()
def pixels_of_w(
    generator: Generator,
    w: torch.Tensor,
    *,
    seeds: Sequence[int],
    psi: float = 1.0,
    cutoff: int | None = None,
    centres: torch.Tensor | None = None,
    noise_mode: NoiseMode = "const",
    batch: int | None = None,
) -> np.ndarray:
    """Returns pictures, uint8 [N, H, W, C].

    Every batch has the same size (the last one is filled up and cut), because kernels chosen by batch size
    would otherwise make a picture depend on its neighbours.

    Args:
        generator: in evaluation mode.
        w: [N, w_dim] on its device, from `map_to_w`.
        seeds: N numbers that key the noise of "random" mode.
        psi: truncation.
        cutoff: layers truncated; None: all.
        centres: w that each is truncated towards, [N, w_dim]; None: w_avg.
        noise_mode: "const", "random" or "none".
        batch: pictures at a time; None: `sampling_batch`.

    Raises:
        InputError: `batch` is below 1.
        CheckpointError: a picture is not finite; rounded to bytes it would pass for a black one.
    """
    config = generator.config
    batch = sampling_batch(generator) if batch is None else batch
    if batch < 1:
        raise InputError(f"batch: expected 1 or more, got {batch}.")
    pictures = np.empty((len(w), config.img_height, config.img_width, config.img_channels), dtype=np.uint8)
    for start in range(0, len(w), batch):
        rows = torch.arange(start, start + batch).clamp_(max=len(w) - 1)
        at = rows.to(w.device)
        ws = w[at].unsqueeze(1).expand(-1, generator.num_ws, -1)
        ws = generator.mapping.truncate(ws, psi, cutoff, None if centres is None else centres[at])
        noise = None
        if noise_mode == "random":
            noise = _keyed_noise(generator, [seeds[row] for row in rows.tolist()], w.device)
        images = generator.synthesis(ws, noise_mode, noise)
        if not images.isfinite().all():
            raise CheckpointError(
                "pictures of the generator: expected finite values, got NaN or infinity. "
                "The network has diverged; use an earlier checkpoint."
            )
        pictures[start : start + batch] = to_pixels(images)[: len(w) - start]
    return pictures


def sample_pixels(
    generator: Generator,
    z: torch.Tensor,
    c: torch.Tensor | None,
    *,
    seeds: Sequence[int],
    psi: float = 1.0,
    cutoff: int | None = None,
    noise_mode: NoiseMode = "const",
    batch: int | None = None,
) -> np.ndarray:
    """Returns the pictures of latents, uint8 [N, H, W, C]: `map_to_w` and `pixels_of_w`, which have the rest.

    Args:
        generator: in evaluation mode.
        z: latents [N, z_dim].
        c: labels [N, c_dim] or None.
        seeds: see `pixels_of_w`.
        psi: see `pixels_of_w`.
        cutoff: see `pixels_of_w`.
        noise_mode: see `pixels_of_w`.
        batch: see `pixels_of_w`.
    """
    return pixels_of_w(
        generator,
        map_to_w(generator, z, c),
        seeds=seeds,
        psi=psi,
        cutoff=cutoff,
        noise_mode=noise_mode,
        batch=batch,
    )


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
