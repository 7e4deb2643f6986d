"""Image sets: read from folders and zips, split by source file, sampled without state, written."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegraft.data.config import DataConfig
    from stylegraft.data.dataset import ImageSet, images_to_tensor
    from stylegraft.data.problems import BadImagesError
    from stylegraft.data.reader import open_image_set
    from stylegraft.data.sampler import ClassGroupSampler, TrainSampler
    from stylegraft.data.split import Split, split_holdout
    from stylegraft.data.writer import write_image_set

__all__ = [
    "BadImagesError",
    "ClassGroupSampler",
    "DataConfig",
    "ImageSet",
    "Split",
    "TrainSampler",
    "images_to_tensor",
    "open_image_set",
    "split_holdout",
    "write_image_set",
]

_MODULES = {
    "BadImagesError": "problems",
    "ClassGroupSampler": "sampler",
    "DataConfig": "config",
    "ImageSet": "dataset",
    "Split": "split",
    "TrainSampler": "sampler",
    "images_to_tensor": "dataset",
    "open_image_set": "reader",
    "split_holdout": "split",
    "write_image_set": "writer",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
