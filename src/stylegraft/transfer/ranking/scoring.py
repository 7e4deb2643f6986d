"""From images and networks to quick scores: the only pass over pictures that ranking needs without probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stylegraft.data.dataset import ImageSet
from stylegraft.data.split import Split, group_keys
from stylegraft.evaluation.passes import RealFeatures
from stylegraft.evaluation.statistics import choose
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.registry import FeatureNetwork
from stylegraft.model import load
from stylegraft.runtime.precision import Precision
from stylegraft.training.source import tones_of
from stylegraft.transfer.ranking.candidates import Candidate
from stylegraft.transfer.ranking.features import Shape, sample_features
from stylegraft.transfer.ranking.quick_score import QuickScore, Target, Variability


@dataclass(frozen=True, eq=False)
class Scored:
    """The quick scores.

    Attributes:
        scores: by name of the source.
        hashes: SHA-256 of the generators, by name.
        target: how much the target's images vary.
    """

    scores: dict[str, QuickScore]
    hashes: dict[str, str]
    target: Variability


def score_sources(
    images: ImageSet,
    split: Split,
    candidates: Sequence[Candidate],
    *,
    num: int,
    seed: int,
    device: str,
    precision: Precision,
    network: FeatureNetwork,
    cache: StatsCache,
    progress: Callable[[int, int], None],
) -> Scored:
    """Scores sources by their samples and the images that training will see; held-out ones stay unseen.

    Args:
        images: the target.
        split: of it.
        candidates: the sources, each with a path.
        num: samples of each source; a larger target is thinned out to as many images.
        seed: of the samples and of the half-samples.
        device: as in `load`.
        precision: as in `load`.
        network: takes the features.
        cache: for features.
        progress: called with images done and images in all.

    Raises:
        CheckpointError: a source cannot be read.
    """
    chosen = choose(split.train_indices, num)
    done, total = 0, len(chosen) + len(candidates) * num

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    features = RealFeatures(images, network, cache).measure(chosen, advance=advance)
    target = Target(features, np.array(group_keys(images.names))[chosen], seed=seed)
    tones = tones_of(images)
    scored = Scored({}, {}, target.variability)
    for candidate in candidates:
        assert candidate.path is not None
        model = load(candidate.path, device=device, precision=precision)
        samples = sample_features(
            model,
            Shape.of(images),
            tones,
            first_seed=seed * num,
            num=num,
            precision=precision,
            network=network,
            cache=cache,
            advance=advance,
        )
        scored.scores[candidate.name] = target.score(samples)
        scored.hashes[candidate.name] = model.info["sha256"]
    return scored
