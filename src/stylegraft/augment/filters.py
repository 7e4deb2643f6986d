"""Wavelet filters, and the image-space filtering that amplifies or damps four frequency bands.

Source: Karras et al. 2020 (ADA), appendix B.4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stylegraft.augment.config import AugmentConfig
from stylegraft.augment.draws import NUM_BANDS, Array, Draws

# Scaling filters of the symlets of 2 and 6 vanishing moments (Daubechies 1992, "Ten lectures on wavelets").
_SYM2 = np.array([1 - 3**0.5, 3 - 3**0.5, 3 + 3**0.5, 1 + 3**0.5]) / (4 * 2**0.5)
_SYM6 = np.array(
    [
        *(0.01540410932702737, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
        *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
        *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ]
)

SYM6_LOWPASS: Array = _SYM6 / _SYM6.sum()
"""The low-pass of the geometric resampling: 12 taps, unit gain at zero frequency."""

# Power of natural images in the four bands, lowest first: normalising by it keeps the overall contrast.
_EXPECTED_POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13


def reflected(index: np.ndarray, size: int) -> np.ndarray:
    """Folds indices into [0, size) by reflection about the first and the last pixel, however often needed."""
    if size == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * size - 2)
    return np.minimum(index, 2 * size - 2 - index)


def apply_along_axes(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Returns rows @ image @ columns^T for every channel: a separable linear map of the images.

    Args:
        images: [N, C, H, W].
        rows: [H_out, H], or [N, H_out, H] for a matrix of its own for every sample.
        columns: [W_out, W] or [N, W_out, W].

    Returns:
        [N, C, H_out, W_out].
    """
    num, channels, height, width = images.shape
    flat = images.reshape(num, channels * height, width) @ columns.mT
    return rows.unsqueeze(-3) @ flat.reshape(num, channels, height, -1)


@lru_cache(maxsize=1)
def filter_bank() -> Array:
    """Returns the band-pass filters [4, 43] of 0-1/8, 1/8-1/4, 1/4-1/2 and 1/2-1 of the Nyquist frequency.

    They are symmetric and add up to the unit impulse. The autocorrelations L and H of the sym2 low-pass and
    high-pass satisfy L + H = 1, so splitting the lowest band again and again (each time at half the rate)
    keeps the sum.
    """
    alternating = _SYM2 * (-1.0) ** np.arange(len(_SYM2))
    low = np.convolve(_SYM2, _SYM2[::-1]) / 2
    high = np.convolve(alternating, alternating[::-1]) / 2
    bands = np.eye(NUM_BANDS, 1)  # so far one band holds everything
    for band in range(1, NUM_BANDS):
        spread = np.zeros([NUM_BANDS, 2 * bands.shape[1] - 1])
        spread[:, ::2] = bands
        bands = np.stack([np.convolve(row, low) for row in spread])
        middle = bands.shape[1] // 2
        bands[band, middle - len(high) // 2 : middle + len(high) // 2 + 1] += high
    return bands


@lru_cache(maxsize=4)
def _band_matrices(size: int) -> Array:
    """Returns each band's filter along an axis with reflected borders as a matrix, [4, size, size]."""
    bank = filter_bank()
    half = bank.shape[1] // 2
    outputs = np.arange(size)
    matrices = np.zeros([NUM_BANDS, size, size])
    for tap in range(bank.shape[1]):
        # Within one tap every output appears once, so nothing is lost by adding through an index.
        matrices[:, outputs, reflected(outputs + tap - half, size)] += bank[:, tap, None]
    return matrices


def band_gains(config: AugmentConfig, draws: Draws, p: float) -> Array:
    """Returns by how much to amplify each band of each sample, [N, 4]."""
    gains = np.ones([draws.num, NUM_BANDS])
    for band, multiplier in enumerate(config.imgfilter_bands):
        if config.imgfilter * multiplier == 0:
            continue
        single = np.ones([draws.num, NUM_BANDS])
        single[:, band] = np.exp2(draws.normals[f"band{band}"] * config.imgfilter_std)
        single /= np.sqrt((single**2 @ _EXPECTED_POWER)[:, None])
        happens = draws.happens(f"band{band}", config.imgfilter * multiplier * p)
        gains[happens] *= single[happens]
    return gains


def filter_images(images: Tensor, gains: Array) -> Tensor:
    """Returns images [N, C, H, W] with their bands amplified by `gains` [N, 4], borders reflected."""
    if (gains == 1).all():
        return images
    rows, columns = (
        torch.from_numpy(np.tensordot(gains, _band_matrices(size), axes=1)).to(images)
        for size in images.shape[2:]
    )
    return apply_along_axes(images, rows, columns)
