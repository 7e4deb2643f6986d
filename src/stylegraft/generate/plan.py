"""Which image is made from which seed and class, and what its file is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stylegraft.errors import InputError
from stylegraft.generate.config import DEFAULT_NUM, MAX_NUM, GenerateConfig
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
    other seeds. With counts a class, consecutive seeds from 0 go to the classes in the order written.

    Args:
        config: the request.
        num_classes: size of the model's label; 0 for an unconditional model.
        class_names: names of the classes by index, or None.

    Raises:
        InputError: classes that the model does not have, or seeds that cannot be read.
    """
    if num_classes == 0:
        for flag, value in (("--classes", config.classes), ("--per-class", config.per_class)):
            if value is not None:
                raise InputError(
                    f"{flag} {value}: expected a model with classes, got an unconditional one. "
                    f"Leave {flag} out."
                )
        return [PlannedImage(_file_name(seed), seed, None, None) for seed in _seeds(config)]

    names = list(class_names) if class_names else [str(index) for index in range(num_classes)]
    chosen = _chosen_classes(config, names)
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


def _chosen_classes(config: GenerateConfig, names: list[str]) -> list[tuple[int, int | None]]:
    """Returns (class index, its number of images or None) for each class asked for."""
    if config.classes is None:
        return [(index, config.per_class) for index in range(len(names))]
    chosen: list[tuple[int, int | None]] = []
    for item in config.classes.split(","):
        name, equals, count_text = item.strip().rpartition("=")
        # A name may itself hold an equals sign; then the item is no NAME=COUNT.
        if not equals or item.strip() in names:
            name, count = item.strip(), config.per_class
        elif config.counting_flags:
            raise InputError(
                f"--classes {config.classes}: expected no counts beside {config.counting_flags[0]}, "
                f"got {item.strip()!r}. Leave one of the two out."
            )
        elif count_text.isdecimal() and 1 <= int(count_text) <= MAX_NUM:
            count = int(count_text)
        else:
            raise InputError(
                f"--classes {config.classes}: expected a count from 1 to {MAX_NUM:,}, got {item.strip()!r}."
            )
        chosen.append((_class_index(name, names), count))
    if len({index for index, _ in chosen}) < len(chosen):
        raise InputError(f"--classes {config.classes}: expected each class once. Leave the second one out.")
    if len({count is None for _, count in chosen}) == 2:
        raise InputError(f"--classes {config.classes}: expected a count with each class or with none.")
    return chosen


def _class_index(name: str, names: list[str]) -> int:
    """Finds a class by its name or, failing that, by its index."""
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise InputError(
        f"--classes {name}: expected a class of the model or an index below {len(names)}, got {name!r}. "
        f"The classes are {known}."
    )


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
