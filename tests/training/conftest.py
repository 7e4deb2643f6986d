"""Runs of seconds: 16 px noise in two classes, tiny networks, a distance that costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stylegraft.augment.config import AdaConfig, augment_preset
from stylegraft.augment.pipe import AugmentPipe
from stylegraft.data.config import DataConfig
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.runtime.processes import Processes
from stylegraft.runtime.random import Key
from stylegraft.training.config import RunConfig
from stylegraft.training.step import StepContext


@pytest.fixture
def alone() -> Processes:
    return Processes(0, 1, torch.device("cpu"))


def write_images(folder: Path, seed: int) -> Path:
    random = np.random.default_rng(seed)
    for name, low, high in (("dark", 0, 120), ("light", 130, 255)):
        (folder / name).mkdir(parents=True)
        for index in range(16):
            pixels = random.integers(low, high, [16, 16, 3], dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}{index}.png")
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data") / "images", seed=0)


@pytest.fixture(scope="session")
def other_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same names with other pixels."""
    return write_images(tmp_path_factory.mktemp("other") / "images", seed=1)


@pytest.fixture
def make_config() -> Callable[..., RunConfig]:
    """A resolved config of a 16 px run; named fields are changed."""

    def make(c_dim: int = 2, **changes: Any) -> RunConfig:
        common: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (8, 8, 8)}
        label_mapping = None
        if c_dim:
            label_mapping = MappingConfig(z_dim=0, c_dim=c_dim, w_dim=8, num_layers=1, w_avg_beta=None)
        fields: dict[str, Any] = {
            "data_path": "nowhere",
            "data": DataConfig(),
            "data_hash": "0" * 64,
            "generator": GeneratorConfig(
                **common, mapping=MappingConfig(z_dim=8, c_dim=c_dim, w_dim=8, num_layers=2)
            ),
            "discriminator": DiscriminatorConfig(**common, mapping=label_mapping),
            "total_kimg": 0.064,
            "batch": 8,
            "micro_batch": 8,
            "augment": augment_preset("bgc"),
            "ada": AdaConfig(p=0.3, kimg=1.0),
            "tick_steps": 2,
        }
        return RunConfig(**fields | changes)

    return make


@pytest.fixture
def make_context(alone: Processes) -> Callable[[RunConfig], StepContext]:
    """What a step needs: real images that are noise keyed by their position."""

    def make(config: RunConfig) -> StepContext:
        c_dim = config.generator.mapping.c_dim

        def reals(position: int, samples: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor | None]:
            places = [position + sample for sample in samples]
            images = Key.of(0).normal(places, [3, 16, 16]).clamp_(-1, 1)
            classes = torch.tensor(places) % max(c_dim, 1)
            return images, torch.nn.functional.one_hot(classes, c_dim).float() if c_dim else None

        pipe = AugmentPipe(config.augment) if config.augment else None
        return StepContext(alone, pipe, reals, torch.eye(c_dim) if c_dim else None)

    return make
