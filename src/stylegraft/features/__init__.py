"""Pretrained feature networks that turn images into vectors, behind one registry.

The public names are loaded on first use, because they import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["FeatureNetwork", "feature_network", "feature_network_names"]

if TYPE_CHECKING:
    from stylegraft.features.registry import FeatureNetwork, feature_network, feature_network_names


def __getattr__(name: str) -> Any:
    if name in __all__:
        from stylegraft.features import registry

        return getattr(registry, name)
    raise AttributeError(f"module 'stylegraft.features' has no attribute {name!r}")
