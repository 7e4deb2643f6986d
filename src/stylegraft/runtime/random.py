"""Random numbers keyed by what they are for, not by when they are drawn.

A `Key` is a 64-bit hash of everything that names a draw: the run's seed, the purpose, the step, the sample.
Two processes that each handle half of a batch draw, for a given sample, exactly what one process would;
a resumed run draws what an uninterrupted one would; no generator state has to be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _mix(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that avalanches 64 bits."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _as_int(item: int | str) -> int:
    if isinstance(item, int):
        return item & _MASK
    hashed = 0xCBF29CE484222325  # FNV-1a, stable across processes, unlike hash()
    for byte in item.encode():
        hashed = ((hashed ^ byte) * 0x100000001B3) & _MASK
    return hashed


@dataclass(frozen=True, slots=True)
class Key:
    """An immutable name of a random stream.

    Example:
        >>> key = Key.of(seed).fold("z", step)
        >>> z = key.normal(range(16), [512])       # [16, 512]; row i depends on sample index i only
    """

    value: int

    @classmethod
    def of(cls, seed: int) -> Key:
        """Returns the root key of a run."""
        return cls(_mix((_as_int(seed) + _GOLDEN) & _MASK))

    def fold(self, *items: int | str) -> Key:
        """Returns the key of a narrower purpose; the order of the items matters."""
        value = self.value
        for item in items:
            value = _mix((value * 3 + _as_int(item) + _GOLDEN) & _MASK)
        return Key(value)

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        """Returns a fresh torch generator seeded by this key."""
        return torch.Generator(device).manual_seed(self.value >> 1)

    def normal(
        self, samples: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Standard normal draws, float32 [len(samples), *shape]; each row is keyed by its sample index."""
        rows = torch.empty([len(samples), *shape], device=device)
        for row, sample in zip(rows, samples):
            row.normal_(generator=self.fold(sample).generator(device))
        return rows

    def uniform(
        self, samples: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Uniform draws in [0, 1), float32 [len(samples), *shape]; each row is keyed by its sample index."""
        rows = torch.empty([len(samples), *shape], device=device)
        for row, sample in zip(rows, samples):
            row.uniform_(generator=self.fold(sample).generator(device))
        return rows
