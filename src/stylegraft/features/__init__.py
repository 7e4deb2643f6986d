"""Pretrained feature networks that turn images into vectors, behind one registry.

The public names are loaded on first use, because they import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegraft.features.perceptual import PerceptualDistance
    from stylegraft.features.registry import (
        FeatureNetwork,
        feature_network,
        feature_network_names,
        perceptual_distance,
    )

_MODULES = {
    "FeatureNetwork": "registry",
    "PerceptualDistance": "perceptual",
    "feature_network": "registry",
    "feature_network_names": "registry",
    "perceptual_distance": "registry",
}

__all__ = [
    "FeatureNetwork",
    "PerceptualDistance",
    "feature_network",
    "feature_network_names",
    "perceptual_distance",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'stylegraft.features' has no attribute {name!r}")
