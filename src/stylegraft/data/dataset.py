"""An image set in memory: pixels of one size, labels, a content hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stylegraft.data.config import DataConfig
from stylegraft.data.split import MIN_HOLDOUT_IMAGES, Split, split_holdout
from stylegraft.data.split_cache import stored_split

if TYPE_CHECKING:
    import torch

_QUICKLY_SPLIT = 20_000  # images; fewer take less than half a second


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Decoded images of one size, in the order of their names. Made by `open_image_set`."""

    path: Path
    config: DataConfig
    names: Sequence[str]
    """File names relative to the folder or zip, sorted."""
    array: np.ndarray
    """uint8 [N, H, W, C], in memory or mapped from a file. Read only."""
    labels: np.ndarray | None
    """float32 [N, c_dim]: one-hot classes or vectors; None: no labels."""
    class_names: tuple[str, ...] | None
    """Names of the classes; None when there are no labels or they are vectors."""
    skipped: tuple[tuple[str, str], ...]
    """(name, reason) of files left out because of `skip_bad`."""
    num_ignored: int
    """Files that are no images by their extension."""
    content_hash: str
    """SHA-256 over names, decoded pixels, labels and the settings they were decoded with; not `mirror`."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def height(self) -> int:
        """Image height, px."""
        return self.array.shape[1]

    @property
    def width(self) -> int:
        """Image width, px."""
        return self.array.shape[2]

    @property
    def num_channels(self) -> int:
        """1 grey, 3 RGB."""
        return self.array.shape[3]

    @property
    def c_dim(self) -> int:
        """Size of a label; 0 without labels."""
        return 0 if self.labels is None else self.labels.shape[1]

    @property
    def class_indices(self) -> np.ndarray | None:
        """Class of each image, int64 [N]; None when there are no labels or they are vectors."""
        if self.labels is None or self.class_names is None:
            return None
        return self.labels.argmax(axis=1)

    def pixels(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns a copy of some images, uint8 [n, H, W, C]."""
        return self.array[np.asarray(indices, np.int64)]

    def batch(
        self, indices: Sequence[int] | np.ndarray, flips: Sequence[bool] | np.ndarray | None = None
    ) -> torch.Tensor:
        """Returns some images for a network, float32 [n, C, H, W] in [-1, 1].

        Args:
            indices: which images.
            flips: which of them to mirror left to right, [n]; None: none.
        """
        return images_to_tensor(self.pixels(indices), flips)

    def label_batch(self, indices: Sequence[int] | np.ndarray) -> torch.Tensor | None:
        """Returns the labels of some images, float32 [n, c_dim], or None without labels."""
        import torch

        if self.labels is None:
            return None
        return torch.from_numpy(self.labels[np.asarray(indices, np.int64)])

    def split(self, min_images: int = MIN_HOLDOUT_IMAGES) -> Split:
        """Returns which images train and which are held out, as the settings `holdout*` say."""
        config = self.config
        if len(self) < _QUICKLY_SPLIT or config.disk_cache_mb == 0:
            return split_holdout(self, config.holdout, config.holdout_seed, min_images)
        return stored_split(self, self.content_hash, config.holdout, config.holdout_seed, min_images)

    def summary(self) -> dict[str, Any]:
        """Returns what there is to know of the set, ready for JSON."""
        split = self.split()
        classes = self.class_indices
        counts = None
        if classes is not None and self.class_names is not None:
            numbers = np.bincount(classes, minlength=len(self.class_names)).tolist()
            counts = dict(zip(self.class_names, numbers))
        return {
            "kind": "image set",
            "path": str(self.path),
            "num_images": len(self),
            "height": self.height,
            "width": self.width,
            "channels": self.num_channels,
            "c_dim": self.c_dim,
            "classes": counts,
            "num_holdout": len(split.holdout_indices),
            "holdout_note": split.note,
            "skipped": [list(item) for item in self.skipped],
            "num_ignored_files": self.num_ignored,
            "content_hash": self.content_hash,
        }


def images_to_tensor(pixels: np.ndarray, flips: Sequence[bool] | np.ndarray | None = None) -> torch.Tensor:
    """Maps uint8 [n, H, W, C] to float32 [n, C, H, W] by x / 127.5 - 1, mirroring where `flips` says so."""
    import torch

    if flips is not None:
        mirrored = np.asarray(flips, bool)
        if mirrored.any():
            pixels = np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
    planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return torch.from_numpy(planes).to(torch.float32).div_(127.5).sub_(1)
