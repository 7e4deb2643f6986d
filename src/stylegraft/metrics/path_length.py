"""Perceptual path length: how far the picture moves when the latent moves a very small step.

    PPL = mean of d(G(lerp(w0, w1, t)), G(lerp(w0, w1, t + eps))) / eps^2

The generator and the perceptual distance d (the squared LPIPS distance of VGG16) are handed in as functions.
Images pass through here as whatever array type these two use (numpy, or torch on any device).

Source: Karras et al. 2019, section 4.1, eq. 2 and 3; without the crop and at path ends, Karras et al. 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stylegraft.errors import RunError
from stylegraft.metrics.settings import PathLengthSetting

_LOWEST_PERCENT, _HIGHEST_PERCENT = 1, 99
_LPIPS_PX = 256

Distance = Callable[[Any, Any], np.ndarray]
"""`distance(a, b)`: two batches [n, 3, h, w] on the scale 0..255, not clipped -> distances [n]."""


class PathGenerator(Protocol):
    """What is needed of a generator."""

    def mapping(self, z: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Maps z, float32 [n, z_dim], to ws [n, num_ws, w_dim] without truncation."""
        ...

    def synthesis(self, ws: np.ndarray) -> Any:
        """Draws images [n, C, H, W] in [-1, 1] with stored noise and in single precision."""
        ...

    def redraw_noise(self, batch_index: int) -> None:
        """Draws the stored noise anew; called once before each batch."""
        ...


@dataclass(frozen=True)
class PathLength:
    """The result.

    Attributes:
        value: mean over the samples kept.
        standard_error: of that mean.
        num_samples: drawn.
        num_kept: after the lowest and the highest percent are dropped.
    """

    value: float
    standard_error: float
    num_samples: int
    num_kept: int


def path_length(
    generator: PathGenerator,
    distance: Distance,
    setting: PathLengthSetting,
    *,
    z_dim: int,
    num_samples: int | None = None,
    batch: int = 2,
    seed: int = 0,
    labels: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PathLength:
    """Returns the perceptual path length of a generator.

    Args:
        generator: see `PathGenerator`.
        distance: see `Distance`; the setting says which network it belongs to.
        setting: space, sampling, crop, step.
        z_dim: length of z.
        num_samples: None: as many as the setting asks for.
        batch: samples that share one noise.
        seed: sample i depends on seed and i only.
        labels: float [K, c_dim]; each path takes one of these at random. None: no classes.
        progress: called with samples done and samples in all.

    Raises:
        RunError: the distance of an image is not finite.
    """
    num = setting.num_samples if num_samples is None else num_samples
    found = []
    for index, start in enumerate(range(0, num, batch)):
        draws = [
            _draw(seed, sample, z_dim, labels, setting) for sample in range(start, min(start + batch, num))
        ]
        t, z0, z1, c = (np.stack(parts) for parts in zip(*draws))
        generator.redraw_noise(index)
        found.append(step_lengths(generator, distance, setting, t, z0, z1, c if labels is not None else None))
        if progress:
            progress(start + len(draws), num)
    lengths = np.concatenate(found).astype(np.float64)
    if not np.isfinite(lengths).all():
        raise RunError(
            f"{setting.name}: expected finite distances, got NaN or infinity. "
            "The generator has diverged; use an earlier checkpoint."
        )
    kept = trimmed(lengths)
    error = float(kept.std(ddof=1) / np.sqrt(len(kept))) if len(kept) > 1 else float("nan")
    return PathLength(float(kept.mean()), error, num, len(kept))


def step_lengths(
    generator: PathGenerator,
    distance: Distance,
    setting: PathLengthSetting,
    t: np.ndarray,
    z0: np.ndarray,
    z1: np.ndarray,
    c: np.ndarray | None = None,
) -> np.ndarray:
    """Returns distance / eps^2 of one small step on each path, [n].

    Args:
        generator: see `PathGenerator`.
        distance: see `Distance`.
        setting: space, crop, step.
        t: where on the path, float32 [n] in 0..1.
        z0: start of the path, float32 [n, z_dim].
        z1: its end.
        c: labels of the paths, [n, c_dim].
    """
    # In single precision throughout, as the original. At a step of 1e-4 a single length is then good to two
    # digits or three; the mean over many is better.
    t, eps = np.asarray(t, np.float32)[:, None], np.float32(setting.epsilon)
    both_c = None if c is None else np.concatenate([c, c])
    if setting.space == "w":
        w0, w1 = np.split(generator.mapping(np.concatenate([z0, z1]), both_c), 2)
        ws = np.concatenate([w0 + (w1 - w0) * at[..., None] for at in (t, t + eps)])
    else:
        z = np.concatenate([slerp(z0, z1, t), slerp(z0, z1, t + eps)])
        ws = generator.mapping(z, both_c)
    images = prepared(generator.synthesis(ws), setting.crop)
    return np.asarray(distance(images[: len(t)], images[len(t) :])) / setting.epsilon**2


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Interpolates on the unit sphere between the directions of a and b, [n, dim], at t [n, 1]."""
    a, b = _normalised(a), _normalised(b)
    cosine = (a * b).sum(axis=-1, keepdims=True)
    angle = t * np.arccos(np.clip(cosine, -1, 1))
    across = _normalised(b - cosine * a)
    return _normalised(a * np.cos(angle) + across * np.sin(angle))


def prepared(images: Any, crop: bool) -> Any:
    """Returns images as the distance takes them: cropped, pooled to about 256 px, 0..255, three channels.

    Args:
        images: [n, C, H, W] in [-1, 1], numpy or torch.
        crop: keep rows 3/8 to 7/8 and columns 2/8 to 6/8, where the face is in an aligned portrait.
    """
    if crop:
        eighth = images.shape[2] // 8
        images = images[:, :, 3 * eighth : 7 * eighth, 2 * eighth : 6 * eighth]
    n, channels, height, width = images.shape
    factor = height // _LPIPS_PX
    if factor > 1:
        images = images.reshape(n, channels, height // factor, factor, width // factor, factor).mean((3, 5))
    images = (images + 1) * (255 / 2)
    return images[:, [0, 0, 0]] if channels == 1 else images


def trimmed(lengths: np.ndarray) -> np.ndarray:
    """Returns the lengths from the 1st percentile (the next lower sample) to the 99th (next higher)."""
    low = np.percentile(lengths, _LOWEST_PERCENT, method="lower")
    high = np.percentile(lengths, _HIGHEST_PERCENT, method="higher")
    return lengths[(lengths >= low) & (lengths <= high)]


def _normalised(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).sum(axis=-1, keepdims=True))


def _draw(
    seed: int, sample: int, z_dim: int, labels: np.ndarray | None, setting: PathLengthSetting
) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng((seed, sample))
    z0, z1 = random.standard_normal((2, z_dim), dtype=np.float32)
    t = random.random(dtype=np.float32) * np.float32(setting.sampling == "full")
    c = np.zeros(0) if labels is None else labels[random.integers(len(labels))]
    return np.asarray(t), z0, z1, np.asarray(c)
