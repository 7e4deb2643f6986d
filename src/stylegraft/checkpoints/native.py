"""Our checkpoint: a folder of safetensors and one JSON card with checksums, written whole or not at all.

    checkpoint.json            schema, configs, progress, SHA-256 of itself and of the files below
    networks.safetensors       G_ema.* and D.*: what one shares and samples from
    training.safetensors       G.*, and both optimisers in checkpoints that can be resumed

The folder is filled under a temporary name, flushed to disk and renamed: a reader finds all of it or nothing.
Tensors of networks may be stored in half precision (those of the zoo are); they are read as float32.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file

from stylegraft.checkpoints.tensor_files import write_tensors
from stylegraft.config import SCHEMA_VERSION
from stylegraft.errors import CheckpointError, ConfigError
from stylegraft.files import atomic_folder, sha256_file
from stylegraft.networks.families import (
    DiscriminatorConfig,
    GeneratorConfig,
    discriminator_config_from_dict,
    generator_config_from_dict,
)

CARD_NAME = "checkpoint.json"
NETWORKS_NAME = "networks.safetensors"
TRAINING_NAME = "training.safetensors"
_KIND = "stylegraft-checkpoint"
_MAX_CARD_BYTES = 64 << 20


@dataclass
class Checkpoint:
    """What a checkpoint folder holds.

    Attributes:
        generator: config of G and G_ema.
        discriminator: config of D, or None when it was left out.
        networks: float tensors named `G_ema.*` and `D.*`.
        training: tensors named `G.*`, `optimizer_G.*`, `optimizer_D.*`; empty when only for sampling.
        info: JSON-ready facts for people (step, kimg, class names, distance, source...).
        state: JSON-ready rest of the training state; empty when only for sampling.
    """

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig | None
    networks: dict[str, torch.Tensor]
    training: dict[str, torch.Tensor] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


def write_checkpoint(folder: str | Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint folder atomically; an older one of the same name is replaced.

    Raises:
        RunError: the disk is full or cannot be written; nothing is left behind.
    """
    with atomic_folder(folder) as temporary:
        sums = {NETWORKS_NAME: _write_tensors(temporary / NETWORKS_NAME, checkpoint.networks)}
        if checkpoint.training:
            sums[TRAINING_NAME] = _write_tensors(temporary / TRAINING_NAME, checkpoint.training)
        card = {
            "kind": _KIND,
            "schema_version": SCHEMA_VERSION,
            "sha256": sums,
            "generator": checkpoint.generator.to_dict(),
            "discriminator": checkpoint.discriminator and checkpoint.discriminator.to_dict(),
            "info": checkpoint.info,
            "state": checkpoint.state,
        }
        sums[CARD_NAME] = _hash_card(card)
        (temporary / CARD_NAME).write_text(json.dumps(card, indent=2, allow_nan=False), encoding="utf-8")


def remove_checkpoint(folder: Path) -> None:
    """Removes a checkpoint folder; interrupted at any moment, it leaves the whole of it or a hidden rest.

    Raises:
        OSError: it cannot be renamed.
    """
    rest = folder.with_name(f".{folder.name}.old{os.getpid()}")
    shutil.rmtree(rest, ignore_errors=True)
    folder.replace(rest)
    shutil.rmtree(rest, ignore_errors=True)


def read_checkpoint(folder: str | Path, with_training: bool = False) -> Checkpoint:
    """Reads a checkpoint folder after checking schema and checksums.

    Args:
        folder: the folder that holds `checkpoint.json`.
        with_training: also read what a resume needs.

    Raises:
        CheckpointError: a file is missing, damaged or of another schema.
    """
    folder = Path(folder)
    card = read_card(folder)
    if with_training and TRAINING_NAME not in card["sha256"]:
        raise CheckpointError(
            f"{folder}: expected {TRAINING_NAME}, but this checkpoint was kept for sampling only. "
            "Resume from the run folder, which finds a checkpoint that can go on."
        )
    discriminator = card.get("discriminator")
    try:
        generator_config = generator_config_from_dict(card["generator"])
        discriminator_config = discriminator_config_from_dict(discriminator) if discriminator else None
    except (ConfigError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / CARD_NAME}: {error}. Use another checkpoint.") from error
    return Checkpoint(
        generator=generator_config,
        discriminator=discriminator_config,
        networks=_read_tensors(folder / NETWORKS_NAME, card["sha256"]),
        training=_read_tensors(folder / TRAINING_NAME, card["sha256"]) if with_training else {},
        info=card["info"],
        state=card["state"],
    )


def read_card(folder: str | Path) -> dict[str, Any]:
    """Returns the parsed `checkpoint.json` of a folder: its kind, schema and own checksum are checked.

    Raises:
        CheckpointError: it is missing, not JSON, damaged, or of another kind or schema.
    """
    path = Path(folder) / CARD_NAME
    try:
        if path.stat().st_size > _MAX_CARD_BYTES:
            raise CheckpointError(f"{path}: expected at most {_MAX_CARD_BYTES} bytes. It is not our card.")
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: expected a readable JSON card, got {error}. Use another checkpoint."
        ) from error
    if not isinstance(card, dict) or card.get("kind") != _KIND or not isinstance(card.get("sha256"), dict):
        raise CheckpointError(
            f"{path}: expected a card of kind {_KIND!r}. This is not a stylegraft checkpoint."
        )
    if card.get("schema_version") != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path}: expected schema_version {SCHEMA_VERSION}, got {card.get('schema_version')!r}. "
            "Read it with the release of stylegraft that wrote it."
        )
    damaged = card["sha256"].get(CARD_NAME, found := _hash_card(card)) != found
    if damaged or not all(isinstance(card.get(name), dict) for name in ("generator", "info", "state")):
        raise CheckpointError(
            f"{path}: its content is not what its SHA-256 says or incomplete: the file is damaged. "
            "Use another checkpoint of the run."
        )
    return card


def _hash_card(card: dict[str, Any]) -> str:
    """SHA-256 over all of a card but this sum itself, which stands among those of the files."""
    sums = {name: digest for name, digest in card["sha256"].items() if name != CARD_NAME}
    return hashlib.sha256(json.dumps(card | {"sha256": sums}, sort_keys=True).encode()).hexdigest()


def _write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> str:
    write_tensors(path, tensors)
    return sha256_file(path)


def _read_tensors(path: Path, sums: dict[str, str]) -> dict[str, torch.Tensor]:
    try:
        found = sha256_file(path)
        if found != sums.get(path.name):
            raise CheckpointError(
                f"{path}: expected SHA-256 {sums.get(path.name)}, got {found}: "
                "the file is damaged or incomplete. "
                "Use another checkpoint of the run."
            )
        tensors = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error}. Use another checkpoint of the run."
        ) from error
    return {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()
    }
