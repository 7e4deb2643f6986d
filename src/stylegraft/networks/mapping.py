"""The mapping network: z and the class label to w."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from stylegraft.errors import InputError
from stylegraft.networks.config import MappingConfig
from stylegraft.networks.layers import Dense


class Mapping(nn.Module):
    """z [N, z_dim] and c [N, c_dim] to ws [N, num_ws, w_dim], float32.

    Source: StyleGAN (Karras et al. 2019), figure 1b; label embedding as in StyleGAN2-ADA.

    Args:
        config: sizes.
        num_ws: copies of w, one a layer of the synthesis network; None returns w [N, w_dim].
    """

    w_avg: torch.Tensor

    def __init__(self, config: MappingConfig, num_ws: int | None) -> None:
        super().__init__()
        self.config = config
        self.num_ws = num_ws
        embed_features = config.embed_features or config.w_dim
        if config.c_dim:
            self.embed = Dense(config.c_dim, embed_features)
        widths = [
            config.z_dim + (embed_features if config.c_dim else 0),
            *[config.layer_features or config.w_dim] * (config.num_layers - 1),
            *([config.w_dim] if config.num_layers else []),
        ]
        for index in range(config.num_layers):
            layer = Dense(
                widths[index],
                widths[index + 1],
                activation=config.activation,
                lr_multiplier=config.lr_multiplier,
            )
            self.add_module(f"fc{index}", layer)
        if num_ws is not None and config.w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self,
        z: torch.Tensor | None,
        c: torch.Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> torch.Tensor:
        """Returns ws [N, num_ws, w_dim], or w [N, w_dim] where num_ws is None.

        Args:
            z: latents [N, z_dim], any scale (they are normalised); None where z_dim is 0.
            c: one-hot or float labels [N, c_dim]; None for an unconditional network.
            psi: truncation; 1 is off, 0 gives w_avg.
            cutoff: number of layers that are truncated, from the coarsest; None: all.

        Raises:
            InputError: the shape of z or c is not the network's, `cutoff` is negative, or psi is asked of a
                network without w_avg.
        """
        x = None
        if self.config.z_dim:
            x = normalize_2nd_moment(_checked("z", z, self.config.z_dim))
        if self.config.c_dim:
            y = normalize_2nd_moment(self.embed(_checked("c", c, self.config.c_dim)))
            if x is not None and len(x) != len(y):
                raise InputError(f"c: expected one row for each of the {len(x)} rows of z, got {len(y)}.")
            x = y if x is None else torch.cat([x, y], dim=1)
        assert x is not None, "a mapping network has z, c or both"
        for index in range(self.config.num_layers):
            x = cast("Dense", self.get_submodule(f"fc{index}"))(x)
        if self.num_ws is None:
            return x
        return self.truncate(x.unsqueeze(1).expand(-1, self.num_ws, -1), psi, cutoff)

    def truncate(self, ws: torch.Tensor, psi: float, cutoff: int | None = None) -> torch.Tensor:
        """Returns ws [N, num_ws, w_dim] with w_avg + psi * (w - w_avg) on the layers below `cutoff`."""
        if psi == 1:
            return ws
        if self.config.w_avg_beta is None:
            raise InputError("psi: this network keeps no w_avg, so it cannot be truncated. Use psi 1.")
        cutoff = ws.shape[1] if cutoff is None else cutoff
        if cutoff < 0:
            raise InputError(f"cutoff: expected 0 or more layers, got {cutoff}.")
        truncated = self.w_avg.lerp(ws[:, :cutoff], psi)
        return torch.cat([truncated, ws[:, cutoff:]], dim=1)

    @torch.no_grad()
    def update_w_avg(self, w_mean: torch.Tensor) -> None:
        """Moves w_avg towards the mean w [w_dim] of a batch by 1 - w_avg_beta."""
        if self.config.w_avg_beta is not None:
            self.w_avg.lerp_(w_mean, 1 - self.config.w_avg_beta)


def normalize_2nd_moment(x: torch.Tensor, eps: float = 1e-8) -> torch.Tensor:
    """Returns x [N, D] scaled to a mean square of 1 over D."""
    return x * (x.square().mean(dim=1, keepdim=True) + eps).rsqrt()


def _checked(name: str, value: torch.Tensor | None, width: int) -> torch.Tensor:
    if value is None or value.ndim != 2 or value.shape[1] != width:
        got = "None" if value is None else list(value.shape)
        raise InputError(
            f"{name}: expected a tensor of shape [N, {width}], got {got}. Give one row a sample."
        )
    return value.to(torch.float32)
