"""The public door: `stylegraft.load(path)` gives a `Model`, whatever wrote the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stylegraft.checkpoints.building import build_network
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.errors import InputError
from stylegraft.networks.sampling import labels_of_seeds, latents_of_seeds, sample_pixels
from stylegraft.networks.stylegan2 import Discriminator, Generator, NoiseMode
from stylegraft.runtime.precision import Precision, compute_dtype, pick_device


@dataclass
class Model:
    """A generator ready to sample, and what is known about it.

    Attributes:
        generator: G EMA in evaluation mode, float32 parameters.
        discriminator: D, or None where the source has none.
        info: JSON-ready facts: format, family, resolution, channels, classes, parameters, sha256, kimg...
    """

    generator: Generator
    discriminator: Discriminator | None
    info: dict[str, Any]

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes, or None for an unconditional network."""
        return self.info.get("class_names")

    def sample(
        self,
        seeds: Sequence[int],
        psi: float = 0.7,
        cutoff: int | None = None,
        labels: np.ndarray | torch.Tensor | None = None,
        noise_mode: NoiseMode = "const",
        batch: int = 16,
    ) -> np.ndarray:
        """Returns pictures, uint8 [N, H, W, C].

        Args:
            seeds: seed N means z = RandomState(N).randn(1, z_dim), as everywhere in this community.
            psi: truncation: 1 is the full variety, towards 0 every picture nears the average one.
            cutoff: number of coarse layers that are truncated; None: all.
            labels: float [N, c_dim]; None takes class seed % c_dim (ignored by unconditional networks).
            noise_mode: "const", "random" (keyed by seed) or "none".
            batch: pictures at a time; pictures do not depend on it beyond rounding.

        Raises:
            InputError: a seed is outside 0 to 2^32 - 1, or labels have another shape.
        """
        mapping = self.generator.config.mapping
        seeds = [int(seed) for seed in seeds]
        if any(not 0 <= seed < 2**32 for seed in seeds):
            raise InputError(f"seeds: expected 0 to {2**32 - 1}, got {min(seeds)} to {max(seeds)}.")
        c = labels_of_seeds(seeds, mapping.c_dim) if labels is None else torch.as_tensor(labels).float()
        if mapping.c_dim == 0:
            c = None
        elif c is not None and list(c.shape) != [len(seeds), mapping.c_dim]:
            raise InputError(f"labels: expected shape [{len(seeds)}, {mapping.c_dim}], got {list(c.shape)}.")
        z = latents_of_seeds(seeds, mapping.z_dim)
        return sample_pixels(
            self.generator,
            z,
            c,
            seeds=seeds,
            psi=psi,
            cutoff=cutoff,
            noise_mode=noise_mode,
            batch=batch,
        )


def load(path: str | Path, device: str = "auto", precision: Precision = "fp32") -> Model:
    """Reads a generator from a run folder, a checkpoint folder or a public checkpoint file.

    A run folder gives its best checkpoint. Nothing in any file is executed.

    Args:
        path: run folder, checkpoint folder, or official PyTorch pickle of StyleGAN2(-ADA).
        device: "auto", "cpu", "cuda"...
        precision: number type of the convolutions; parameters stay float32.

    Raises:
        CheckpointError: the path is none of these, or it is damaged.
    """
    place = pick_device(device)
    opened = open_checkpoint(path)
    weights = opened.tensors.get("G_ema", opened.tensors.get("G", {}))
    generator = build_network(Generator, opened.generator, weights, f"{path}: generator")
    discriminator = None
    if opened.discriminator is not None and "D" in opened.tensors:
        discriminator = build_network(
            Discriminator, opened.discriminator, opened.tensors["D"], f"{path}: discriminator"
        )
    dtype = compute_dtype(precision, place)
    # Low precision wants channels last. Float32 keeps the layout of the public files' own code, so that it
    # reproduces their pictures to the last bits.
    layout = torch.preserve_format if dtype == torch.float32 else torch.channels_last
    for network in (generator, discriminator):
        if network is not None:
            network.to(device=place, memory_format=layout)  # pyright: ignore[reportCallIssue]
            network.eval().requires_grad_(False)
            network.set_compute_dtype(dtype)
    return Model(generator, discriminator, _describe(generator, discriminator) | opened.info)


def _describe(generator: Generator, discriminator: Discriminator | None) -> dict[str, Any]:
    config = generator.config
    info: dict[str, Any] = {
        "family": config.family,
        "architecture": config.architecture,
        "img_height": config.img_height,
        "img_width": config.img_width,
        "img_channels": config.img_channels,
        "channels": list(config.channels),
        "z_dim": config.mapping.z_dim,
        "w_dim": config.mapping.w_dim,
        "c_dim": config.mapping.c_dim,
        "mapping_layers": config.mapping.num_layers,
        "num_ws": generator.num_ws,
        "generator_parameters": sum(p.numel() for p in generator.parameters()),
        "class_names": [str(index) for index in range(config.mapping.c_dim)] or None,
    }
    if config.mapping.w_avg_beta is not None:
        info["w_avg_norm"] = float(generator.mapping.w_avg.norm())
    if discriminator is not None:
        info["discriminator_architecture"] = discriminator.config.architecture
        info["discriminator_parameters"] = sum(p.numel() for p in discriminator.parameters())
    return info
