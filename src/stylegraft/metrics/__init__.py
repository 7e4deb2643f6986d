"""Metrics: features in, numbers out. No model and no image is ever loaded here; no torch either."""

from stylegraft.metrics.density_coverage import DensityCoverage, density_coverage
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import frechet_distance, frechet_interval, stats_distance
from stylegraft.metrics.inception_score import InceptionScore, inception_score
from stylegraft.metrics.intervals import Interval
from stylegraft.metrics.kid import SubsetKid, kid, kid_interval, subset_kid
from stylegraft.metrics.neighbour_intervals import neighbour_intervals
from stylegraft.metrics.path_length import PathGenerator, PathLength, path_length
from stylegraft.metrics.precision_recall import PrecisionRecall, precision_recall
from stylegraft.metrics.ranking import differ, smallest_difference, too_small_to_rank
from stylegraft.metrics.separability import Separability, linear_separability
from stylegraft.metrics.settings import FD_EFFLITE0, SETTINGS, FrechetSetting, named_setting

__all__ = [
    "FD_EFFLITE0",
    "SETTINGS",
    "DensityCoverage",
    "FeatureStats",
    "FrechetSetting",
    "InceptionScore",
    "Interval",
    "PathGenerator",
    "PathLength",
    "PrecisionRecall",
    "Separability",
    "SubsetKid",
    "density_coverage",
    "differ",
    "frechet_distance",
    "frechet_interval",
    "inception_score",
    "kid",
    "kid_interval",
    "linear_separability",
    "named_setting",
    "neighbour_intervals",
    "path_length",
    "precision_recall",
    "smallest_difference",
    "stats_distance",
    "subset_kid",
    "too_small_to_rank",
]
