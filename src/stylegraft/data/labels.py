"""Labels of an image set: from dataset.json of the official tools, or from class folders."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylegraft.data.problems import examples
from stylegraft.data.sources import Source
from stylegraft.errors import DataError

LABEL_FILE = "dataset.json"
MAX_CLASSES = 10_000

_OFFICIAL_NAME = re.compile(r"\d{5}/img\d{8}\.\w+")


@dataclass(frozen=True)
class Labels:
    """What is known of each image beside its pixels."""

    by_name: dict[str, int | tuple[float, ...]]
    """A class index, or a vector of `c_dim` values, for every image of the source."""
    c_dim: int
    class_names: tuple[str, ...] | None
    """One name a class; None when the labels are vectors."""

    def array(self, names: Sequence[str]) -> np.ndarray:
        """Returns float32 [len(names), c_dim]; classes are one-hot."""
        labels = np.zeros((len(names), self.c_dim), np.float32)
        for row, name in zip(labels, names):
            label = self.by_name[name]
            if isinstance(label, int):
                row[label] = 1
            else:
                row[:] = label
        return labels


def read_labels(source: Source) -> Labels | None:
    """Returns the labels of a set, or None when it has none.

    A `dataset.json` at the root (or in the one folder that a zip wraps everything in) decides; without it,
    folders that hold all images, at least two of them, are the classes, sorted by name.

    Raises:
        DataError: dataset.json is malformed, labels only some images or names missing ones.
    """
    wrapper = _wrapping_folder(source.names)
    for name in (LABEL_FILE, wrapper + LABEL_FILE):
        if source.has(name):
            return _from_json(source, name)
    return _from_folders(source.names, wrapper)


def _wrapping_folder(names: Sequence[str]) -> str:
    """Returns "folder/" when all images lie in or below one folder, else ""."""
    first = {name.split("/")[0] if "/" in name else "" for name in names}
    return f"{first.pop()}/" if len(first) == 1 and "" not in first else ""


def _from_folders(names: Sequence[str], wrapper: str) -> Labels | None:
    parts = [name.removeprefix(wrapper).split("/") for name in names]
    if all(_OFFICIAL_NAME.fullmatch(name) for name in names) or any(len(part) != 2 for part in parts):
        return None
    class_names = tuple(sorted({part[0] for part in parts}))
    if len(class_names) < 2:
        return None
    index = {name: position for position, name in enumerate(class_names)}
    by_name: dict[str, int | tuple[float, ...]] = {name: index[part[0]] for name, part in zip(names, parts)}
    return Labels(by_name, len(class_names), class_names)


def _from_json(source: Source, label_file: str) -> Labels | None:
    where = f"{label_file} in {source.path}"
    content = _parse(source, label_file, where)
    if not isinstance(content, dict):
        raise DataError(f'{where}: expected an object with the key "labels", got {_kind(content)}.')
    pairs = _pairs(content.get("labels"), where)
    if not pairs:
        return None
    folder = label_file.removesuffix(LABEL_FILE)
    by_name: dict[str, Any] = {}
    for name, label in pairs:
        name = folder + name.replace("\\", "/")
        if by_name.setdefault(name, label) != label:
            raise DataError(f"{where}: {name} has two labels, {by_name[name]!r} and {label!r}. Remove one.")
    _check_names(by_name, source.names, where)
    if all(_is_class(label) for label in by_name.values()):
        return _classes(by_name, content.get("class_names"), where)
    return _vectors(by_name, where)


def _parse(source: Source, label_file: str, where: str) -> Any:
    try:
        return json.loads(source.read(label_file))
    except DataError as error:
        raise DataError(f"cannot read {where}: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not valid JSON: {error}. Write it anew.") from error


def _pairs(labels: Any, where: str) -> list[tuple[str, Any]]:
    """Returns (name, label) of each entry of `labels`, a list of pairs or an object; null gives none."""
    if labels is None:
        return []
    if isinstance(labels, dict):
        labels = list(labels.items())
    if not isinstance(labels, list):
        raise DataError(f'{where}: expected "labels" to be a list of [name, label], got {_kind(labels)}.')
    for entry in labels:
        if not (isinstance(entry, list | tuple) and len(entry) == 2 and isinstance(entry[0], str)):
            raise DataError(f"{where}: expected [name, label], got {json.dumps(entry)[:80]}.")
    return [(name, label) for name, label in labels]


def _check_names(by_name: dict[str, Any], names: Sequence[str], where: str) -> None:
    missing = sorted(by_name.keys() - set(names))
    if missing:
        raise DataError(
            f"{where}: {len(missing)} of {len(by_name)} labels name images that are not there: "
            f"{examples(missing)}. Add the images or remove their labels."
        )
    unlabelled = [name for name in names if by_name.get(name) is None]
    if unlabelled:
        raise DataError(
            f"{where}: {len(unlabelled)} of {len(names)} images have no label: {examples(unlabelled)}. "
            "Label all of them, or use none with --labels none."
        )


def _classes(by_name: dict[str, int], class_names: Any, where: str) -> Labels:
    wrong = [f"{name} ({label})" for name, label in by_name.items() if not 0 <= label < MAX_CLASSES]
    if wrong:
        raise DataError(
            f"{where}: expected class numbers of 0 to {MAX_CLASSES - 1}, got {examples(wrong)}. "
            "Number the classes from 0."
        )
    c_dim = max(by_name.values()) + 1
    if class_names is None:
        return Labels(dict(by_name), c_dim, tuple(str(index) for index in range(c_dim)))
    if not (isinstance(class_names, list) and all(isinstance(name, str) for name in class_names)):
        raise DataError(f'{where}: expected "class_names" to be a list of texts, got {_kind(class_names)}.')
    if len(class_names) < c_dim or len(set(class_names)) < len(class_names):
        raise DataError(
            f'{where}: expected "class_names" to hold {c_dim} or more different names, '
            f"got {len(class_names)} ({len(set(class_names))} different)."
        )
    return Labels(dict(by_name), len(class_names), tuple(class_names))


def _vectors(by_name: dict[str, Any], where: str) -> Labels:
    wrong = [f"{name} ({json.dumps(label)[:40]})" for name, label in by_name.items() if not _is_vector(label)]
    if wrong:
        raise DataError(
            f"{where}: expected whole class numbers for all images or lists of numbers for all, "
            f"got {len(wrong)} others: {examples(wrong)}. Write a single number as [0.5]."
        )
    length = len(next(iter(by_name.values())))
    uneven = [f"{name} ({len(label)})" for name, label in by_name.items() if len(label) != length]
    if uneven:
        raise DataError(
            f"{where}: expected labels of {length} values each, as the first has; "
            f"{len(uneven)} differ: {examples(uneven)}."
        )
    return Labels({name: tuple(map(float, label)) for name, label in by_name.items()}, length, None)


def _is_class(label: Any) -> bool:
    return isinstance(label, int) and not isinstance(label, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_vector(label: Any) -> bool:
    return isinstance(label, list) and 0 < len(label) <= MAX_CLASSES and all(map(_is_number, label))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null"}
    return names.get(type(value), f"{value!r:.40}")


def label_file_text(
    names: Sequence[str], labels: Sequence[int] | np.ndarray | None, class_names: Sequence[str] | None
) -> str:
    """Returns the text of a dataset.json.

    Args:
        names: image names with `/`.
        labels: class indices [N], or vectors [N, c_dim]; None writes null.
        class_names: written beside the labels, where official tools do not look; None: not written.
    """
    pairs = (
        None if labels is None else [[name, label] for name, label in zip(names, np.asarray(labels).tolist())]
    )
    content: dict[str, Any] = {"labels": pairs}
    if class_names is not None:
        content["class_names"] = list(class_names)
    return json.dumps(content, indent=None, ensure_ascii=False) + "\n"
