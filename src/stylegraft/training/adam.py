"""Adam, all parameters of a network in one call of torch's fused kernel.

`torch.optim.Adam` with `fused=True` makes the same call. But to make any optimiser of `torch.optim` loads the
compiler that would trace it, some 800 modules that training has no use for: 75 MB to the end of the run, and
a second of every start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


class Adam:
    """Adam without weight decay.

    Source: Kingma and Ba 2015, algorithm 1.

    Args:
        groups: what it moves, on one device: parameters under "params", their learning rate under "lr".
        betas: decay of the running means of the gradient and of its square.
        eps: added to the root of the latter.

    Attributes:
        param_groups: the groups; "lr" may be changed between steps.
        betas: as given.
        eps: as given.
        state: "step" [], "exp_avg" and "exp_avg_sq" (in shape and memory format of the parameter) of each
            parameter that had a gradient before.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], betas: tuple[float, float], eps: float) -> None:
        self.param_groups = list(groups)
        self.state: dict[nn.Parameter, dict[str, torch.Tensor]] = {}
        self.betas, self.eps = betas, eps

    def zero_grad(self) -> None:
        """Forgets the gradients, and gives back their memory."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Moves the parameters that have a gradient."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if moved:
                self._move(moved, group["lr"])

    def _move(self, parameters: list[nn.Parameter], lr: float) -> None:
        states = [self._state_of(parameter) for parameter in parameters]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            list[torch.Tensor](parameters),
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=lr,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def _state_of(self, parameter: nn.Parameter) -> dict[str, torch.Tensor]:
        if parameter not in self.state:
            self.state[parameter] = {
                "step": torch.zeros([], device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return self.state[parameter]
