"""One door to every checkpoint: run folder, checkpoint folder or public file, with nothing executed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.checkpoints.hub.folder import is_hub_folder, read_hub_folder
from stylegraft.checkpoints.native import CARD_NAME, TRAINING_NAME, read_card, read_checkpoint
from stylegraft.checkpoints.run_folder import best_checkpoint, is_run_folder
from stylegraft.errors import CheckpointError
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig


@dataclass(frozen=True)
class OpenedCheckpoint:
    """The networks of a checkpoint, whatever wrote it.

    Attributes:
        generator: config of G and G_ema.
        discriminator: config of D; None without D.
        tensors: for each of "G_ema", "G" and "D" that is there, tensors ready for `load_state_dict`.
        info: JSON-ready facts: format, path, sha256, and what the source says of itself.
    """

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig | None
    tensors: dict[str, dict[str, torch.Tensor]]
    info: dict[str, Any]


def open_checkpoint(path: str | Path, with_training: bool = False) -> OpenedCheckpoint:
    """Reads the networks of a run (its best checkpoint), a checkpoint folder or a public checkpoint file.

    Args:
        path: what to open.
        with_training: also G itself beside its average, where our own checkpoint kept it.

    Raises:
        CheckpointError: the path is none of these, or it is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such file or folder. Name a run, a checkpoint folder or a public checkpoint file."
        )
    if is_hub_folder(path):
        return _open_hub(path)
    return _open_native(path, with_training) if path.is_dir() else _open_foreign(path)


def _open_native(path: Path, with_training: bool) -> OpenedCheckpoint:
    if is_run_folder(path):
        path = best_checkpoint(path)
    elif not (path / CARD_NAME).is_file():
        raise CheckpointError(
            f"{path}: expected a run folder (config.json and checkpoints/) or a checkpoint folder "
            f"({CARD_NAME}). Name the --out folder of a training run."
        )
    has_training = TRAINING_NAME in read_card(path)["sha256"]
    checkpoint = read_checkpoint(path, with_training and has_training)
    tensors: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in (checkpoint.networks | checkpoint.training).items():
        network, _, rest = name.partition(".")  # D.b4.out.bias
        if network in ("G", "G_ema", "D"):
            tensors.setdefault(network, {})[rest] = tensor
    info = {"format": "stylegraft", "path": str(path), "sha256": _hash_tensors(tensors.get("G_ema", {}))}
    discriminator = checkpoint.discriminator if "D" in tensors else None
    return OpenedCheckpoint(checkpoint.generator, discriminator, tensors, checkpoint.info | info)


def _open_hub(path: Path) -> OpenedCheckpoint:
    config, tensors = read_hub_folder(path)
    facts = config.model_dump(exclude={"generator", "discriminator", "library_name"}, exclude_none=True)
    info = {"format": "hub", "path": str(path), "sha256": _hash_tensors(tensors["G_ema"])}
    return OpenedCheckpoint(config.generator, config.discriminator, tensors, facts | info)


def _open_foreign(path: Path) -> OpenedCheckpoint:
    foreign = read_foreign(path)
    info = {
        "format": foreign.format,
        "path": str(path),
        "sha256": foreign.sha256,
        "load_report": foreign.report.to_dict(),
    }
    return OpenedCheckpoint(
        foreign.generator_config, foreign.discriminator_config, foreign.tensors, foreign.info | info
    )


def _hash_tensors(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names and values, so that a copied or resumed run has the hash of what it samples with."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
