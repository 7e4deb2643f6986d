"""The mapping network of StyleGAN v1: z and the class label to w."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from stylegraft.errors import InputError
from stylegraft.networks.mapping import WAverage, checked_rows, normalize_2nd_moment
from stylegraft.networks.stylegan1.config import MappingConfig
from stylegraft.networks.stylegan1.layers import Dense


class Mapping(WAverage):
    """z [N, z_dim] and c [N, c_dim] to ws [N, num_ws, w_dim], float32.

    The label is multiplied by a matrix, put beside z, and both are normalised as one vector.

    Source: StyleGAN (Karras et al. 2019), figure 1b; the label as in the public implementation.

    Args:
        config: sizes.
        num_ws: copies of w, one a layer of the synthesis network.
    """

    def __init__(self, config: MappingConfig, num_ws: int) -> None:
        super().__init__(config.w_dim, config.w_avg_beta)
        self.config = config
        self.num_ws = num_ws
        if config.c_dim:
            self.label_weight = nn.Parameter(torch.randn(config.c_dim, config.z_dim))
        hidden = config.layer_features or config.w_dim
        widths = [
            config.z_dim * (2 if config.c_dim else 1),
            *[hidden] * (config.num_layers - 1),
            config.w_dim,
        ]
        for index in range(config.num_layers):
            layer = Dense(
                widths[index],
                widths[index + 1],
                activation=config.activation,
                lr_multiplier=config.lr_multiplier,
                use_wscale=config.use_wscale,
            )
            self.add_module(f"fc{index}", layer)

    def forward(
        self,
        z: torch.Tensor,
        c: torch.Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> torch.Tensor:
        """Returns ws [N, num_ws, w_dim].

        Args:
            z: latents [N, z_dim].
            c: one-hot or float labels [N, c_dim]; None for an unconditional network.
            psi: truncation; 1 is off, 0 gives w_avg.
            cutoff: number of layers that are truncated, from the coarsest; None: all.

        Raises:
            InputError: the shape of z or c is not the network's, `cutoff` is negative, or psi is asked of a
                network without w_avg.
        """
        x = checked_rows("z", z, self.config.z_dim)
        if self.config.c_dim:
            label = checked_rows("c", c, self.config.c_dim)
            if label.shape[0] != x.shape[0]:
                raise InputError(f"c: expected one row for each of the {len(x)} rows of z, got {len(label)}.")
            x = torch.cat([x, label @ self.label_weight], dim=1)
        if self.config.normalize_latents:
            x = normalize_2nd_moment(x)
        for index in range(self.config.num_layers):
            x = cast("Dense", self.get_submodule(f"fc{index}"))(x)
        return self.truncate(x.unsqueeze(1).expand(-1, self.num_ws, -1), psi, cutoff)
