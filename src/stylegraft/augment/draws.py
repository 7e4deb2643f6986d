"""The random numbers of the augmentation, apart from the arithmetic they steer.

Each transform reads columns of its own, whether or not other transforms are on, and each row is keyed by the
global index of its sample. So a sample is augmented alike in any process, any micro-batch, any resumed run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylegraft.runtime.random import Key

Array = NDArray[np.float64]

NUM_BANDS = 4

# New names go to the end of a table: the position of a name decides which number of the stream it reads.
_COINS = (
    *("xflip", "rotate90", "xint", "scale", "rotate_before", "aniso", "rotate_after", "xfrac"),
    *("brightness", "contrast", "lumaflip", "hue", "saturation"),
    *(f"band{band}" for band in range(NUM_BANDS)),
    *("noise", "cutout"),
)
_UNIFORMS = (
    *("xflip", "rotate90", "xint_x", "xint_y", "rotate_before", "rotate_after"),
    *("lumaflip", "hue", "cutout_x", "cutout_y"),
)
_NORMALS = (
    *("scale", "aniso", "xfrac_x", "xfrac_y", "brightness", "contrast", "saturation"),
    *(f"band{band}" for band in range(NUM_BANDS)),
    "noise_std",
)


@dataclass(frozen=True, slots=True)
class Draws:
    """What chance decides about some samples; see `random_draws` and `percentile_draws`."""

    coins: dict[str, Array]
    """Name of a transform -> [N] in [0, 1): it happens where the coin is below its probability."""
    uniforms: dict[str, Array]
    """Name of a parameter -> [N] in [0, 1)."""
    normals: dict[str, Array]
    """Name of a parameter -> [N], standard normal."""
    noise: Tensor | None
    """Standard normal [N, C, H, W] of the additive noise, if that is on."""

    @property
    def num(self) -> int:
        """The number of samples."""
        return len(self.coins["xflip"])

    def happens(self, name: str, probability: float) -> NDArray[np.bool_]:
        """Returns for each sample whether a transform of this probability happens to it, [N]."""
        return self.coins[name] < probability

    def symmetric(self, name: str) -> Array:
        """Returns a uniform parameter stretched to [-1, 1), [N]."""
        return self.uniforms[name] * 2 - 1


def random_draws(
    key: Key,
    samples: Sequence[int],
    noise_shape: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
) -> Draws:
    """Returns draws that depend on the key and each sample's own index only.

    Args:
        key: names the step and the purpose (real or generated images, which phase).
        samples: global sample indices, N of them.
        noise_shape: (C, H, W) if additive noise is on. That field alone is drawn on `device`, all else on the
            CPU, where the small matrices are built.
        device: the images' device.
    """
    coins = key.fold("coins").uniform(samples, [len(_COINS)]).double().numpy()
    uniforms = key.fold("uniforms").uniform(samples, [len(_UNIFORMS)]).double().numpy()
    normals = key.fold("normals").normal(samples, [len(_NORMALS)]).double().numpy()
    noise = None if noise_shape is None else key.fold("noise").normal(samples, noise_shape, device)
    return Draws(
        coins=dict(zip(_COINS, coins.T)),
        uniforms=dict(zip(_UNIFORMS, uniforms.T)),
        normals=dict(zip(_NORMALS, normals.T)),
        noise=noise,
    )


def percentile_draws(percentile: float, num: int) -> Draws:
    """Returns draws in which everything happens, each parameter at one percentile: to check the arithmetic.

    Two conventions follow the reference arrays: the second of the two rotations is left out (angle 0), and a
    normal at percentile P is erfinv(2P - 1), which is 1/sqrt(2) of a standard normal's.

    Args:
        percentile: strictly between 0 and 1.
        num: number of samples N.
    """
    values = np.full(num, percentile)
    normal = np.full(num, NormalDist(sigma=0.5**0.5).inv_cdf(percentile))
    return Draws(
        coins=dict.fromkeys(_COINS, np.zeros(num)),
        uniforms=dict.fromkeys(_UNIFORMS, values) | {"rotate_after": np.full(num, 0.5)},
        normals=dict.fromkeys(_NORMALS, normal),
        noise=None,
    )
