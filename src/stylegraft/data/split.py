"""Held-out images, chosen by source file: variants of one picture never stand on both sides.

The source is told from the file name (`group_keys`):

1. The extension goes, the folder stays: equal names in two folders are two sources.
2. Endings of variants go, as often as there are any: _q0 _full1 _crop3 (parts of a picture), _flip
   _mirror _rot90 _aug2 _shiny _copy (changed copies), each after `_`, `-`, `.` or a space. So do emoji
   skin tones (_1f3fb to _1f3ff), wherever they stand.
3. A running number in front goes if letters are left: 00012_rock3_q1 is of source "rock3".
   Names of digits only (img00000001, 00012, 2024-01-05) are each a source of their own.
4. "rock-2" and "rock (2)" are copies of "rock" if, and only if, there is a "rock" in the set.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np

MIN_HOLDOUT_IMAGES = 20

_VARIANT = re.compile(
    r"[ _.-](?:q\d|full\d|(?:crop|aug|rot)\d+|crop|flip(?:ped)?|mirror(?:ed)?|shiny|copy)$", re.I
)
_SKIN_TONE = re.compile(r"[_-]1f3f[b-f](?![0-9a-z])", re.I)
_RUNNING_NUMBER = re.compile(r"^\d+[ _.-]+")
_NO_LETTERS = re.compile(r"[\W\d_]*")
_COPY = re.compile(r"(?:-\d{1,2}| ?\(\d{1,3}\))$")


class NamedImages(Protocol):
    """What a split is made from: an image set, or anything with its names and classes."""

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def class_indices(self) -> np.ndarray | None: ...


@dataclass(frozen=True)
class Split:
    """Which images train and which are held out; both int64, sorted, without overlap."""

    train_indices: np.ndarray
    holdout_indices: np.ndarray
    note: str | None
    """What the user should know: why nothing is held out, or that sources could not be told apart."""


def group_key(name: str) -> str:
    """Returns the source that a file name tells of, by rules 1 to 3 of the module."""
    path = PurePosixPath(name)
    key = _SKIN_TONE.sub("", path.stem)
    while (shorter := _VARIANT.sub("", key)) not in (key, ""):
        key = shorter
    without_number = _RUNNING_NUMBER.sub("", key)
    if not _NO_LETTERS.fullmatch(without_number):
        key = without_number
    return (path.parent / key).as_posix()


def group_keys(names: Sequence[str]) -> list[str]:
    """Returns the source of each file by rules 1 to 4 of the module."""
    keys = [group_key(name) for name in names]
    known = set(keys)
    bare = [_COPY.sub("", key) for key in keys]
    return [short if short in known else key for short, key in zip(bare, keys)]


def split_holdout(
    images: NamedImages, fraction: float, seed: int, min_images: int = MIN_HOLDOUT_IMAGES
) -> Split:
    """Chooses the images that training never sees.

    Whole sources are taken in an order that depends only on the seed and their names, each class giving its
    share as far as sources allow, until `max(min_images, fraction * N)` images are reached. Sources larger
    than a quarter of that stay in training: they would make up too much of the held-out set. If too few
    others are there, the names do not tell sources ("001_cat", "002_cat"...) and single images are taken.

    Args:
        images: an `ImageSet`, or anything with `names` and `class_indices` (int [N] or None).
        fraction: share of the images to hold out; 0 holds out none.
        seed: chooses among sources.
        min_images: least number held out; sets of fewer than three times as many hold out none.
    """
    num_images = len(images.names)
    if fraction == 0:
        return make_split(num_images, [], None)
    if num_images < 3 * min_images:
        note = (
            f"nothing is held out: {num_images} images are fewer than {3 * min_images}. "
            "Distances are measured on the training images and look better than they are."
        )
        return make_split(num_images, [], note)
    target = max(min_images, round(fraction * num_images))
    classes = np.zeros(num_images, np.int64) if images.class_indices is None else images.class_indices

    chosen = _choose(group_keys(images.names), classes, target, seed)
    if chosen is not None:
        return make_split(num_images, chosen, None)
    chosen = _choose(list(images.names), classes, target, seed)
    assert chosen is not None, "single images always reach the target"
    note = (
        "file names do not tell sources apart: single images are held out. "
        "If several show the same thing, the held-out distance looks better than it is."
    )
    return make_split(num_images, chosen, note)


def _choose(keys: Sequence[str], classes: np.ndarray, target: int, seed: int) -> list[int] | None:
    """Returns at least `target` images in whole groups, or None if groups of fair size do not suffice."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    # An order by hash stays the same for the sources there were when others are added.
    order = sorted(
        groups, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode(errors="surrogateescape")).digest()
    )
    order = [key for key in order if len(groups[key]) <= max(1, target // 4)]

    chosen: list[int] = []
    rest = []
    wanted = _shares(classes, target)
    for key in order:
        majority = Counter(classes[groups[key]].tolist()).most_common(1)[0][0]
        if len(groups[key]) <= wanted[majority]:
            wanted[majority] -= len(groups[key])
            chosen += groups[key]
        else:
            rest.append(key)
    for key in sorted(rest, key=lambda key: len(groups[key])):
        if len(chosen) >= target:
            break
        chosen += groups[key]
    return chosen if len(chosen) >= target else None


def _shares(classes: np.ndarray, target: int) -> dict[int, int]:
    """Returns how many of `target` images each class gives, in proportion, by largest remainders."""
    labels, counts = np.unique(classes, return_counts=True)
    exact = counts * (target / len(classes))
    shares = np.floor(exact).astype(np.int64)
    largest = np.argsort(shares - exact, kind="stable")[: target - int(shares.sum())]
    shares[largest] += 1
    return dict(zip(labels.tolist(), shares.tolist()))


def make_split(num_images: int, holdout: Sequence[int] | np.ndarray, note: str | None) -> Split:
    """Returns the split that holds out the images `holdout`."""
    held = np.zeros(num_images, bool)
    held[np.asarray(holdout, np.int64)] = True
    return Split(np.flatnonzero(~held), np.flatnonzero(held), note)
