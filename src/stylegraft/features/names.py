"""The names of the registry, for settings and flags. No torch."""

from __future__ import annotations

from typing import Literal

FeatureNetworkName = Literal[
    "effnet_lite0",
    "effnet_lite1",
    "effnet_lite2",
    "mobilenet_v2",
    "inception_v3",
    "inception_v3_pytorch_fid",
    "vgg16",
    "dinov2_vits14",
    "dinov2_vitl14",
]
