"""The pictures of a run: the same seeds over time, real images beside them, the curve of the distance."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch

from stylegraft.checkpoints.run_folder import LOG_NAME
from stylegraft.curves import plot_distance_curve
from stylegraft.data.dataset import ImageSet
from stylegraft.networks.sampling import latents_of_seeds, sample_pixels
from stylegraft.pictures import save_grid
from stylegraft.training.state import TrainState

_COLUMNS = 10
_ROWS_WITHOUT_CLASSES = 6
_MAX_CLASS_ROWS = 12


class RunPainter:
    """Writes RUN/samples/*.png and RUN/curve.{svg,png}."""

    def __init__(self, folder: Path, images: ImageSet, train_indices: np.ndarray) -> None:
        self._folder = folder
        self._labels = None if images.labels is None else images.labels[train_indices]
        self._class_names = images.class_names
        self._num_rows = _ROWS_WITHOUT_CLASSES
        if images.class_names is not None:
            self._num_rows = min(len(images.class_names), _MAX_CLASS_ROWS)
        reals = self._pick_reals(images, train_indices)
        save_grid(folder / "samples" / "reals.png", images.pixels(reals), _COLUMNS)

    def samples(self, state: TrainState) -> None:
        """Writes the pictures of the fixed seeds at psi 1: a row a class, or rows of seeds."""
        config = state.config.generator
        if self._class_names is None:
            seeds = range(self._num_rows * _COLUMNS)
            c = None
            if self._labels is not None:  # vectors: those of the first training images
                c = torch.from_numpy(self._labels[np.arange(len(seeds)) % len(self._labels)])
        else:
            # The same seeds in each row: what stays along a column is what z says beside the class.
            seeds = list(range(_COLUMNS)) * self._num_rows
            classes = torch.arange(self._num_rows).repeat_interleave(_COLUMNS)
            c = torch.nn.functional.one_hot(classes, config.mapping.c_dim).float()
        z = latents_of_seeds(seeds, config.mapping.z_dim)
        pixels = sample_pixels(state.G_ema, z, c, seeds=seeds)
        captions = None if self._class_names is None else list(self._class_names[: self._num_rows])
        path = self._folder / "samples" / f"kimg-{state.kimg:010.3f}.png"
        title = f"{state.kimg:.1f} kimg{_size_in_use(state)}"
        save_grid(path, pixels, _COLUMNS, row_captions=captions, title=title)

    def curve(self) -> None:
        """Redraws the curve from the log, if a distance was measured yet."""
        lines = (self._folder / LOG_NAME).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        if not any("distance" in row for row in rows):
            return
        plot_distance_curve(
            rows,
            self._folder / "curve.svg",
            distance_key="distance",
            floor=next((row["floor"] for row in rows if "floor" in row), None),
            panels={"loss": ("loss_G", "loss_D"), "augmentation p": ("augment_p",), "lod": ("lod",)},
        )

    def _pick_reals(self, images: ImageSet, train_indices: np.ndarray) -> np.ndarray:
        classes = images.class_indices
        if classes is None or self._class_names is None:
            return train_indices[: self._num_rows * _COLUMNS]
        rows = [train_indices[classes[train_indices] == row][:_COLUMNS] for row in range(self._num_rows)]
        rows = [
            np.resize(row, _COLUMNS) for row in rows if len(row)
        ]  # a small class repeats, to fill its row
        return np.concatenate(rows)


def _size_in_use(state: TrainState) -> str:
    """The size of a growing run's images, and the share of it that is still to fade in."""
    growing, config = state.config.growing, state.config.generator
    if growing is None:
        return ""
    lod = growing.start_lod if state.lod is None else state.lod
    halvings = math.floor(lod)
    faded = "" if lod == halvings else f", faded in by {halvings + 1 - lod:.0%}"
    return f", {config.img_height >> halvings} x {config.img_width >> halvings} px{faded}"
