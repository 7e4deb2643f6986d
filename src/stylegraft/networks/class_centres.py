"""The mean w of a class: what a conditional network is truncated towards.

The running mean w_avg is that of all classes together, in the proportion in which training showed them, so
truncation towards it pulls pictures of a rare class towards those of the common ones.

Source: the conditional truncation trick of Dobler et al. 2022, Art Creation with Multi-Conditional StyleGANs.
"""

from __future__ import annotations

import torch

from stylegraft.networks.mapped_seeds import state_of_mapping
from stylegraft.networks.protocol import Generator
from stylegraft.networks.sampling import map_to_w
from stylegraft.runtime.random import Key

NUM_Z = 1024
"""Latents a mean is taken over. Its error is about 1/32 of the spread of w within the class."""

_MOST_KEPT = 4096  # rows, as `mapped_seeds` keeps them; labels that are vectors may all differ


class ClassCentres:
    """Finds the mean w of labels, each once for as long as the mapping network stays as it is.

    Every label is met by the same latents, keyed by nothing but their number: the same network has the same
    centres everywhere, and their differences are those of the labels alone.
    """

    def __init__(self) -> None:
        self._weights: tuple[tuple[int, int], ...] | None = None
        self._known: dict[bytes, torch.Tensor] = {}

    @torch.inference_mode()
    def __call__(self, generator: Generator, c: torch.Tensor) -> torch.Tensor:
        """Returns the mean w of each label, [N, w_dim], on the generator's device.

        Args:
            generator: in evaluation mode, conditional.
            c: labels [N, c_dim], one-hot or any others.
        """
        weights = state_of_mapping(generator)
        if weights != self._weights or weights is None:
            self._weights, self._known = weights, {}
        known = self._known  # Another thread may put an empty one in its place meanwhile.
        labels = [row.tobytes() for row in c.detach().cpu().numpy()]
        z_dim, w_dim = generator.config.mapping.z_dim, generator.config.mapping.w_dim
        missing = {label: row for row, label in enumerate(labels) if label not in known}
        if missing:
            z = Key.of(0).fold("class centres").normal(range(NUM_Z), [z_dim])
            for label, row in missing.items():
                known[label] = map_to_w(generator, z, c[row].expand(NUM_Z, -1)).mean(dim=0)
        if len(known) > _MOST_KEPT:
            self._known = {}
        return torch.stack([known[label] for label in labels]) if labels else c.new_empty(0, w_dim)
