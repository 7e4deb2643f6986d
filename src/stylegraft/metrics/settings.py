"""Named settings of metrics: a name fixes everything that would change the number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrechetSetting:
    """What a Frechet distance is measured with.

    Args:
        name: how the number is called wherever it is shown or stored.
        feature_network: a name of `stylegraft.features.feature_network`.
        ddof: covariances are divided by N - ddof.
    """

    name: str
    feature_network: str
    ddof: int


# Not "FID": that name belongs to the Inception network, whose numbers this one cannot be compared with.
FD_EFFLITE0 = FrechetSetting(name="FD-EffLite0", feature_network="effnet_lite0", ddof=1)
