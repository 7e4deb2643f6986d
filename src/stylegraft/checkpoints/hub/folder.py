"""A model as a folder for the hub, written whole or not at all and read without trusting it.

config.json                 configs of the networks, classes, licence, source (see `config`)
model.safetensors           the generator that one samples from
discriminator.safetensors   D, where there is one
README.md                   the model card
samples.png                 what it shows
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import torch

from stylegraft.checkpoints.building import check_network
from stylegraft.checkpoints.hub.config import HubConfig
from stylegraft.checkpoints.hub.model_card import model_card
from stylegraft.checkpoints.tensor_files import write_tensors
from stylegraft.errors import CheckpointError, ConfigError
from stylegraft.files import atomic_folder
from stylegraft.networks.making import make_discriminator, make_generator

CONFIG_NAME = "config.json"
MODEL_NAME = "model.safetensors"
DISCRIMINATOR_NAME = "discriminator.safetensors"
CARD_NAME = "README.md"
SAMPLES_NAME = "samples.png"
FILES = (CONFIG_NAME, MODEL_NAME, DISCRIMINATOR_NAME, CARD_NAME, SAMPLES_NAME)

_HOMES = {"G_ema": MODEL_NAME, "D": DISCRIMINATOR_NAME}
_MAX_CONFIG_BYTES = 8 << 20
_MAX_QUOTED_CHARS = 500


def is_hub_folder(path: Path) -> bool:
    """Returns whether a folder looks like a model for the hub."""
    return (path / CONFIG_NAME).is_file() and (path / MODEL_NAME).is_file()


def write_hub_folder(
    path: str | Path,
    config: HubConfig,
    networks: dict[str, dict[str, torch.Tensor]],
    samples_png: bytes,
    *,
    name: str,
) -> None:
    """Writes a model with its card and samples.

    Args:
        path: the folder, which appears when all is written; one that exists is replaced.
        config: what the networks are.
        networks: tensors of "G_ema", and of "D" where the config has a discriminator.
        samples_png: a picture of samples.
        name: of the model, the title of its card.

    Raises:
        RunError: the place cannot be written; nothing is left behind.
    """
    path = Path(path)
    with atomic_folder(path) as folder:
        for network, tensors in networks.items():
            write_tensors(folder / _HOMES[network], tensors)
        (folder / SAMPLES_NAME).write_bytes(samples_png)
        (folder / CARD_NAME).write_text(model_card(config, name), encoding="utf-8")
        (folder / CONFIG_NAME).write_text(config.to_json(), encoding="utf-8")


def read_hub_folder(path: str | Path) -> tuple[HubConfig, dict[str, dict[str, torch.Tensor]]]:
    """Reads config and tensors of a folder that anybody may have written.

    The config is checked against its schema, names and shapes in the tensor files' headers against the
    config, and only then are tensors read.

    Returns:
        The config, and float32 tensors of "G_ema" and, where there is one, "D".

    Raises:
        CheckpointError: a file is missing, damaged, of another schema, or they do not fit each other.
    """
    path = Path(path)
    config = _read_config(path / CONFIG_NAME)
    tensors = {"G_ema": _read_tensors(path / MODEL_NAME, make_generator, config.generator)}
    if config.discriminator is not None:
        tensors["D"] = _read_tensors(path / DISCRIMINATOR_NAME, make_discriminator, config.discriminator)
    return config, tensors


def _read_config(path: Path) -> HubConfig:
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise CheckpointError(
                f"{path}: expected at most {_MAX_CONFIG_BYTES} bytes. It is not our config."
            )
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: expected readable JSON, got {error}. Use another model.") from error
    if not isinstance(values, dict) or values.get("library_name") != "stylegraft":
        raise CheckpointError(
            f"{path}: expected library_name 'stylegraft'. This model was written by another library."
        )
    try:
        return HubConfig.from_dict(values)
    except (ConfigError, RecursionError) as error:
        # The message quotes what it refuses, which may be as long as the file.
        raise CheckpointError(f"{path}: {str(error)[:_MAX_QUOTED_CHARS]}. Use another model.") from error


def _read_tensors(path: Path, make: Callable[[Any], torch.nn.Module], config: Any) -> dict[str, torch.Tensor]:
    """Returns the tensors of a file after comparing its header with the network of the config."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            shapes = {name: torch.empty(piece.get_shape(), device="meta") for name, piece in slices.items()}
            check_network(make, config, shapes, str(path))
            return {name: file.get_tensor(name).to(torch.float32) for name in slices}
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}. Use another copy of the model.") from error
