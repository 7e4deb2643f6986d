"""A model that costs nothing: its pixels say which seed, class and settings they were made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from stylegraft.generate.config import NoiseMode, TruncationCentre


class FakeModel:
    """Draws plain pictures: red is the seed, green the class, blue psi in percent."""

    sampling_batch = 8

    def __init__(self, c_dim: int = 0, class_names: list[str] | None = None, channels: int = 3) -> None:
        self.info: dict[str, Any] = {"sha256": "ab" * 32, "c_dim": c_dim, "family": "stylegan2"}
        self.class_names = class_names
        self.channels = channels
        self.truncation_centre: Literal["class", "global"] = "class" if c_dim else "global"
        self.calls: list[dict[str, Any]] = []

    def sample(
        self,
        seeds: Sequence[int],
        psi: float = 0.7,
        cutoff: int | None = None,
        labels: NDArray[np.float32] | None = None,
        noise_mode: NoiseMode = "const",
        batch: int = 16,
        truncation_centre: TruncationCentre = "auto",
    ) -> NDArray[np.uint8]:
        call = {"seeds": list(seeds), "cutoff": cutoff, "noise_mode": noise_mode, "batch": batch}
        self.calls.append(call | {"truncation_centre": truncation_centre})
        assert (labels is None) == (self.info["c_dim"] == 0)
        images = np.zeros([len(seeds), 4, 6, self.channels], dtype=np.uint8)
        for row, seed in enumerate(seeds):
            index = 0 if labels is None else int(labels[row].argmax())
            images[row, ...] = [seed % 256, index, round(psi * 100)][: self.channels]
        return images


@pytest.fixture
def plain_model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def class_model() -> FakeModel:
    return FakeModel(3, ["boots", "bags", "a/b"])


@pytest.fixture
def grey_model() -> FakeModel:
    return FakeModel(channels=1)
