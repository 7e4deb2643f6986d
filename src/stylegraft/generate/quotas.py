"""Which class gets how many images: as asked for, or as many as an image set lacks to be balanced."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stylegraft.errors import InputError
from stylegraft.generate.config import MAX_NUM, GenerateConfig


def quotas(config: GenerateConfig, names: Sequence[str]) -> list[tuple[int, int | None]]:
    """Returns (class index, its number of images) for each class of a request, in the order written.

    The number is None for each of them where the request counts images in all.

    Args:
        config: the request.
        names: the classes of the model.

    Raises:
        InputError: a class that the model does not have, a count that is none, or a set that cannot be
            balanced with this model.
    """
    if config.balance is not None:
        lacking = _lacking(config.balance, names)
        wanted = [index for index, _ in _written(config, names)]
        if not any(lacking[index] for index in wanted):
            raise InputError(
                f"--balance {config.balance}: expected a class with fewer images than the largest one, got "
                "none among those asked for. There is nothing to generate."
            )
        return [(index, lacking[index]) for index in wanted]
    return _written(config, names)


def class_index(name: str, names: Sequence[str], flag: str) -> int:
    """Finds a class by its name or, failing that, by its index.

    Raises:
        InputError: there is none; the message suggests the nearest name.
    """
    if name in names:
        return list(names).index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    # By letters alone: people leave out capitals, spaces and dashes.
    nearest = difflib.get_close_matches(name.lower(), [known.lower() for known in names], n=1, cutoff=0.5)
    known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    hint = f"The classes are {known}."
    if nearest:
        hint = f"Did you mean {next(known for known in names if known.lower() == nearest[0])}? {hint}"
    raise InputError(
        f"{flag}: expected a class of the model or an index below {len(names)}, got {name!r}. {hint}"
    )


def _written(config: GenerateConfig, names: Sequence[str]) -> list[tuple[int, int | None]]:
    """Returns what --classes and --per-class say."""
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
        chosen.append((class_index(name, names, f"--classes {config.classes}"), count))
    if len({index for index, _ in chosen}) < len(chosen):
        raise InputError(f"--classes {config.classes}: expected each class once. Leave the second one out.")
    if len({count is None for _, count in chosen}) == 2:
        raise InputError(f"--classes {config.classes}: expected a count with each class or with none.")
    return chosen


def _lacking(data: str, names: Sequence[str]) -> list[int]:
    """Returns how many images each class of the model lacks to the largest class of a set.

    Only names and labels are read, no pixels.
    """
    from stylegraft.data.labels import read_labels
    from stylegraft.data.sources import open_source

    with open_source(Path(data)) as source:
        labels = read_labels(source)
    if labels is None or labels.class_names is None:
        raise InputError(
            f"--balance {data}: expected images with classes, got none. Sort them into one folder a class."
        )
    found = Counter(label for label in labels.by_name.values() if isinstance(label, int))
    counts = [0] * len(names)
    for number, count in found.items():
        counts[class_index(labels.class_names[number], names, f"--balance {data}")] = count
    return [max(counts) - count for count in counts]
