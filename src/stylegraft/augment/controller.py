"""The controller that moves p: augment more when the discriminator knows the training set too well."""

from __future__ import annotations

from typing import NamedTuple

from stylegraft.augment.config import AdaConfig


class Adjustment(NamedTuple):
    """What `AdaController.maybe_adjust` did."""

    p: float
    """p from now on."""
    sign_mean: float | None
    """The mean of sign(D(real)) it went by; None if it was not time, or there was nothing to go by."""
    reached_cap: bool
    """True once in a run, when p first reaches the cap: time to warn."""


class AdaController:
    """Moves p up while mean sign(D(real)) is above the target, and down while it is below.

    A move is (images since the last one) / (kimg * 1000). p stays in [0, cap], and nothing is remembered of
    what it was not allowed to do, so it comes down at once.

    Source: Karras et al. 2020, section 3.1, r_t.
    """

    def __init__(self, config: AdaConfig) -> None:
        self.config = config
        self.p = config.p if config.mode == "fixed" else min(config.p, config.cap)
        self._sign_sum = 0.0
        self._count = 0
        self._images = 0
        self._cap_was_reported = False

    def update(self, sign_sum: float, count: int) -> None:
        """Adds what the discriminator said of (augmented) real images.

        Args:
            sign_sum: sum of sign(D(real)) over all processes; a whole number, so that sums are exact.
            count: how many logits that were.
        """
        self._sign_sum += sign_sum
        self._count += count

    def maybe_adjust(self, step: int, batch: int) -> Adjustment:
        """Counts one step and, every `interval_steps`, moves p.

        Args:
            step: number of steps done, this one included (1, 2, ...).
            batch: images of this step over all processes.
        """
        self._images += batch
        if self.config.mode == "fixed" or step % self.config.interval_steps != 0:
            return Adjustment(self.p, None, False)
        sign_mean = self._sign_sum / self._count if self._count else None
        if sign_mean is not None and sign_mean != self.config.target:
            change = self._images / (self.config.kimg * 1000)
            wanted = self.p + (change if sign_mean > self.config.target else -change)
            self.p = min(max(wanted, 0.0), self.config.cap)
        reached_cap = self.p >= self.config.cap and not self._cap_was_reported
        self._cap_was_reported |= reached_cap
        self._sign_sum, self._count, self._images = 0.0, 0, 0
        return Adjustment(self.p, sign_mean, reached_cap)

    def state_dict(self) -> dict[str, float | int]:
        """Returns all that an exact resume needs, as plain numbers."""
        return {
            "p": self.p,
            "sign_sum": self._sign_sum,
            "count": self._count,
            "images": self._images,
            "cap_was_reported": int(self._cap_was_reported),
        }

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Goes on from `state_dict`."""
        self.p = float(state["p"])
        self._sign_sum = float(state["sign_sum"])
        self._count = int(state["count"])
        self._images = int(state["images"])
        self._cap_was_reported = bool(state["cap_was_reported"])
