"""w of seeds, kept for as long as the mapping network stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from stylegraft.networks.protocol import Generator
from stylegraft.networks.sampling import latents_of_seeds, map_to_w

_MOST_KEPT = 4096  # rows; 8 MB where w has 512 numbers


class MappedSeeds:
    """Maps seeds to w, each seed and label once: another truncation, noise or batch asks for the same w.

    What is kept is dropped when the weights of the mapping network change. Changes behind torch's back (by
    way of `Tensor.data`) go unnoticed.
    """

    def __init__(self) -> None:
        self._weights: tuple[tuple[int, int], ...] | None = None
        self._known: dict[tuple[int, bytes], torch.Tensor] = {}

    @torch.inference_mode()
    def __call__(self, generator: Generator, seeds: Sequence[int], c: torch.Tensor | None) -> torch.Tensor:
        """Returns w [N, w_dim] without truncation, the same whether it was kept or not.

        Args:
            generator: in evaluation mode.
            seeds: N whole numbers.
            c: labels [N, c_dim], or None.
        """
        weights = state_of_mapping(generator)
        if weights != self._weights or weights is None:
            self._weights, self._known = weights, {}
        known = self._known  # Another thread may put an empty one in its place meanwhile.
        labels = [b""] * len(seeds) if c is None else [row.tobytes() for row in c.detach().cpu().numpy()]
        keys = list(zip(seeds, labels))
        missing = {key: row for row, key in enumerate(keys) if key not in known}
        rows = list(missing.values())
        z = latents_of_seeds([seeds[row] for row in rows], generator.config.mapping.z_dim)
        w = map_to_w(generator, z, None if c is None else c[rows])
        known.update(zip(missing, w))
        if len(known) > _MOST_KEPT:
            self._known = {}
        return torch.stack([known[key] for key in keys]) if keys else w


def state_of_mapping(generator: Generator) -> tuple[tuple[int, int], ...] | None:
    """Returns what differs once the mapping network's weights changed or moved; None if nothing tells."""
    parameters = list(generator.mapping.parameters())
    if any(parameter.is_inference() for parameter in parameters):
        return None
    return tuple((parameter.data_ptr(), parameter._version) for parameter in parameters)
