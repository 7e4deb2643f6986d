"""Features of a source's samples at the size and with the tones of the target's images, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stylegraft.checkpoints.surgery.tones import ToneChange, Tones, tone_change
from stylegraft.data.dataset import images_to_tensor
from stylegraft.data.fit import fit_image
from stylegraft.evaluation.statistics import BATCH
from stylegraft.evaluation.stats_cache import StatsCache, statistics_key
from stylegraft.features.registry import FeatureNetwork
from stylegraft.model import Model

if TYPE_CHECKING:
    from stylegraft.data.dataset import ImageSet

Advance = Callable[[int], None]
_PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Shape:
    """Size and channels of the target's images, px."""

    height: int
    width: int
    num_channels: int

    @classmethod
    def of(cls, images: ImageSet) -> Shape:
        """Returns that of an image set."""
        return cls(images.height, images.width, images.num_channels)


def fit_samples(pixels: np.ndarray, shape: Shape) -> np.ndarray:
    """Returns samples, uint8 [n, H, W, C], stretched to the target's size and turned grey or RGB like it."""
    if pixels.shape[1:] == (shape.height, shape.width, shape.num_channels):
        return pixels
    mode = "L" if shape.num_channels == 1 else "RGB"
    fitted = np.empty((len(pixels), shape.height, shape.width, shape.num_channels), np.uint8)
    for row, picture in enumerate(pixels):
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).convert(mode)
        image = fit_image(image, (shape.height, shape.width), "stretch", _PAPER)
        fitted[row] = np.asarray(image).reshape(fitted.shape[1:])
    return fitted


def toned(pixels: np.ndarray, change: ToneChange | None) -> np.ndarray:
    """Returns samples, uint8 [n, H, W, C], as light and dark as training begins with them."""
    if change is None:
        return pixels
    values = pixels * (change.factor / 127.5) + (np.array(change.offset) - change.factor + 1)
    return np.rint(values.clip(0, 2) * 127.5).astype(np.uint8)


def sample_features(
    model: Model,
    shape: Shape,
    tones: Tones,
    *,
    first_seed: int,
    num: int,
    precision: str,
    network: FeatureNetwork,
    cache: StatsCache,
    advance: Advance,
) -> np.ndarray:
    """Returns the features of a source's samples, float32 [num, dim].

    Args:
        model: the source.
        shape: of the target's images.
        tones: of the target's images.
        first_seed: samples are those of this seed and the following ones, not truncated.
        num: how many.
        precision: of the model's convolutions.
        network: takes the features.
        cache: where they stay between processes.
        advance: called with the number of images done.
    """
    key = statistics_key(
        content_hash=f"samples of {model.info['sha256']} in {precision} as {shape}, {tones}",
        indices=np.arange(first_seed, first_seed + num),
        orientation="as_is",
        network=network.name,
        network_sha256=network.sha256,
        precision=network.precision,
        kind="features",
    )
    features = cache.load_features(key, num, network.dim)
    if features is not None:
        advance(num)
        return features
    features = np.empty((num, network.dim), np.float32)
    change = None
    for start in range(0, num, BATCH):
        seeds = range(first_seed + start, first_seed + min(start + BATCH, num))
        pixels = fit_samples(model.sample(seeds, psi=1.0), shape)
        if start == 0:
            change = tone_change(Tones.of(images_to_tensor(pixels)), tones)
        features[start : start + len(seeds)] = network(toned(pixels, change)).numpy()
        advance(len(seeds))
    cache.save_features(key, features)
    return features
