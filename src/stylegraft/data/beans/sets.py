"""Sets of beans: as arrays, or as a folder with one folder per class."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylegraft.data.beans.draws import Draws
from stylegraft.data.beans.kinds import KINDS
from stylegraft.data.beans.render import paint_bean
from stylegraft.errors import InputError, RunError

CLASS_NAMES: tuple[str, ...] = tuple(kind.name for kind in KINDS)


def render_bean(
    index: int, size: int = 64, seed: int = 0, supersample: int = 3
) -> tuple[NDArray[np.uint8], int]:
    """Renders bean `index` of the endless set named by `seed`.

    Returns:
        uint8 [size, size, 3] sRGB, and its class: an index into `CLASS_NAMES`. Another size or supersampling
        shows the same bean.
    """
    label = index % len(KINDS)
    return paint_bean(KINDS[label], Draws(seed, index), size, supersample), label


def render_beans(
    num: int, size: int = 64, seed: int = 0, supersample: int = 3
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Renders the first `num` beans of the set named by `seed`; the classes take turns.

    Args:
        num: number of images.
        size: side in pixels, at least 8.
        seed: names the set, not negative; image i depends on (seed, i) only.
        supersample: points per pixel side, at least 1.

    Returns:
        uint8 [num, size, size, 3] sRGB; int64 [num] labels; the class names in label order.

    Raises:
        InputError: an argument is out of range.
    """
    _check(num, size, seed, supersample)
    images = np.empty((num, size, size, 3), np.uint8)
    labels = np.empty(num, np.int64)
    for index in range(num):
        images[index], labels[index] = render_bean(index, size, seed, supersample)
    return images, labels, CLASS_NAMES


def write_bean_set(
    path: str | Path, num: int = 600, size: int = 64, seed: int = 0, supersample: int = 3
) -> Path:
    """Writes beans as PNG files into class folders: `path/kidney/bean_00003.png`.

    The set appears whole or not at all: it is made in a folder beside `path` and renamed.

    Returns:
        `path`.

    Raises:
        InputError: an argument is out of range, or `path` exists and is not an empty folder.
        RunError: the disk is full or cannot be written.
    """
    _check(num, size, seed, supersample)
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(
            f"cannot write beans to {path}: expected a new or empty folder. Name another or remove it."
        )
    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        scratch.chmod(0o755)
        for name in CLASS_NAMES:
            (scratch / name).mkdir()
        for index in range(num):
            pixels, label = render_bean(index, size, seed, supersample)
            Image.fromarray(pixels).save(scratch / CLASS_NAMES[label] / f"bean_{index:05d}.png")
        if path.exists():
            path.rmdir()  # Windows cannot rename onto an empty folder.
        scratch.replace(path)
    except OSError as error:
        raise RunError(
            f"cannot write beans to {path}: {error.strerror or error}. Check free space and permissions."
        ) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    return path


def _check(num: int, size: int, seed: int, supersample: int) -> None:
    for name, value, lowest in (
        ("num", num, 1),
        ("size", size, 8),
        ("seed", seed, 0),
        ("supersample", supersample, 1),
    ):
        if value < lowest:
            raise InputError(
                f"cannot render beans: expected {name} of {lowest} or more, got {value}. Raise it."
            )
