"""What the loop needs of whoever looks at its pictures: injected, for training knows no feature network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

SampleFakes = Callable[[int, int], np.ndarray]
"""`sample_fakes(start, count)` gives uint8 [count, H, W, C], the same at each call."""


class Floor(Protocol):
    """What the loop needs of a floor."""

    @property
    def value(self) -> float:
        """The distance of real images to real images."""
        ...


class Distance(Protocol):
    """What the loop needs of a distance."""

    @property
    def value(self) -> float:
        """The lower, the nearer to the held-out images."""
        ...

    @property
    def floor(self) -> Floor | None:
        """What real images score in place of the fakes; None if it is not known."""
        ...


class Evaluator(Protocol):
    """Measures fakes against held-out images."""

    def __call__(self, sample_fakes: SampleFakes, num_fakes: int) -> Distance:
        """Returns the distance of so many fakes."""
        ...


class CopierShare(Protocol):
    """What the loop needs of a look for copies."""

    @property
    def share(self) -> float:
        """Fakes that are too close to a training image, 0 to 1."""
        ...

    @property
    def outside_band(self) -> bool:
        """Whether these are more than chance explains."""
        ...

    @property
    def sentence(self) -> str:
        """The finding in words."""
        ...


class CopyWatch(Protocol):
    """Looks for copies of training images among the fakes."""

    def __call__(self, sample_fakes: SampleFakes, num_fakes: int) -> CopierShare | None:
        """Returns what was found, or None where the held-out images are too few to say."""
        ...
