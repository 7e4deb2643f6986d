"""Images, a model and a feature network that cost nothing."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stylegraft.evaluation.stats_cache import StatsCache


class TinyNetwork:
    """Sixteen numbers an image: the means of a 4 by 4 grid of patches."""

    name, dim, sha256 = "tiny", 16, "0" * 64
    is_published, precision = False, "fp32"

    def __init__(self):
        self.num_images = 0

    def __call__(self, images):
        self.num_images += len(images)
        grey = torch.as_tensor(np.array(images)).float().mean(dim=3)
        return torch.nn.functional.adaptive_avg_pool2d(grey, 4).flatten(1)


def draw_images(seed, num, brightness=0):
    """Gradients from dark left to bright right with a random blob, uint8 [num, 8, 8, 1]."""
    random = np.random.RandomState(seed)
    blobs = random.rand(num, 8, 8, 1) * 80
    return (blobs + np.linspace(0, 120, 8)[None, None, :, None] + brightness).astype(np.uint8)


@dataclass
class TinySet:
    array: np.ndarray
    labels: np.ndarray | None = None
    content_hash: str = "c" * 64
    asked: list = field(default_factory=list)

    @property
    def names(self):
        return [f"{index}.png" for index in range(len(self.array))]

    def pixels(self, indices):
        self.asked += list(indices)
        return self.array[indices]


@pytest.fixture
def network():
    return TinyNetwork()


@pytest.fixture
def cache(tmp_path):
    return StatsCache(tmp_path / "statistics")


@pytest.fixture
def images():
    return TinySet(draw_images(0, 120))


@pytest.fixture
def split():
    return SimpleNamespace(train_indices=np.arange(0, 90), holdout_indices=np.arange(90, 120), note=None)


@pytest.fixture
def draw():
    return draw_images
