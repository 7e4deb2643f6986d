"""Tiny networks and image sets on disk, for commands to work on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stylegraft.augment.config import augment_preset
from stylegraft.checkpoints.native import Checkpoint, write_checkpoint
from stylegraft.checkpoints.run_folder import checkpoint_path
from stylegraft.data import DataConfig, write_image_set
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Generator
from stylegraft.training.config import RunConfig

CLASSES = ["boots", "bags"]


def write_tiny_checkpoint(folder: Path, c_dim: int, distance: float | None = None, kimg: float = 0.1) -> None:
    """Writes a 16 px generator with random weights, without a discriminator."""
    torch.manual_seed(0)
    config = _generator_config(c_dim)
    tensors = {f"G_ema.{name}": tensor for name, tensor in Generator(config).state_dict().items()}
    info = {"step": round(kimg * 1000 / 16), "kimg": kimg, "class_names": CLASSES if c_dim else None}
    if distance is not None:
        info["distance"] = distance
    write_checkpoint(folder, Checkpoint(config, None, tensors, info=info))


def _generator_config(c_dim: int) -> GeneratorConfig:
    return GeneratorConfig(
        img_height=16,
        img_width=16,
        channels=(8, 8, 8),
        mapping=MappingConfig(z_dim=8, w_dim=8, c_dim=c_dim, num_layers=2),
    )


@pytest.fixture(scope="session")
def plain_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "checkpoint"
    write_tiny_checkpoint(folder, c_dim=0)
    return folder


@pytest.fixture(scope="session")
def class_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with two checkpoints, the older one the better, and a log cut off in its last line."""
    run = tmp_path_factory.mktemp("class") / "run"
    write_tiny_checkpoint(checkpoint_path(run, 3200), c_dim=2, distance=10.5, kimg=3.2)
    write_tiny_checkpoint(checkpoint_path(run, 6400), c_dim=2, distance=12.5, kimg=6.4)
    config = RunConfig(
        data_path="beans",
        data=DataConfig(size="16", fit="pad", mirror=True),
        data_hash="00" * 32,
        generator=_generator_config(2),
        discriminator=DiscriminatorConfig(img_height=16, img_width=16, channels=(8, 8, 8)),
        augment=augment_preset("bgc"),
    )
    (run / "config.json").write_text(config.to_json())
    (run / "log.jsonl").write_text(
        '{"step": 200, "kimg": 3.2, "distance": 10.5}\n'
        '{"step": 400, "kimg": 6.4, "distance": 12.5}\n'
        '{"step": 4'
    )
    return run


@pytest.fixture(scope="session")
def image_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures of 20 x 16 px in two classes."""
    random = np.random.RandomState(0)
    pictures = random.randint(0, 256, size=[24, 20, 16, 3], dtype=np.uint8)
    path = tmp_path_factory.mktemp("images") / "set.zip"
    return write_image_set(path, pictures, labels=[row % 2 for row in range(24)], class_names=CLASSES)
