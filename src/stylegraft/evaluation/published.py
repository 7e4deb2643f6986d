"""Metrics as they were published, by name (`metrics.settings`): the same images, networks and arithmetic.

All settings that sample share their fakes, and each feature network sees those once. The real side is the
whole image set, held-out images included, because that is what the published settings compare with.

50,000 fakes take hours on a CPU. Fewer are measured on request; the number is then another one, and its row
says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.special

from stylegraft.errors import InputError
from stylegraft.evaluation.evaluate import LabelledImages, describe_network, fakes_of
from stylegraft.evaluation.latent_metrics import check_labels, measure_path_length, measure_separability
from stylegraft.evaluation.passes import RealFeatures, check_same_shape
from stylegraft.evaluation.statistics import BATCH
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.perceptual import PerceptualDistance
from stylegraft.features.registry import PublishedNetwork, feature_network, perceptual_distance
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import stats_distance
from stylegraft.metrics.inception_score import inception_score
from stylegraft.metrics.kid import subset_kid
from stylegraft.metrics.precision_recall import precision_recall
from stylegraft.metrics.settings import (
    FD_EFFLITE0,
    FidSetting,
    InceptionScoreSetting,
    KidSetting,
    PathLengthSetting,
    PrecisionRecallSetting,
    SampledSetting,
    SeparabilitySetting,
    Setting,
    describe,
    named_setting,
)

if TYPE_CHECKING:
    from stylegraft.model import Model

DEFAULT = "default"


class NamedImages(LabelledImages, Protocol):
    """What is needed of `stylegraft.data.ImageSet` here."""

    @property
    def class_names(self) -> Sequence[str] | None:
        """Names of the classes, or None."""
        ...


def chosen_metrics(text: str) -> tuple[bool, list[Setting]]:
    """Returns whether the default setting is among comma-separated names, and the published settings.

    Raises:
        InputError: a name that is not known, or none at all.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InputError(f"--metrics: expected names such as {DEFAULT},fid50k_full, got none. Give one.")
    try:
        settings = [named_setting(name) for name in names if name != DEFAULT]
    except InputError as error:
        raise InputError(f"--{str(error).replace('metric', 'metrics', 1)} Or give {DEFAULT}.") from error
    return DEFAULT in names, settings


def require_weights(settings: Sequence[Setting], device: str = "cpu", *, weights: Path | None = None) -> None:
    """Loads the networks of some settings, so that a missing one is known before any work is done.

    Args:
        settings: from `chosen_metrics`.
        device: where they will compute.
        weights: a folder to look into first.

    Raises:
        InputError: weights that are not at hand; one line says what to fetch.
    """
    for setting in settings:
        if isinstance(setting, PathLengthSetting):
            perceptual_distance(device, weights=weights)
        elif name := _network_name(setting):
            feature_network(name, device, weights=weights)


def measure_published(
    settings: Sequence[Setting],
    model: Model,
    images: NamedImages,
    *,
    num: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    networks: Callable[[str, str], PublishedNetwork] = feature_network,
    perceptual: Callable[[str], PerceptualDistance] = perceptual_distance,
    cache: StatsCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Returns one row a setting: "values", "better", "setting", "features", "is_as_published", counts.

    Args:
        settings: from `chosen_metrics`.
        model: as `load` gives it.
        images: the real ones.
        num: generated images or paths; None: as many as each setting asks for.
        seed: of the first fake.
        device: where feature networks compute.
        networks: gives a feature network by name and device.
        perceptual: gives LPIPS by device.
        cache: for real features; None: in the user's cache folder.
        progress: called with images done and images in all.

    Raises:
        InputError: weights that are not at hand (one line says what to fetch), or too few images.
        DataError: classes are asked for, and there are none.
    """
    asked = [_with_count(setting, num) for setting in settings]
    # All that could be missing is found out before hours of work.
    if any(isinstance(setting, SeparabilitySetting) for setting in asked):
        check_labels(images.labels, images.class_names, "ls")
    loaded = {name: networks(name, device) for name in dict.fromkeys(map(_network_name, asked)) if name}
    lpips = perceptual(device) if any(isinstance(s, PathLengthSetting) for s in asked) else None
    check_same_shape(model.sample([seed]), images.pixels(np.arange(1)))

    run = _Run(asked, model, images, seed, loaded, lpips, cache or StatsCache(), progress)
    fakes = run.measure_fakes()
    rows = {}
    for setting, original in zip(asked, settings):
        values, facts = run.measure(setting, fakes)
        is_exact = setting == original and facts["features"]["is_published"]
        rows[setting.name] = {"values": values, "setting": describe(setting), **facts}
        rows[setting.name]["is_as_published"] = is_exact and not isinstance(setting, SeparabilitySetting)
    return rows


class _Run:
    """The shared work of one call: which networks, which real features, how much is done."""

    def __init__(
        self,
        settings: Sequence[Setting],
        model: Model,
        images: NamedImages,
        seed: int,
        networks: dict[str, PublishedNetwork],
        lpips: PerceptualDistance | None,
        cache: StatsCache,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._sampled = [setting for setting in settings if isinstance(setting, SampledSetting)]
        self._model = model
        self._images = images
        self._seed = seed
        self._networks = networks
        self._lpips = lpips
        self._cache = cache
        self._progress = progress
        self._real: dict[tuple[str, int | None], np.ndarray] = {}
        self._done = 0
        self._total = max((setting.num_fakes for setting in self._sampled), default=0)
        sides = {(s.feature_network, s.max_real) for s in self._sampled if s.max_real != 0}
        self._total += sum(min(len(images.names), max_real or len(images.names)) for _, max_real in sides)
        self._total += sum(s.num_samples for s in settings if isinstance(s, PathLengthSetting))
        separability = [s for s in settings if isinstance(s, SeparabilitySetting)]
        self._total += sum(s.num_fakes + len(images.names) for s in separability)

    def measure_fakes(self) -> dict[str, np.ndarray]:
        """Returns features by network, and "probabilities" where a setting asks for an inception score."""
        num = max((setting.num_fakes for setting in self._sampled), default=0)
        if not num:
            return {}
        scores = [s for s in self._sampled if isinstance(s, InceptionScoreSetting)]
        names = dict.fromkeys(setting.feature_network for setting in self._sampled)
        sample = fakes_of(
            self._model, self._images.labels, num=num, seed=self._seed, psi=1.0, noise_mode="random"
        )
        found: dict[str, list[np.ndarray]] = {name: [] for name in (*names, "probabilities")}
        for start in range(0, num, BATCH):
            batch = sample(start, min(BATCH, num - start))
            for name in names:
                network = self._networks[name]
                if scores and name == scores[0].feature_network:
                    features, logits = network.features_and_logits(
                        batch, with_bias=scores[0].logits_with_bias
                    )
                    found["probabilities"].append(scipy.special.softmax(logits.numpy(), axis=1))
                else:
                    features = network(batch)
                found[name].append(features.numpy())
            self._advance(len(batch))
        return {name: np.concatenate(parts) for name, parts in found.items() if parts}

    def measure(
        self, setting: Setting, fakes: dict[str, np.ndarray]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        """Returns the numbers of one setting, and what they were measured with."""
        if isinstance(setting, PathLengthSetting):
            assert self._lpips is not None
            result = measure_path_length(
                self._model,
                setting,
                self._lpips,
                labels=self._images.labels,
                seed=self._seed,
                advance=self._advance,
            )
            features = {name: getattr(self._lpips, name) for name in ("name", "sha256", "is_published")}
            values = {"mean": result.value, "standard_error": result.standard_error}
            return values, _facts("lower", features, num_paths=result.num_samples)
        if isinstance(setting, SeparabilitySetting):
            return self._separability(setting)
        network = self._networks[setting.feature_network]
        facts = {"features": describe_network(network), "num_fake": setting.num_fakes}
        if isinstance(setting, InceptionScoreSetting):
            score = inception_score(
                fakes["probabilities"][: setting.num_fakes], num_splits=setting.num_splits
            )
            return {"mean": score.mean, "std": score.std}, {"better": "higher", **facts}
        fake, real = fakes[network.name][: setting.num_fakes], self._real_features(setting)
        facts["num_real"] = len(real)
        if isinstance(setting, FidSetting):
            stats = FeatureStats.from_features(real), FeatureStats.from_features(fake)
            return {"distance": stats_distance(*stats, setting.ddof)}, {"better": "lower", **facts}
        if isinstance(setting, KidSetting):
            kid = subset_kid(
                real, fake, num_subsets=setting.num_subsets, max_subset=setting.max_subset, seed=self._seed
            )
            return {"distance": kid.mean, "std_of_subsets": kid.std}, {"better": "lower", **facts}
        assert isinstance(setting, PrecisionRecallSetting)
        found = precision_recall(real, fake, k=setting.k, number_type=setting.number_type)
        return vars(found).copy(), {"better": "higher", **facts}

    def _separability(self, setting: SeparabilitySetting) -> tuple[dict[str, float], dict[str, Any]]:
        network = self._networks[FD_EFFLITE0.feature_network]
        labels, class_names = self._images.labels, self._images.class_names
        assert labels is not None
        assert class_names is not None
        real = RealFeatures(self._images, network, self._cache)
        found = measure_separability(
            self._model,
            setting,
            network,
            features=real.measure(np.arange(len(self._images.names)), advance=self._advance),
            labels=labels,
            class_names=class_names,
            seed=self._seed,
            advance=self._advance,
        )
        entropies = {space: result.entropies for space, result in found.items()}
        facts = _facts("lower", describe_network(network), num_fake=setting.num_fakes, entropies=entropies)
        return {space: result.value for space, result in found.items()}, facts

    def _real_features(self, setting: SampledSetting) -> np.ndarray:
        key = setting.feature_network, setting.max_real
        if key not in self._real:
            indices = np.arange(len(self._images.names))[: setting.max_real]
            real = RealFeatures(self._images, self._networks[setting.feature_network], self._cache)
            self._real[key] = real.measure(indices, advance=self._advance)
        return self._real[key]

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def _with_count(setting: Setting, num: int | None) -> Setting:
    if num is None:
        return setting
    if isinstance(setting, PathLengthSetting):
        return replace(setting, num_samples=num)
    return replace(setting, num_fakes=num)


def _network_name(setting: Setting) -> str | None:
    if isinstance(setting, PathLengthSetting):
        return None
    return (
        FD_EFFLITE0.feature_network if isinstance(setting, SeparabilitySetting) else setting.feature_network
    )


def _facts(better: str, features: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"better": better, "features": features, **others}
