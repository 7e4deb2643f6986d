"""The random source of one bean, and smooth noise made from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylegraft.data.beans.kinds import Colour
from stylegraft.data.beans.linear import product


class Draws:
    """Uniform draws keyed by (seed, index), so that bean i never depends on how many beans are made.

    `RandomState` is used for its promise that its streams never change between numpy versions.
    """

    def __init__(self, seed: int, index: int) -> None:
        self._state = np.random.RandomState(np.random.MT19937(np.random.SeedSequence((seed, index))))

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return low + (high - low) * float(self._state.random_sample())

    def array(self, num: int, low: float, high: float) -> NDArray[np.float64]:
        """`num` uniform draws, float64 [num]."""
        return low + (high - low) * self._state.random_sample(num)

    def colour(self, ends: tuple[Colour, Colour]) -> NDArray[np.float32]:
        """A colour between two ends, with a little play in each channel: linear RGB, float32 [3]."""
        low, high = np.asarray(ends[0], np.float64), np.asarray(ends[1], np.float64)
        srgb = (low + (high - low) * self.between(0.0, 1.0)) / 255.0 + self.array(3, -0.012, 0.012)
        srgb = np.clip(srgb, 0.0, 1.0)
        return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)

    def noise(
        self,
        axis: NDArray[np.float32],
        angle: float,
        frequency: float,
        stretch: float = 1.0,
        num_waves: int = 40,
    ) -> NDArray[np.floating[Any]]:
        """Smooth noise of mean 0 and variance about 1: a sum of plane waves of random direction and phase.

        cos(kx x + ky y + phase) separates into products of functions of x and of y, so the sum is one matrix
        product. The field is a function of position: another resolution shows the same noise.

        Args:
            axis: point positions along one side, float32 [S].
            angle: direction in which features are stretched, radians.
            frequency: middle of the spectrum in radians per unit of `axis`.
            stretch: how many times longer features are along `angle` than across.
            num_waves: number of waves.

        Returns:
            float32 [S, S], rows are y.
        """
        turn = self.array(num_waves, 0.0, 2.0 * np.pi)
        k = frequency * self.array(num_waves, 0.4, 1.6)
        phase = self.array(num_waves, 0.0, 2.0 * np.pi)
        k_along, k_across = k * np.cos(turn) / np.sqrt(stretch), k * np.sin(turn) * np.sqrt(stretch)
        kx = k_along * np.cos(angle) - k_across * np.sin(angle)
        ky = k_along * np.sin(angle) + k_across * np.cos(angle)
        x_phase = np.outer(axis, kx).astype(np.float32)
        y_phase = (np.outer(axis, ky) + phase).astype(np.float32)
        # cos(a + b) = cos a cos b - sin a sin b, both terms in one product.
        of_x = np.concatenate([np.cos(x_phase), -np.sin(x_phase)], axis=1)
        of_y = np.concatenate([np.cos(y_phase), np.sin(y_phase)], axis=1)
        return product(of_y, of_x.T) * np.float32(np.sqrt(2.0 / num_waves))
