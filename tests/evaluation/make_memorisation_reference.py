"""Makes tests/reference/memorisation/emoji.npz: real pictures of 64 px and their features.

    python tests/evaluation/make_memorisation_reference.py EMOJI.zip tests/reference/memorisation/emoji.npz

EMOJI.zip holds the bitmaps of the Debian package fonts-noto-color-emoji without persons, at 64 px.
"""

from __future__ import annotations

import sys

import numpy as np
from copiers import CHANGES

from stylegraft.data import open_image_set
from stylegraft.features import feature_network

NUM_TRAIN, NUM_HOLDOUT, NUM_MORE, NUM_MODES, COPIES_PER_CHANGE = 120, 120, 240, 20, 2


def main(source: str, target: str) -> None:
    images = open_image_set(source)
    random = np.random.RandomState(0)
    order = random.permutation(len(images))
    pixels = images.pixels(order[: NUM_TRAIN + NUM_HOLDOUT])
    more = images.pixels(order[NUM_TRAIN + NUM_HOLDOUT :][:NUM_MORE])
    # The first training images, changed slightly, again and again: a generator with 20 modes.
    repeated = np.concatenate(
        [change(pixels[:NUM_MODES], random) for change in CHANGES.values() for _ in range(COPIES_PER_CHANGE)]
    )
    network = feature_network("effnet_lite0")

    def features(batch: np.ndarray) -> np.ndarray:
        # Half precision moves a distance by less than 1e-3 of itself, and halves the file.
        return network(np.ascontiguousarray(batch)).numpy().astype(np.float16)

    np.savez_compressed(
        target,
        pixels=pixels,
        num_train=NUM_TRAIN,
        features=features(pixels),
        mirrored_features=features(pixels[:NUM_TRAIN, :, ::-1]),
        repeated_features=features(repeated),
        more_features=features(more),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
