"""Metrics: features in, numbers out. No model and no image is ever loaded here; no torch either."""

from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import frechet_distance, stats_distance
from stylegraft.metrics.settings import FD_EFFLITE0, FrechetSetting

__all__ = ["FD_EFFLITE0", "FeatureStats", "FrechetSetting", "frechet_distance", "stats_distance"]
