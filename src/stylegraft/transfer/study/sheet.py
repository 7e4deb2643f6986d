"""A picture of one target's cells: each source as it was, what became of it, and real images below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegraft import zoo
from stylegraft.data.dataset import ImageSet
from stylegraft.model import load
from stylegraft.pictures import save_picture, timeline_strip
from stylegraft.transfer.ranking.features import Shape, fit_samples
from stylegraft.transfer.study.config import SCRATCH
from stylegraft.transfer.study.record import Cell, StudyRecord

_COLUMNS = 12
_PSI = 0.8


def draw_sheet(path: Path, study: Path, record: StudyRecord, cells: Sequence[Cell], images: ImageSet) -> Path:
    """Writes the picture as PNG. A column is a seed, with the class of its real image if there are any.

    Args:
        path: the file.
        study: the study's folder.
        record: of the study.
        cells: those to show, of one target, each with a checkpoint; of a run its best one is drawn.
        images: that target.
    """
    chosen = _spread_over_classes(images, min(_COLUMNS, len(images.split().train_indices)))
    seeds = range(len(chosen))
    labels = None if images.labels is None else images.labels[chosen]
    source_paths = {source.name: source.path for source in record.settings.source_files}
    rows = []
    for cell in cells:
        if cell.source != SCRATCH:
            source = load(zoo.resolve(source_paths[cell.source])).sample(seeds, psi=_PSI)
            rows.append((f"{cell.source}, before", fit_samples(source, Shape.of(images))))
        rows.append((f"from {cell.source}", load(study / cell.folder).sample(seeds, psi=_PSI, labels=labels)))
    rows.append(("real images", images.pixels(chosen)))
    return save_picture(path, timeline_strip([(name, np.asarray(pixels)) for name, pixels in rows]))


def _spread_over_classes(images: ImageSet, number: int) -> np.ndarray:
    """Indices of training images, class by class, as many of each as its share."""
    train = images.split().train_indices
    if images.class_indices is not None:
        train = train[np.argsort(images.class_indices[train], kind="stable")]
    return train[(np.arange(number) * 2 + 1) * len(train) // (2 * number)]
