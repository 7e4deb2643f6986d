"""Which image is made from which seed and class, and what its file is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stylegraft.errors import InputError
from stylegraft.generate.config import DEFAULT_NUM, MAX_NUM, GenerateConfig
from stylegraft.generate.quotas import quotas
from stylegraft.generate.seeds import parse_seeds


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image to make."""

    file: str
    """Name inside the set, with forward slashes: `seed000007.png`, or `boots/seed000007.png` with classes."""
    seed: int
    class_index: int | None
    class_name: str | None


def plan_images(
    config: GenerateConfig, num_classes: int, class_names: Sequence[str] | None
) -> list[PlannedImage]:
    """Returns the images of a request, in the order they are made and listed.

    With `num` or `seeds`, a seed's class is `classes[seed % len(classes)]`, so that it does not depend on the
    other seeds. With counts a class (see `quotas`), consecutive seeds from 0 go to the classes in the order
    written.

    Args:
        config: the request.
        num_classes: size of the model's label; 0 for an unconditional model.
        class_names: names of the classes by index, or None.

    Raises:
        InputError: classes that the model does not have, or seeds that cannot be read.
    """
    if num_classes == 0:
        for flag, value in config.class_flags.items():
            raise InputError(
                f"{flag} {value}: expected a model with classes, got an unconditional one. Leave {flag} out."
            )
        return [PlannedImage(_file_name(seed), seed, None, None) for seed in _seeds(config)]

    names = list(class_names) if class_names else [str(index) for index in range(num_classes)]
    chosen = quotas(config, names)
    if any(count is not None for _, count in chosen):
        total = sum(count or 0 for _, count in chosen)
        if total > MAX_NUM:
            raise InputError(f"expected at most {MAX_NUM:,} images, got {total:,}. Make them in parts.")
        classes = [index for index, count in chosen for _ in range(count or 0)]
        pairs = list(enumerate(classes))
    else:
        pairs = [(seed, chosen[seed % len(chosen)][0]) for seed in _seeds(config)]
    folders = _folder_names(names)
    return [
        PlannedImage(f"{folders[index]}/{_file_name(seed)}", seed, index, names[index])
        for seed, index in pairs
    ]


def _seeds(config: GenerateConfig) -> Sequence[int]:
    if config.seeds is not None:
        return parse_seeds(config.seeds)
    return range(config.num or DEFAULT_NUM)


def _file_name(seed: int) -> str:
    return f"seed{seed:06d}.png"


def _folder_names(names: list[str]) -> list[str]:
    """Returns one folder name a class, safe on every system and different from the others."""
    safe = [re.sub(r"[^\w.+-]+", "_", name).strip("._")[:80] for name in names]
    lowered = [name.lower() for name in safe]  # some file systems cannot tell upper from lower case
    return [
        name if name and lowered.count(name.lower()) == 1 else f"class{index:04d}"
        for index, name in enumerate(safe)
    ]
