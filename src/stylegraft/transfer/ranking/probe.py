"""A probe: a short training from one source, and the held-out distance of what it has become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stylegraft.checkpoints.run_folder import has_checkpoints, list_checkpoints
from stylegraft.errors import RunError
from stylegraft.evaluation.evaluate import fakes_of
from stylegraft.evaluation.statistics import BATCH
from stylegraft.features.registry import FeatureNetwork
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import stats_distance
from stylegraft.metrics.intervals import Units
from stylegraft.metrics.settings import FD_EFFLITE0
from stylegraft.model import load
from stylegraft.runtime.precision import Precision
from stylegraft.transfer.launch import RunLog, read_run_log, train_subprocess, wait_for_orphan
from stylegraft.transfer.ranking.candidates import Candidate
from stylegraft.transfer.ranking.features import Shape, fit_samples
from stylegraft.transfer.ranking.resampling import Resampled, resample, units_of

_ORPHAN_SEC = 300.0
# The average of the generator is what is measured. Over the usual 5 kimg it would show the source, not what
# has become of it; the average follows the training and does not change it. Distances are measured here.
_SETTINGS = ("--ema-kimg", "0.25", "--eval-share", "0", "--num-checkpoints", "1")


class ProbeFailedError(Exception):
    """A source could not be trained from; the message is the line that says why."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The real images that probes are measured against: held-out ones, or all where none are held out.

    Attributes:
        features: [N, dim], with those of the mirror images if training mirrors.
        groups: source file of each, [N].
        labels: of the images, float32 [n, c_dim], whose proportions the fakes get; or None.
        shape: of the images.
    """

    features: np.ndarray
    groups: np.ndarray
    labels: np.ndarray | None
    shape: Shape


class Prober:
    """Trains probes in a folder, each by `stylegraft train` as anybody would, and measures them.

    Args:
        data: the target's folder or zip.
        folder: for the run folders.
        reference: what they are measured against.
        words: further words for `stylegraft train`, the same for all sources.
        num: generated images a distance.
        seed: of training, of the samples and of the half-samples.
        network: takes the features.
        device: as in `load`.
        precision: as in `load`.
    """

    def __init__(
        self,
        data: Path,
        folder: Path,
        reference: Reference,
        *,
        words: Sequence[str],
        num: int,
        seed: int,
        network: FeatureNetwork,
        device: str,
        precision: Precision,
    ) -> None:
        self._data = data
        self._folder = folder
        self._reference = reference
        self._words = tuple(words)
        self._num = num
        self._seed = seed
        self._network = network
        self._device = device
        self._precision: Precision = precision
        features = np.asarray(reference.features, np.float64)
        self._features = features
        self._statistics = FeatureStats.from_features(features)
        self._units = units_of(len(features), reference.groups)

    def run_of(self, candidate: Candidate) -> Path:
        """Returns the run folder of a source's probe."""
        return self._folder / candidate.name

    def train(self, candidate: Candidate, kimg: float) -> RunLog | None:
        """Trains on from wherever the probe is, up to `kimg` in all; returns its log, None if that is empty.

        Raises:
            ProbeFailedError: training refused, or failed.
            RunError: training was stopped from outside, or another process does not let go of the run.
        """
        run = self.run_of(candidate)
        log = run.with_name(f"{run.name}.log")
        if not wait_for_orphan(log, _ORPHAN_SEC):
            raise RunError(f"{run}: another process has trained here for minutes. End it first.")
        device = () if self._device == "auto" else ("--device", self._device)
        if has_checkpoints(run):
            arguments = ("--resume", str(run), "--kimg", f"{kimg:g}", *device)
        else:
            source = () if candidate.path is None else ("--from", str(candidate.path))
            budget = ("--kimg", f"{kimg:g}", "--seed", str(self._seed), *device)
            if "--threads" not in self._words:  # a fixed number, for the same bits each time
                budget = (*budget, "--threads", str(torch.get_num_threads()))
            arguments = (str(self._data), "--out", str(run), *source, *budget, *_SETTINGS, *self._words)
        if _trained_kimg(run) < kimg:
            outcome = train_subprocess(arguments, log)
            # Whoever stopped it meant no verdict on the source.
            if outcome.code < 0 or (outcome.error is None and _trained_kimg(run) < kimg):
                reason = outcome.error or "a signal stopped it"
                raise RunError(f"{run}: {reason}. The same command goes on, if it named a folder with --out.")
            if outcome.error is not None:
                raise ProbeFailedError(outcome.error)
        return read_run_log(run)

    def measure(self, candidate: Candidate) -> Resampled:
        """Returns the distance of the probe's newest generator, with its errors."""
        model = load(self.run_of(candidate), device=self._device, precision=self._precision)
        sample = fakes_of(model, self._reference.labels, num=self._num, seed=self._seed * self._num, psi=1.0)
        parts = []
        for start in range(0, self._num, BATCH):
            pixels = fit_samples(sample(start, min(BATCH, self._num - start)), self._reference.shape)
            parts.append(self._network(pixels).numpy())
        return self._distance(np.concatenate(parts).astype(np.float64))

    def _distance(self, fakes: np.ndarray) -> Resampled:
        def distance(some_reals: np.ndarray, some_fakes: np.ndarray) -> float:
            real = FeatureStats.from_features(self._features[some_reals])
            return stats_distance(real, FeatureStats.from_features(fakes[some_fakes]), FD_EFFLITE0.ddof)

        value = stats_distance(self._statistics, FeatureStats.from_features(fakes), FD_EFFLITE0.ddof)
        units = Units(len(fakes))
        return resample(distance, value, self._units, units, seed=self._seed, bounds=(0.0, np.inf))


def _trained_kimg(run: Path) -> float:
    entries, _ = list_checkpoints(run)
    return float(entries[-1].info["kimg"]) if entries else 0.0
