"""Ranks sources for a target: the quick score of each, and probes as far as there is time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.reader import open_image_set
from stylegraft.data.split import Split, group_keys
from stylegraft.errors import DataError, InputError
from stylegraft.evaluation.evaluate import describe_network
from stylegraft.evaluation.passes import RealFeatures
from stylegraft.evaluation.statistics import choose
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.registry import FeatureNetwork, feature_network
from stylegraft.files import make_folder
from stylegraft.metrics.settings import FD_EFFLITE0
from stylegraft.runtime.precision import Precision
from stylegraft.training.folder import keep_apart
from stylegraft.transfer.lock import hold_lock
from stylegraft.transfer.ranking.assemble import assemble
from stylegraft.transfer.ranking.candidates import SCRATCH_CANDIDATE, Candidate
from stylegraft.transfer.ranking.features import Shape
from stylegraft.transfer.ranking.halving import OnNote, run_probes
from stylegraft.transfer.ranking.probe import Prober, Reference
from stylegraft.transfer.ranking.record import Ranking
from stylegraft.transfer.ranking.schedule import BudgetTooSmallError
from stylegraft.transfer.ranking.scoring import score_sources
from stylegraft.transfer.ranking.state import ProbeState

DEFAULT_MINUTES = 4.0
DEFAULT_NUM = 400
MIN_IMAGES = 10

_FEWEST_SAMPLES = 50
_MAX_REFERENCE = 1000
_PLACE_OF_SCRATCH = 2  # with time for two probes only, two sources are compared
_PROBES = "probes"


def rank_sources(
    data: str | Path,
    candidates: Sequence[Candidate],
    reading: DataConfig | None = None,
    *,
    minutes: float = DEFAULT_MINUTES,
    first_kimg: float | None = None,
    num: int = DEFAULT_NUM,
    seed: int = 0,
    out: Path | None = None,
    words: Sequence[str] = (),
    quick_if_too_short: bool = False,
    device: str = "auto",
    precision: Precision = "auto",
    network: FeatureNetwork | None = None,
    cache: StatsCache | None = None,
    on_note: OnNote = lambda text: None,
    progress: Callable[[int, int], None] | None = None,
) -> Ranking:
    """Returns the sources in the order in which they promise to help.

    What a probe has shown counts more than the quick score: sources that came further in the probes come
    first, those of one round by their distance in it, those that were not probed by their score.

    Args:
        data: folder or zip of the target's images.
        candidates: the sources, with unique names.
        reading: how the images are read.
        minutes: time for the probes, beside that for the quick score; 0: no probes.
        first_kimg: length of the first probes in thousands of images, of all sources, whatever time it takes;
            None: what fits into `minutes`. With a given length all is the same on each machine.
        num: samples of each source, and at most so many images of the target, for features.
        seed: of samples, half-samples and training.
        out: folder for `sources.json` and the probes, which a later call goes on with; None: nothing is kept.
        words: for `stylegraft train` in the probes, saying what `reading` says among others.
        quick_if_too_short: rank by the quick score alone where there is no time for two probes.
        device: as in `load`.
        precision: as in `load`.
        network: takes the features; None: that of FD-EffLite0.
        cache: for features; None: in the user's cache folder.
        on_note: told what has been found.
        progress: called with images done and images in all, during the quick score.

    Raises:
        DataError: the images cannot be read, or are too few.
        InputError: a source cannot be read, `out` holds another ranking, or no source can be trained from.
        BudgetTooSmallError: there is no time for two probes.
        RunError: a probe was stopped from outside.
    """
    if minutes < 0 or (first_kimg is not None and first_kimg <= 0) or num < _FEWEST_SAMPLES:
        given = f"--minutes {minutes:g}, --kimg {first_kimg}, --num {num}"
        raise InputError(
            "sources: expected --minutes of 0 or more, --kimg above 0 and --num of "
            f"{_FEWEST_SAMPLES} or more, got {given}. Correct the value."
        )
    start = time.monotonic()
    if out is not None:
        keep_apart(Path(data), out)
        make_folder(out, "--out")
    images = open_image_set(data, reading)
    split = images.split()
    if len(split.train_indices) < MIN_IMAGES:
        raise DataError(
            f"{images.path}: expected at least {MIN_IMAGES} images to choose a source by, got "
            f"{len(split.train_indices)}. Add images, or name a source yourself with train --from."
        )
    network = network or feature_network(FD_EFFLITE0.feature_network, precision="auto")  # as training has it
    cache = cache or StatsCache()
    settings: dict[str, Any] = {
        "minutes": minutes,
        "first_kimg": first_kimg,
        "num": num,
        "seed": seed,
        "precision": precision,
        "words": list(words),
        "features": describe_network(network),
    }
    with _folder(out) as folder:
        scored = score_sources(
            images,
            split,
            candidates,
            num=num,
            seed=seed,
            device=device,
            precision=precision,
            network=network,
            cache=cache,
            progress=progress or (lambda done, total: None),
        )
        by_score = sorted(candidates, key=lambda candidate: -scored.scores[candidate.name].score.value)
        probes, notes = None, []
        if minutes or first_kimg is not None:
            prober = Prober(
                Path(data),
                folder / _PROBES,
                _reference(images, split, network, cache),
                words=words,
                num=num,
                seed=seed,
                network=network,
                device=device,
                precision=precision,
            )
            identity = settings | {"images": images.content_hash, "sources": scored.hashes}
            invited = [
                *by_score[:_PLACE_OF_SCRATCH],
                SCRATCH_CANDIDATE,
                *by_score[_PLACE_OF_SCRATCH:],
            ]
            try:
                probes = run_probes(
                    invited,
                    prober,
                    ProbeState(folder / _PROBES, identity),
                    budget_sec=minutes * 60,
                    first_kimg=first_kimg,
                    on_note=on_note,
                )
            except BudgetTooSmallError as error:
                if not quick_if_too_short:
                    raise
                notes.append(f"no probes: {error}")
        ranking = assemble(
            images, split, by_score, scored, probes, settings, notes, seconds=time.monotonic() - start
        )
        if out is not None:
            ranking.write(out)
    return ranking


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Yields the folder of the ranking, locked, or one that goes again if none is named."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="stylegraft-sources-") as temporary:
            yield Path(temporary)
    else:
        busy = f"{out} (--out): another process ranks sources here. Wait for it, or name another folder."
        with hold_lock(out / ".lock", busy):
            yield out


def _reference(images: ImageSet, split: Split, network: FeatureNetwork, cache: StatsCache) -> Reference:
    held_out = len(split.holdout_indices) > 0
    indices = choose(split.holdout_indices if held_out else split.train_indices, _MAX_REFERENCE)
    sides = [False, True] if images.config.mirror else [False]
    real = RealFeatures(images, network, cache)
    features = np.concatenate([real.measure(indices, mirrored=mirrored) for mirrored in sides])
    groups = np.tile(np.array(group_keys(images.names))[indices], len(sides))
    labels = None if images.labels is None else images.labels[indices]
    return Reference(features, groups, labels, Shape.of(images))
