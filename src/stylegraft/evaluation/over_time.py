"""`--over-time`: the kept checkpoints of a run as curves, and the point after which it overfits.

All checkpoints make their fakes of the same seeds and labels and meet the same real images, so that they
differ by their weights alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stylegraft.checkpoints.run_folder import LOG_NAME, Entry, list_checkpoints
from stylegraft.data.split import group_keys
from stylegraft.errors import CheckpointError, DataError
from stylegraft.evaluation.copy_watch import CopyWatch
from stylegraft.evaluation.distance import check_num_fakes
from stylegraft.evaluation.evaluate import (
    HoldoutSplit,
    LabelledImages,
    SampledModel,
    describe_network,
    fakes_of,
)
from stylegraft.evaluation.overfitting import RULE, Moment, find_overfitting
from stylegraft.evaluation.passes import RealFeatures, check_same_shape, measure_fakes
from stylegraft.evaluation.small_set import MIN_FOR_NEIGHBOURS, RealSide
from stylegraft.evaluation.statistics import choose
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.registry import FeatureNetwork, feature_network
from stylegraft.metrics.frechet import frechet_interval
from stylegraft.metrics.intervals import MIN_UNITS, Interval
from stylegraft.metrics.neighbour_intervals import neighbour_intervals
from stylegraft.metrics.settings import FD_EFFLITE0

_SCHEMA_VERSION = 1
_FEW_CHECKPOINTS = 5
_NUM_HALVES = 50

Curve = Mapping[str, list[float] | None]


def evaluate_over_time(
    run: Path,
    image_set: LabelledImages,
    split: HoldoutSplit,
    load_model: Callable[[Path], SampledModel],
    *,
    num: int = 500,
    seed: int = 0,
    psi: float = 1.0,
    mirror: bool = False,
    max_real: int = 1000,
    network: FeatureNetwork | None = None,
    cache: StatsCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Returns the curves of a run and where it overfits, ready for JSON.

    Args:
        run: the run folder.
        image_set: its images.
        split: which of them training saw.
        load_model: opens a checkpoint folder.
        num: generated images a checkpoint.
        seed: they are those of this seed and the following ones.
        psi: truncation of the samples; 1 is none.
        mirror: training mirrored images.
        max_real: more real images than this (on either side of the split) are thinned out by a fixed draw.
        network: takes the features; None: that of FD-EffLite0.
        cache: for features of real images; None: in the user's cache folder.
        progress: called with images done and images in all.

    Returns:
        "points": one a kept checkpoint, oldest first, with intervals; "log": distances measured while
        training; "mark": after which the run overfits, or None; "best", "sentence", "rule" and the settings.

    Raises:
        CheckpointError: the run has no readable checkpoint.
        DataError: fewer than four images to train on, or one to three held out.
        InputError: `num` is below 2, or the images have another shape than the model's.
    """
    check_num_fakes(num)
    entries, problems = list_checkpoints(run)
    if not entries:
        raise CheckpointError(f"{run}: expected checkpoints, found none that can be read. Name a run folder.")
    start = time.perf_counter()
    train, holdout = choose(split.train_indices, max_real), choose(split.holdout_indices, max_real)
    if len(train) < MIN_UNITS or 0 < len(holdout) < MIN_UNITS:
        raise DataError(
            f"--over-time: expected at least {MIN_UNITS} images to train on and none or at least {MIN_UNITS} "
            f"held out, got {len(train)} and {len(holdout)}. Give more images."
        )
    network = network or feature_network(FD_EFFLITE0.feature_network)
    cache = cache or StatsCache()
    total = (1 + mirror) * (len(train) + len(holdout)) + len(entries) * num
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    real = RealFeatures(image_set, network, cache)
    groups = np.array(group_keys(list(image_set.names)))

    def side(indices: np.ndarray) -> RealSide:
        mirrored = real.measure(indices, mirrored=True, advance=advance) if mirror else None
        return RealSide(real.measure(indices, advance=advance), mirrored, groups[indices])

    train_side, holdout_side = side(train), side(holdout)
    sides = split.train_indices, split.holdout_indices
    watch = CopyWatch(image_set, *sides, network, mirror=mirror, cache=cache, max_real=max_real)

    points, moments = [], []
    for entry in entries:
        sample = fakes_of(load_model(entry.path), image_set.labels, num=num, seed=seed, psi=psi)
        check_same_shape(sample(0, 1), image_set.pixels(train[:1]))
        fakes = measure_fakes(sample, num, network, advance).features
        to_train = _distance(train_side, fakes, mirror)
        to_holdout = _distance(holdout_side, fakes, mirror) if len(holdout) else None
        copier = watch.judge(fakes)
        kimg = float(entry.info["kimg"])
        moments.append(Moment(kimg, to_train, to_holdout, copier is not None and copier.outside_band))
        coverage = _coverage(train_side, fakes, mirror)
        points.append(
            {
                "kimg": kimg,
                "step": entry.step,
                "checkpoint": entry.path.name,
                "train": to_train.to_dict(),
                "heldout": to_holdout and to_holdout.to_dict(),
                "coverage": coverage and coverage.to_dict(),
                "copier": copier and copier.to_dict(),
            }
        )
    # Noise can score better than early training; untrained networks are shown, but never "the best".
    trained = [index for index, entry in enumerate(entries) if entry.step or "distance" in entry.info]
    judged = trained or list(range(len(entries)))
    found = find_overfitting([moments[index] for index in judged])

    def place(rank: int) -> dict[str, Any]:
        index = judged[rank]
        return {"kimg": moments[index].kimg, "checkpoint": entries[index].path.name}

    return {
        "schema_version": _SCHEMA_VERSION,
        "kind": "over time",
        "metric": FD_EFFLITE0.name,
        "points": points,
        "log": _logged_distances(run / LOG_NAME),
        "mark": None if found.mark is None else place(found.mark) | {"why": found.why},
        "best": place(found.best),
        "sentence": found.sentence,
        "rule": RULE,
        "features": describe_network(network),
        "settings": {
            "num": num,
            "num_train": len(train),
            "num_heldout": len(holdout),
            "seed": seed,
            "psi": psi,
            "mirror": mirror,
            "max_real": max_real,
            "content_hash": image_set.content_hash,
        },
        "notes": [*_notes(entries, split, watch), *problems],
        "seconds": time.perf_counter() - start,
    }


def curves_of(result: dict[str, Any]) -> dict[str, Curve]:
    """Returns the curves to draw by name, each with "kimg", "value", "low" and "high" (None: no interval)."""
    curves: dict[str, Curve] = {}
    for name, key in (
        ("train distance", "train"),
        ("held-out distance", "heldout"),
        ("coverage", "coverage"),
    ):
        known = [point for point in result["points"] if point[key] is not None]
        if known:
            curves[name] = {"kimg": [point["kimg"] for point in known]} | {
                part: [point[key][part] for point in known] for part in ("value", "low", "high")
            }
    known = [point for point in result["points"] if point["copier"] is not None]
    if known:
        # The band is what chance explains: the share itself has no interval.
        curves["copier share"] = {
            "kimg": [point["kimg"] for point in known],
            "value": [point["copier"]["share"] for point in known],
            "low": [0.0] * len(known),
            "high": [point["copier"]["band_high"] for point in known],
        }
    if result["log"]:
        curves["distance while training"] = {
            "kimg": [line["kimg"] for line in result["log"]],
            "value": [line["distance"] for line in result["log"]],
            "low": None,
            "high": None,
        }
    return curves


def _distance(side: RealSide, fakes: np.ndarray, mirror: bool) -> Interval:
    features, groups = side.both(mirror)
    return frechet_interval(features, fakes, ddof=FD_EFFLITE0.ddof, real_groups=groups, num=_NUM_HALVES)


def _coverage(side: RealSide, fakes: np.ndarray, mirror: bool) -> Interval | None:
    """Returns the share of real images that lie near a fake, one of each source, with equal counts."""
    reals = side.one_per_source().one(mirror)
    num = min(len(reals), len(fakes))
    if num < MIN_FOR_NEIGHBOURS:
        return None
    return neighbour_intervals(reals[choose(np.arange(len(reals)), num)], fakes[:num], num=_NUM_HALVES)[
        "coverage"
    ]


def _logged_distances(path: Path) -> list[dict[str, float]]:
    """Returns the distances in a run's log; a line that is half written is left out."""
    found = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in text.splitlines():
        try:
            record = json.loads(line)
            if "distance" in record:
                found.append(
                    {name: float(record[name]) for name in ("kimg", "distance", "floor") if name in record}
                )
        except (ValueError, TypeError, KeyError):
            continue
    return found


def _notes(entries: list[Entry], split: HoldoutSplit, watch: CopyWatch) -> list[str]:
    notes = [split.note] if split.note else []
    if not watch.is_calibrated:
        notes.append("too few held-out images of different sources to watch for copies.")
    if len(entries) < _FEW_CHECKPOINTS:
        notes.append(
            f"the run kept {len(entries)} checkpoints only, so that the curves are coarse: train with "
            "--num-checkpoints 10 or more to see them better."
        )
    return notes
