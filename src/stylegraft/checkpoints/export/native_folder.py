"""Writes what was opened as a checkpoint folder of ours, whatever wrote the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stylegraft.checkpoints.native import Checkpoint, write_checkpoint
from stylegraft.checkpoints.opening import OpenedCheckpoint


def write_native(path: str | Path, opened: OpenedCheckpoint, facts: dict[str, Any]) -> None:
    """Writes a checkpoint folder with all networks that are there; G itself beside its average.

    Args:
        path: the folder; one that exists is replaced.
        opened: the source, with training.
        facts: for the card, see `provenance.carried_facts`.

    Raises:
        RunError: the place cannot be written; nothing is left behind.
    """
    average = opened.tensors.get("G_ema", opened.tensors.get("G", {}))
    networks = {f"G_ema.{name}": tensor for name, tensor in average.items()}
    networks |= {f"D.{name}": tensor for name, tensor in opened.tensors.get("D", {}).items()}
    training = {f"G.{name}": tensor for name, tensor in opened.tensors.get("G", {}).items()}
    write_checkpoint(path, Checkpoint(opened.generator, opened.discriminator, networks, training, facts))
