"""Metrics that walk through a generator's latent space: perceptual path length and linear separability."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from stylegraft.errors import DataError
from stylegraft.evaluation.evaluate import fakes_of, labels_of_fakes
from stylegraft.evaluation.statistics import BATCH, Advance
from stylegraft.features.perceptual import PerceptualDistance
from stylegraft.features.registry import FeatureNetwork
from stylegraft.metrics.path_length import PathLength, path_length
from stylegraft.metrics.separability import (
    Separability,
    attribute_probabilities,
    linear_separability,
    train_attribute_classifiers,
)
from stylegraft.metrics.settings import PathLengthSetting, SeparabilitySetting

if TYPE_CHECKING:
    from stylegraft.model import Model


class PathSampler:
    """A model's generator as `metrics.path_length.PathGenerator` wants it, in single precision.

    Args:
        model: stays as it is; the generator is copied.
        seed: of the noise.
    """

    def __init__(self, model: Model, seed: int) -> None:
        self._generator = copy.deepcopy(model.generator)
        # A step of 1e-4 is below what bfloat16 can tell apart.
        self._generator.set_compute_dtype(torch.float32)
        self._device = next(self._generator.parameters()).device
        self._seed = seed
        self._noise: list[torch.Tensor] = []

    @torch.inference_mode()
    def mapping(self, z: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Maps z, float32 [n, z_dim], to ws [n, num_ws, w_dim] without truncation."""
        labels = None if c is None else torch.from_numpy(c).float().to(self._device)
        return self._generator.mapping(torch.from_numpy(z).to(self._device), labels).cpu().numpy()

    @torch.inference_mode()
    def synthesis(self, ws: np.ndarray) -> torch.Tensor:
        """Draws images [n, C, H, W]; all of a batch share one noise."""
        noise = [layer.expand(len(ws), -1, -1, -1) for layer in self._noise]
        return self._generator.synthesis(torch.from_numpy(ws).float().to(self._device), "random", noise)

    def redraw_noise(self, batch_index: int) -> None:
        """Draws the noise of all layers anew, the same for equal seeds and batches."""
        random = np.random.default_rng((self._seed, batch_index))
        self._noise = [
            torch.from_numpy(random.standard_normal((1, 1, h, w), dtype=np.float32)).to(self._device)
            for h, w in self._generator.synthesis.noise_shapes
        ]


def measure_path_length(
    model: Model,
    setting: PathLengthSetting,
    perceptual: PerceptualDistance,
    *,
    labels: np.ndarray | None,
    seed: int,
    advance: Advance,
) -> PathLength:
    """Returns the path length of a model.

    Args:
        model: whose paths.
        setting: as `metrics.settings` has it, with the number of paths.
        perceptual: LPIPS.
        labels: of the real images, or None.
        seed: of paths and noise.
        advance: called with the number of paths done.
    """
    last = 0

    def progress(done: int, total: int) -> None:
        nonlocal last
        advance(done - last)
        last = done

    @torch.inference_mode()
    def distance(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
        return perceptual(a / 127.5 - 1, b / 127.5 - 1).cpu().numpy()

    c_dim = model.info["c_dim"]
    return path_length(
        PathSampler(model, seed),
        distance,
        setting,
        z_dim=model.info["z_dim"],
        seed=seed,
        labels=labels if c_dim else None,
        progress=progress,
    )


def measure_separability(
    model: Model,
    setting: SeparabilitySetting,
    network: FeatureNetwork,
    *,
    features: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    seed: int,
    advance: Advance,
) -> dict[str, Separability]:
    """Returns the separability of the classes of an image set in each space of the setting.

    Args:
        model: whose latents.
        setting: as `metrics.settings` has it, with the number of fakes.
        network: takes the features that the classes are told by.
        features: of the real images, [N, dim].
        labels: of the real images, one-hot [N, classes].
        class_names: one a class.
        seed: of the first fake.
        advance: called with the number of fakes done.
    """
    classifiers = train_attribute_classifiers(features, labels > 0.5)
    num = setting.num_fakes
    sample = fakes_of(model, labels, num=num, seed=seed, psi=setting.psi)
    drawn = labels_of_fakes(labels, num=num, seed=seed)
    paths = PathSampler(model, seed)
    found: dict[str, list[np.ndarray]] = {"z": [], "w": [], "probabilities": []}
    for start in range(0, num, BATCH):
        count = min(BATCH, num - start)
        z = np.concatenate(
            [np.random.RandomState(seed + start + row).randn(1, model.info["z_dim"]) for row in range(count)]
        ).astype(np.float32)
        c = drawn[start : start + count] if drawn is not None and model.info["c_dim"] else None
        found["z"].append(z)
        found["w"].append(paths.mapping(z, c)[:, 0])
        found["probabilities"].append(
            attribute_probabilities(classifiers, network(sample(start, count)).numpy())
        )
        advance(count)
    arrays = {name: np.concatenate(parts) for name, parts in found.items()}
    return {
        space: linear_separability(
            arrays[space], arrays["probabilities"], attributes=class_names, keep=setting.keep
        )
        for space in setting.spaces
    }


def check_labels(labels: np.ndarray | None, class_names: Sequence[str] | None, metric: str) -> None:
    """Refuses sets without classes.

    Raises:
        DataError: there are none.
    """
    if labels is None or class_names is None:
        raise DataError(
            f"{metric}: expected real images with classes, got none. Give class folders or a dataset.json "
            "with labels, and leave --labels none out."
        )
