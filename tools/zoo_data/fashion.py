"""Garments: Fashion-MNIST, the first 2,000 training images of each of ten classes (MIT).

28 x 28 px in grey are padded with black to 32 x 32 and enlarged.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.errors import InputError
from zoo_data.pictures import SIDE_PX, Picture

CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)
PER_CLASS = 2000
_PAD_PX = 2


def fashion(source: Path) -> Iterator[Picture]:
    """Yields the garments class by class, named by their place in the original set.

    Args:
        source: folder of the idx files.
    """
    images = read_idx(source / "train-images-idx3-ubyte.gz")
    classes = read_idx(source / "train-labels-idx1-ubyte.gz")
    for label, name in enumerate(CLASSES):
        for index in np.flatnonzero(classes == label)[:PER_CLASS].tolist():
            small = Image.fromarray(np.pad(images[index], _PAD_PX))
            large = small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).convert("RGB")
            yield Picture(f"{index:05d}", np.asarray(large), name)


def read_idx(path: Path) -> np.ndarray:
    """Reads an idx file of bytes: two zero bytes, type 8, number of sides, the sides, the values.

    Raises:
        InputError: it is missing or of another kind.
    """
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise InputError(
            f"{path}: expected an idx file, got {error}. Name the folder of the package."
        ) from error
    if data[:3] != b"\0\0\x08":
        raise InputError(f"{path}: expected an idx file of bytes. Name the folder of the package.")
    num_sides = data[3]
    sides = np.frombuffer(data, ">u4", num_sides, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * num_sides).reshape(sides.tolist())
