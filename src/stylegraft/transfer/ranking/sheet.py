"""A picture: the target's images, and below them samples of each source in its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegraft.data.dataset import ImageSet
from stylegraft.evaluation.statistics import choose
from stylegraft.model import load
from stylegraft.pictures import save_picture, timeline_strip
from stylegraft.runtime.precision import Precision
from stylegraft.transfer.ranking.candidates import Candidate
from stylegraft.transfer.ranking.features import Shape, fit_samples
from stylegraft.transfer.ranking.record import Ranking

_COLUMNS = 12


def draw_sheet(
    path: Path,
    ranking: Ranking,
    candidates: Sequence[Candidate],
    images: ImageSet,
    *,
    device: str = "auto",
    precision: Precision = "auto",
) -> Path:
    """Writes the picture as PNG.

    Args:
        path: the file.
        ranking: of the candidates.
        candidates: the sources.
        images: the target.
        device: as in `load`.
        precision: as in `load`.
    """
    train = images.split().train_indices
    chosen = choose(train, min(_COLUMNS, len(train)))
    rows = [("your images", images.pixels(chosen))]
    paths = {candidate.name: candidate.path for candidate in candidates}
    for place, source in enumerate(ranking.sources, start=1):
        candidate_path = paths.get(source.name)
        if candidate_path is None or source.quick is None:
            continue
        model = load(candidate_path, device=device, precision=precision)
        samples = fit_samples(model.sample(range(len(chosen)), psi=1.0), Shape.of(images))
        rows.append((f"{place}. {source.name}  {source.quick['score']['value']:.0f}", samples))
    return save_picture(path, timeline_strip([(name, np.asarray(pixels)) for name, pixels in rows]))
