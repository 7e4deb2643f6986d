"""The mapping network: z and the class label to w."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from stylegraft.errors import InputError
from stylegraft.networks.config import MappingConfig
from stylegraft.networks.layers import Dense


class WAverage(nn.Module):
    """What all mapping networks share: the running mean of w, and truncation towards it.

    Args:
        w_dim: size of w.
        beta: decay of the mean; None: none is kept.
    """

    w_avg: torch.Tensor

    def __init__(self, w_dim: int, beta: float | None) -> None:
        super().__init__()
        self.w_avg_beta = beta
        if beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def truncate(
        self, ws: torch.Tensor, psi: float, cutoff: int | None = None, centre: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Returns ws [N, num_ws, w_dim] with w_avg + psi * (w - w_avg) on the layers below `cutoff`.

        Args:
            ws: [N, num_ws, w_dim].
            psi: 1 leaves ws as they are, 0 gives the centre.
            cutoff: None: all layers.
            centre: what stands in w_avg's place, [N, w_dim]; None: w_avg.

        Raises:
            InputError: there is no w_avg, or `cutoff` is negative.
        """
        if psi == 1:
            return ws
        if centre is None and self.w_avg_beta is None:
            raise InputError("psi: this network keeps no w_avg, so it cannot be truncated. Use psi 1.")
        cutoff = ws.shape[1] if cutoff is None else cutoff
        if cutoff < 0:
            raise InputError(f"cutoff: expected 0 or more layers, got {cutoff}.")
        truncated = (self.w_avg if centre is None else centre.unsqueeze(1)).lerp(ws[:, :cutoff], psi)
        return torch.cat([truncated, ws[:, cutoff:]], dim=1)

    @torch.no_grad()
    def update_w_avg(self, w_mean: torch.Tensor) -> None:
        """Moves w_avg towards the mean w [w_dim] of a batch by 1 - w_avg_beta."""
        if self.w_avg_beta is not None:
            self.w_avg.lerp_(w_mean, 1 - self.w_avg_beta)


class Mapping(WAverage):
    """z [N, z_dim] and c [N, c_dim] to ws [N, num_ws, w_dim], float32.

    Source: StyleGAN (Karras et al. 2019), figure 1b; label embedding as in StyleGAN2-ADA (Karras
    et al. 2020), appendix C, or the label's part of the input as in the code of StyleGAN and StyleGAN2.

    Args:
        config: sizes.
        num_ws: copies of w, one a layer of the synthesis network; None returns w [N, w_dim].
    """

    def __init__(self, config: MappingConfig, num_ws: int | None) -> None:
        super().__init__(config.w_dim, None if num_ws is None else config.w_avg_beta)
        self.config = config
        self.num_ws = num_ws
        embed_features = config.embed_features or config.w_dim
        if config.c_dim and config.label_input == "embedded":
            self.embed = Dense(config.c_dim, embed_features)
        elif config.c_dim:
            self.embed = nn.Linear(config.c_dim, embed_features, bias=False)
            nn.init.normal_(self.embed.weight)
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
        inputs = []
        if self.config.z_dim:
            inputs.append(checked_rows("z", z, self.config.z_dim))
        if self.config.c_dim:
            inputs.append(self.embed(checked_rows("c", c, self.config.c_dim)))
        if len(inputs) == 2 and inputs[0].shape[0] != inputs[1].shape[0]:
            rows_of_z, rows_of_c = map(len, inputs)
            raise InputError(f"c: expected one row for each of the {rows_of_z} rows of z, got {rows_of_c}.")
        if self.config.label_input == "embedded":
            inputs = [normalize_2nd_moment(part) for part in inputs]
        x = torch.cat(inputs, dim=1)
        if self.config.label_input == "concatenated":
            x = normalize_2nd_moment(x)
        for index in range(self.config.num_layers):
            x = cast("Dense", self.get_submodule(f"fc{index}"))(x)
        if self.num_ws is None:
            return x
        return self.truncate(x.unsqueeze(1).expand(-1, self.num_ws, -1), psi, cutoff)


def normalize_2nd_moment(x: torch.Tensor, eps: float = 1e-8) -> torch.Tensor:
    """Returns x [N, D] scaled to a mean square of 1 over D."""
    return x * (x.square().mean(dim=1, keepdim=True) + eps).rsqrt()


def checked_rows(name: str, value: torch.Tensor | None, width: int) -> torch.Tensor:
    """Returns an input as float32 after checking that it is [N, width].

    Raises:
        InputError: it is None or of another shape.
    """
    if value is None or value.ndim != 2 or value.shape[1] != width:
        got = "None" if value is None else list(value.shape)
        raise InputError(
            f"{name}: expected a tensor of shape [N, {width}], got {got}. Give one row a sample."
        )
    return value.to(torch.float32)
