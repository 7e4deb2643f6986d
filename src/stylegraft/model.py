"""The public door: `stylegraft.load(path)` gives a `Model`, whatever wrote the file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.checkpoints.native import CARD_NAME, read_checkpoint
from stylegraft.checkpoints.run_folder import best_checkpoint, is_run_folder
from stylegraft.errors import CheckpointError, InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
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
    path = Path(path)
    place = pick_device(device)
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such file or folder. Name a run, a checkpoint folder or a .pkl file."
        )
    model = _load_native(path) if path.is_dir() else _load_foreign(path)
    for network in (model.generator, model.discriminator):
        if network is not None:
            network.to(device=place, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            network.eval().requires_grad_(False)
            network.set_compute_dtype(compute_dtype(precision, place))
    return model


def _load_native(path: Path) -> Model:
    if is_run_folder(path):
        path = best_checkpoint(path)
    elif not (path / CARD_NAME).is_file():
        raise CheckpointError(
            f"{path}: expected a run folder (config.json and checkpoints/) or a checkpoint folder "
            f"({CARD_NAME}). Name the --out folder of a training run."
        )
    checkpoint = read_checkpoint(path)
    model = _build(checkpoint.generator, checkpoint.discriminator, _split(checkpoint.networks))
    model.info |= {"format": "stylegraft", "path": str(path), "sha256": _hash_tensors(model.generator)}
    model.info |= checkpoint.info
    return model


def _load_foreign(path: Path) -> Model:
    foreign = read_foreign(path)
    tensors = {
        "G_ema": foreign.tensors.get("G_ema", foreign.tensors.get("G", {})),
        "D": foreign.tensors.get("D", {}),
    }
    model = _build(foreign.generator_config, foreign.discriminator_config, tensors)
    model.info |= {
        "format": foreign.format,
        "path": str(path),
        "sha256": foreign.sha256,
        "load_report": foreign.report.to_dict(),
    }
    return model


def _build(
    generator_config: GeneratorConfig,
    discriminator_config: DiscriminatorConfig | None,
    tensors: dict[str, dict[str, torch.Tensor]],
) -> Model:
    generator = Generator(generator_config)
    _fill(generator, tensors["G_ema"], "generator")
    discriminator = None
    if discriminator_config is not None and tensors.get("D"):
        discriminator = Discriminator(discriminator_config)
        _fill(discriminator, tensors["D"], "discriminator")
    return Model(generator, discriminator, _describe(generator, discriminator))


def _fill(network: torch.nn.Module, tensors: dict[str, torch.Tensor], name: str) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"{name}: tensors do not fit the network: {' '.join(str(error).split())}"
        ) from error


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


def _split(tensors: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """Turns names such as `D.b4.out.bias` into one dictionary a network."""
    parts: dict[str, dict[str, torch.Tensor]] = {"G_ema": {}, "D": {}}
    for name, tensor in tensors.items():
        network, _, rest = name.partition(".")
        parts.setdefault(network, {})[rest] = tensor
    return parts


def _hash_tensors(generator: Generator) -> str:
    digest = hashlib.sha256()
    for name, tensor in generator.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
