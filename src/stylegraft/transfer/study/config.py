"""What a study trains: sources times targets times seeds. No torch."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from stylegraft.config import Config
from stylegraft.data.config import Fit, parse_size
from stylegraft.errors import ConfigError, InputError

SCRATCH = "scratch"
"""The source that is none: networks with random weights."""

# What the study sets for each cell, and what has a setting of its own here.
_NOT_AMONG_TRAIN_FLAGS = (
    *("--out", "--resume", "--from", "--seed", "--kimg", "--minutes"),
    *("--size", "--fit", "--mirror", "--labels", "--help", "-h"),
)


class StudySettings(Config):
    """Which trainings a study consists of; the flags of `stylegraft study`, or its file."""

    sources: tuple[str, ...] = Field(
        min_length=1,
        description="what to start from: names of the zoo, runs, checkpoints or public files, or scratch; "
        "NAME=PATH gives one a name of its own",
    )
    targets: tuple[str, ...] = Field(
        min_length=1, description="image sets, folders or zips; NAME=PATH gives one a name of its own"
    )
    seeds: int = Field(default=2, ge=1, description="each pair is trained with seeds 0 to this number less 1")
    kimg: float | None = Field(
        default=None, gt=0, description="budget of a cell: thousand real images shown to D"
    )
    minutes: float | None = Field(default=None, gt=0, description="budget of a cell, minutes")
    size: str | None = Field(
        default=None, description='"64" or "64x96" (height x width, px); None: that of the images'
    )
    fit: Fit | None = Field(
        default=None, description="how an image of another shape is brought to the size: crop, pad or stretch"
    )
    mirror: bool = Field(default=False, description="mirror half of the images left to right")
    labels: Literal["auto", "none"] = Field(
        default="auto", description="auto: from dataset.json or class folders; none: no labels"
    )
    train_flags: tuple[str, ...] = Field(
        default=(), description="further words for each `stylegraft train`, such as --batch 8"
    )

    @field_validator("size", mode="before")
    @classmethod
    def _size_is_readable(cls, value: Any) -> str | None:
        if value is None:
            return None
        parse_size(str(value))  # a file may say size = 64
        return str(value)

    @field_validator("train_flags")
    @classmethod
    def _train_flags_are_left_to_the_user(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        taken = [word for word in value if word.split("=")[0].replace("_", "-") in _NOT_AMONG_TRAIN_FLAGS]
        if taken:
            raise ValueError(f"{', '.join(taken)}: the study sets this itself, the same for each cell")
        return value

    @model_validator(mode="after")
    def _has_a_budget(self) -> Self:
        if self.kimg is None and self.minutes is None:
            raise ValueError("expected a budget for each cell, kimg or minutes")
        return self

    def shared_words(self) -> tuple[str, ...]:
        """Returns the flags that `stylegraft study` and `stylegraft train` have in common."""
        values = {
            "--kimg": _number(self.kimg),
            "--minutes": _number(self.minutes),
            "--size": self.size,
            "--fit": self.fit,
            "--labels": None if self.labels == "auto" else self.labels,
        }
        words = [word for flag, value in values.items() if value is not None for word in (flag, value)]
        return (*words, *(["--mirror"] if self.mirror else []))

    def train_words(self) -> tuple[str, ...]:
        """Returns what every cell says to `stylegraft train`."""
        return (*self.shared_words(), *self.train_flags)


def _number(value: float | None) -> str | None:
    """A number as people write it: 40, not 40.0."""
    return None if value is None else str(int(value) if value.is_integer() else value)


def read_plan(path: Path) -> StudySettings:
    """Returns the settings in a TOML or JSON file; its relative paths start from the file's folder.

    Raises:
        InputError: it cannot be read, or is neither.
        ConfigError: it says something else than `StudySettings`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror or error}. Name a study's TOML or JSON file."
        ) from error
    except ValueError as error:  # both decoders' errors, and text that is no UTF-8
        raise InputError(f"{path}: expected TOML, or JSON in a file named .json, got {error}.") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a table of settings, got {type(values).__name__}.")
    for name in ("sources", "targets"):
        if isinstance(values.get(name), list):
            values[name] = [_from_folder(path.parent, text) for text in values[name]]
    try:
        return StudySettings(**values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _from_folder(folder: Path, text: object) -> object:
    """A name or path of a file in `folder`, as seen from here; names of nothing there stay as they are."""
    if not isinstance(text, str):
        return text
    name, path = split_name(text, folder)
    if not (folder / path).exists():
        return text
    here = os.path.normpath(folder / path)
    return here if name is None else f"{name}={here}"


def split_name(text: str, folder: Path = Path()) -> tuple[str | None, str]:
    """Returns (name, path) of NAME=PATH, and (None, text) of anything else; so of an existing path with =."""
    name, equals, path = text.partition("=")
    if not equals or not path or (folder / text).exists():
        return None, text
    return name, path
