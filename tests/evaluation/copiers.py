"""What a "generator" does that replays its training images: slight noise, crops, mirror images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

Change = Callable[[np.ndarray, np.random.RandomState], np.ndarray]


def with_noise(images: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    return np.clip(images + 6 * random.randn(*images.shape), 0, 255).round().astype(np.uint8)


def cropped(images: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Cuts each to 80 to 95 % of its sides, anywhere, and enlarges it again."""
    result = np.empty_like(images)
    height, width = images.shape[1:3]
    for row, image in zip(result, images):
        kept = random.uniform(0.8, 0.95)
        left, top = random.uniform(0, 1 - kept, 2) * (width, height)
        box = (left, top, left + kept * width, top + kept * height)
        row[:] = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC, box=box))
    return result


def mirrored(images: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    return images[:, :, ::-1]


def all_at_once(images: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    return with_noise(mirrored(cropped(images, random), random), random)


CHANGES: dict[str, Change] = {"noise": with_noise, "crop": cropped, "mirror": mirrored, "all": all_at_once}
