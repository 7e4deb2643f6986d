"""Which training image comes at which position of a run, without any state to save."""

from __future__ import annotations

import numpy as np

from stylegraft.runtime.random import Key


class TrainSampler:
    """Shuffled epochs, as a function of the position.

    Position p (images shown since the start of the run) lies in epoch p // N; each epoch is a permutation
    keyed by (seed, epoch), each mirror flag is keyed by (seed, p). A resumed run and several processes that
    share a batch therefore see what one uninterrupted process sees.
    """

    def __init__(self, num_images: int, seed: int, mirror: bool) -> None:
        """Makes a sampler.

        Args:
            num_images: N, at least 1.
            seed: the run's seed.
            mirror: whether half of the images, at random, are to be mirrored.
        """
        if num_images < 1:
            raise ValueError(f"TrainSampler: expected at least one image, got {num_images}")
        self.num_images = num_images
        self.mirror = mirror
        self._key = Key.of(seed).fold("train sampler")
        self._epochs: dict[int, np.ndarray] = {}

    def batch(self, start_nimg: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what positions start_nimg to start_nimg + count - 1 show.

        Returns:
            (indices int64 [count] in [0, N), flips bool [count]).
        """
        indices = np.empty(count, np.int64)
        flips = np.zeros(count, bool)
        for row, position in enumerate(range(start_nimg, start_nimg + count)):
            epoch, offset = divmod(position, self.num_images)
            indices[row] = self._permutation(epoch)[offset]
            if self.mirror:
                flips[row] = self._key.fold("mirror", position).value >> 63
        return indices, flips

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch not in self._epochs:
            # A batch meets at most the end of one epoch and the start of the next, or epochs that are short.
            self._epochs = {old: order for old, order in self._epochs.items() if old == epoch - 1}
            # Raw bits of Philox never change between numpy releases; Generator.permutation may.
            bits = np.random.Philox(key=self._key.fold("epoch", epoch).value).random_raw(self.num_images)
            self._epochs[epoch] = np.argsort(bits, kind="stable")
        return self._epochs[epoch]
