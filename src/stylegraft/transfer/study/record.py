"""`study.json`: what a study is, and how far each of its cells has come. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from stylegraft.config import Config
from stylegraft.errors import ConfigError, InputError
from stylegraft.files import write_text

RECORD_NAME = "study.json"

State = Literal["pending", "running", "done", "failed"]


class MeasuredPoint(Config):
    """A distance: after so many thousand images, after so many seconds."""

    kimg: float
    train_sec: float
    distance: float


class Cell(Config):
    """One training: a source, a target and a seed. What is None is not known yet."""

    id: str
    target: str
    source: str
    seed: int
    state: State = "pending"
    folder: str
    command: str
    error: str | None = None
    kimg: float | None = None
    train_sec: float | None = None
    img_per_sec: float | None = None
    curve: tuple[MeasuredPoint, ...] = ()
    floor: float | None = None
    best: MeasuredPoint | None = None
    final: MeasuredPoint | None = None


class Target(Config):
    """An image set of the study."""

    name: str
    path: str
    num_images: int
    num_holdout: int
    data_hash: str


class SourceFile(Config):
    """A trained network of the study."""

    name: str
    path: str
    sha256: str


class RecordedSettings(Config):
    """What was asked for; `sources` are names, in the order they were given."""

    sources: tuple[str, ...]
    source_files: tuple[SourceFile, ...]
    targets: tuple[Target, ...]
    seeds: tuple[int, ...]
    kimg: float | None
    minutes: float | None
    size: str | None
    fit: str | None
    mirror: bool
    labels: str
    train_flags: tuple[str, ...]


class StudyRecord(Config):
    """All of `study.json`."""

    version: str
    command: str
    machine: dict[str, Any]
    created: str
    settings: RecordedSettings
    cells: tuple[Cell, ...]

    def with_cell(self, cell: Cell) -> StudyRecord:
        """Returns the record with one cell in the place of the one of the same id."""
        return self.replace(cells=tuple(cell if cell.id == other.id else other for other in self.cells))


def read_record(study: Path) -> StudyRecord | None:
    """Returns the record of a study's folder, or None where there is none.

    Raises:
        InputError: it is damaged, or of another schema.
    """
    path = study / RECORD_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ConfigError(f"expected an object, got {type(values).__name__}")
        return StudyRecord.from_dict(values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ConfigError) as error:
        raise InputError(
            f"{path}: expected the record of a study, got {error}. Name another folder with --out."
        ) from error


def write_record(study: Path, record: StudyRecord) -> None:
    """Writes the record atomically."""
    write_text(study / RECORD_NAME, record.to_json())


def check_same_study(old: RecordedSettings, new: RecordedSettings, out: Path) -> None:
    """Refuses to go on with a study whose finished cells would not belong to it.

    More sources, targets and seeds are welcome; paths may change as long as what is there does not.

    Raises:
        InputError: anything else is not as it was; the message names all of it.
    """
    differences = [
        f"--{name.replace('_', '-')} was {_shown(getattr(old, name))}, is {_shown(getattr(new, name))}"
        for name in ("kimg", "minutes", "size", "fit", "mirror", "labels")
        if getattr(old, name) != getattr(new, name)
    ]
    if old.train_flags != new.train_flags:
        differences.append(
            f"the flags for train were {_shown(old.train_flags)}, are {_shown(new.train_flags)}"
        )
    for flag, before, now in (
        ("--sources", old.sources, new.sources),
        ("--targets", [target.name for target in old.targets], [target.name for target in new.targets]),
        ("--seeds", old.seeds, new.seeds),
    ):
        gone = [str(name) for name in before if name not in now]
        if gone:
            differences.append(f"{flag} had {', '.join(gone)}")
    hashes = {target.name: target.data_hash for target in new.targets}
    differences += [
        f"the images of {target.name} are not those it was started with"
        for target in old.targets
        if hashes.get(target.name, target.data_hash) != target.data_hash
    ]
    sums = {source.name: source.sha256 for source in new.source_files}
    differences += [
        f"{source.name} is not the network it was started with"
        for source in old.source_files
        if sums.get(source.name, source.sha256) != source.sha256
    ]
    if differences:
        raise InputError(
            f"{out} (--out) holds a study with other settings: {'; '.join(differences)}. "
            "Sources, targets and seeds can be added; for anything else name another folder."
        )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "not given" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
