"""Which training image comes at which position of a run, without any state to save."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stylegraft.runtime.random import Key


class Sampler(Protocol):
    """An endless order of the training images, as a function of the position alone."""

    def batch(self, start_nimg: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what positions start_nimg to start_nimg + count - 1 show.

        Returns:
            (indices int64 [count] in [0, N), flips bool [count]).
        """
        ...


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
        indices = np.empty(count, np.int64)
        for row, position in enumerate(range(start_nimg, start_nimg + count)):
            epoch, offset = divmod(position, self.num_images)
            indices[row] = self._permutation(epoch)[offset]
        return indices, _flips(self._key, self.mirror, start_nimg, count)

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch not in self._epochs:
            # A batch meets at most the end of one epoch and the start of the next, or epochs that are short.
            self._epochs = {old: order for old, order in self._epochs.items() if old == epoch - 1}
            self._epochs[epoch] = _shuffled(self._key.fold("epoch", epoch), 1, self.num_images)[0]
        return self._epochs[epoch]


class ClassGroupSampler:
    """Shuffled groups of images that share a class.

    The discriminator's minibatch standard deviation sees how much the images of a group differ. In a group
    of many classes the difference of classes drowns it, and a generator that makes one picture a class goes
    unpunished; in a group of one class it is all there is to see.

    A batch of n images holds n / G groups, strided as `ops.minibatch_std` has them: image i belongs to group
    i mod (n / G). A round shows each image G times, in groups of its class, in an order keyed by (seed,
    round).
    """

    def __init__(
        self, classes: np.ndarray, group_size: int | None, seed: int, mirror: bool, balance: bool = False
    ) -> None:
        """Makes a sampler.

        Args:
            classes: the class of each image, int [N], N at least 1.
            group_size: images in a group, G; None: a batch is one group.
            seed: the run's seed.
            mirror: whether half of the images, at random, are to be mirrored.
            balance: every class comes equally often, instead of in proportion to its images.
        """
        if len(classes) < 1:
            raise ValueError("ClassGroupSampler: expected at least one image, got none")
        self.group_size = group_size
        self.mirror = mirror
        self._members = [np.flatnonzero(classes == index) for index in np.unique(classes)]
        largest = max(len(members) for members in self._members)
        self._num_groups = [largest if balance else len(members) for members in self._members]  # in a round
        self._key = Key.of(seed).fold("class group sampler")
        self._rounds: dict[int, np.ndarray] = {}

    def batch(self, start_nimg: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        group_size = min(self.group_size or count, count)
        num_groups = count // group_size
        groups = []
        for group in range(start_nimg // group_size, start_nimg // group_size + num_groups):
            number, place = divmod(group, sum(self._num_groups))
            groups.append(self._round(number, group_size)[place])
        indices = np.stack(groups, axis=1).reshape(-1)  # [G, n / G] -> [n]
        return indices, _flips(self._key, self.mirror, start_nimg, count)

    def _round(self, number: int, group_size: int) -> np.ndarray:
        """All groups of a round in their order, int64 [groups, G]."""
        if number not in self._rounds or self._rounds[number].shape[1] != group_size:
            self._rounds = {old: groups for old, groups in self._rounds.items() if old == number - 1}
            key = self._key.fold("round", number)
            groups = []
            for index, (members, num_groups) in enumerate(zip(self._members, self._num_groups)):
                num_passes = -(-num_groups * group_size // len(members))
                order = members[_shuffled(key.fold("class", index), num_passes, len(members))].reshape(-1)
                groups.append(order[: num_groups * group_size].reshape(num_groups, group_size))
            together = np.concatenate(groups)
            self._rounds[number] = together[_shuffled(key.fold("order"), 1, len(together))[0]]
        return self._rounds[number]


def _shuffled(key: Key, rows: int, count: int) -> np.ndarray:
    """Independent permutations of `count` things, int64 [rows, count]."""
    # Raw bits of Philox never change between numpy releases; Generator.permutation may.
    bits = np.random.Philox(key=key.value).random_raw(rows * count)
    return np.argsort(bits.reshape(rows, count), axis=1, kind="stable")


def _flips(key: Key, mirror: bool, start_nimg: int, count: int) -> np.ndarray:
    flips = np.zeros(count, bool)
    if mirror:
        positions = range(start_nimg, start_nimg + count)
        flips[:] = [key.fold("mirror", position).value >> 63 for position in positions]
    return flips
