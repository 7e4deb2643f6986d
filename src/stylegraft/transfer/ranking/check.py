"""Ranks the sources of a finished study anew, target by target, to hold the rankings against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stylegraft.data.config import DataConfig
from stylegraft.data.reader import open_image_set
from stylegraft.errors import DataError, InputError
from stylegraft.transfer.ranking.candidates import named_candidate
from stylegraft.transfer.ranking.rank import rank_sources
from stylegraft.transfer.ranking.record import Ranking
from stylegraft.transfer.study.record import StudyRecord


def rank_as_study(
    record: StudyRecord, reading: DataConfig, *, out: Path | None = None, **options: Any
) -> dict[str, Ranking]:
    """Returns a ranking for each target of a study, by name.

    Args:
        record: of the study; sources and images have to be where they were.
        reading: how it read the images.
        out: folder for a ranking a target, with which a later call goes on.
        **options: of `rank_sources`.

    Raises:
        InputError: sources or images have gone, or changed.
    """
    candidates = [named_candidate(f"{source.name}={source.path}") for source in record.settings.source_files]
    if not candidates:
        raise InputError("--check: expected a study with sources, got one from scratch only.")
    rankings = {}
    for target in record.settings.targets:
        if open_image_set(target.path, reading).content_hash != target.data_hash:
            raise DataError(
                f"{target.path}: expected the images of the study, got others. Restore them, or repeat it."
            )
        folder = None if out is None else out / target.name
        rankings[target.name] = rank_sources(target.path, candidates, reading, out=folder, **options)
    return rankings
