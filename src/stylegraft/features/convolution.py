"""Convolution, batch normalisation, activation: three steps to load, one pass over memory to run."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from stylegraft.runtime.precision import has_bf16_units

Activation = Literal["relu", "relu6"] | None


class ConvNorm(nn.Module):
    """A convolution without bias, batch normalisation, and perhaps an activation; for inference.

    The tensors are those of `conv` and `bn`, so that published weights load by name. `fold` then moves the
    normalisation into the convolution. Afterwards a CPU with oneDNN computes bias, activation and shortcut
    while the convolution's outputs are still in registers; elsewhere they are steps of their own.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel: size, or (height, width).
        stride: of both axes.
        padding: zeros on each side, or (rows, columns); None: half the kernel.
        groups: of the convolution.
        eps: of the normalisation.
        activation: what comes last.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] | None = None,
        groups: int = 1,
        *,
        eps: float,
        activation: Activation,
    ) -> None:
        super().__init__()
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        if padding is None:
            padding = (size[0] // 2, size[1] // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, size, stride, padding, groups=groups, bias=False)
        self.bn: nn.BatchNorm2d | None = nn.BatchNorm2d(out_channels, eps=eps)
        self.bn.register_buffer("num_batches_tracked", None)  # Counts training steps; some files lack it.
        self.activation: Activation = activation

    def fold(self) -> None:
        """Moves the normalisation into weight and bias of the convolution; in float64, rounded once."""
        norm = self.bn
        assert norm is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        weight = self.conv.weight
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        bias = norm.bias.double() - norm.running_mean.double() * scale
        folded = (weight.double() * scale[:, None, None, None]).to(weight.dtype)
        self.conv.weight = nn.Parameter(folded.contiguous(memory_format=torch.channels_last), False)
        self.conv.bias = nn.Parameter(bias.to(weight.dtype), False)
        self.bn = None

    def use_bf16(self) -> None:
        """Computes in bfloat16 from now on, whatever the input's type; after `fold`."""
        if self.conv.groups > 1:
            self.conv.weight.data = round_filters(self.conv.weight, torch.bfloat16)
        self.conv.to(torch.bfloat16)

    def forward(self, x: torch.Tensor, shortcut: torch.Tensor | None = None) -> torch.Tensor:
        """Maps [N, in, H, W] to [N, out, H', W']; a `shortcut` of the output's shape is added in the end."""
        if self.bn is None:
            x = x.to(self.conv.weight.dtype)
            if _can_fuse(x):
                return self._fused(x, shortcut)
        x = self.conv(x)
        if self.bn is not None:
            x = self.bn(x)
        if self.activation == "relu":
            x = F.relu(x)
        elif self.activation == "relu6":
            x = F.relu6(x)
        return x if shortcut is None else x + shortcut

    def _fused(self, x: torch.Tensor, shortcut: torch.Tensor | None) -> torch.Tensor:
        conv = self.conv
        geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        if shortcut is None:
            name, scalars = {"relu": ("relu", []), "relu6": ("hardtanh", [0.0, 6.0]), None: ("none", [])}[
                self.activation
            ]
            return torch.ops.mkldnn._convolution_pointwise(
                x, conv.weight, conv.bias, *geometry, name, scalars, ""
            )
        assert self.activation is None  # A shortcut is added to what has none, in all networks here.
        return torch.ops.mkldnn._convolution_pointwise.binary(
            x, shortcut.to(x.dtype), conv.weight, conv.bias, *geometry, "add", None, None, [], None
        )


def round_filters(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Rounds filters [N, 1, K, K] to values of `dtype`, each tap taking over the error of those before it.

    The taps are taken from the largest to the smallest, so that a sum is off by no more than the rounding of
    the smallest one.

    Returns:
        the rounded values in the type of `weight`.
    """
    taps = weight.flatten(1)
    rounded, error = torch.zeros_like(taps), taps.new_zeros(len(taps), 1)
    for order in taps.abs().argsort(dim=1, descending=True).split(1, dim=1):
        wanted = taps.gather(1, order) + error
        value = wanted.to(dtype).to(taps.dtype)
        rounded.scatter_(1, order, value)
        error = wanted - value
    return rounded.view_as(weight).contiguous(memory_format=torch.channels_last)


def fold_all(network: nn.Module) -> None:
    """Folds every `ConvNorm` of a network; see `ConvNorm.fold`."""
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold()


def _can_fuse(x: torch.Tensor) -> bool:
    """Returns whether torch has oneDNN's convolution with an epilogue, and for this tensor.

    The operator is what torch.compile emits on a CPU. It is no public function, has no gradient, and is
    missing from builds without oneDNN, which therefore take the separate steps.
    """
    if x.device.type != "cpu" or x.requires_grad or not torch.backends.mkldnn.enabled:
        return False
    if not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return False
    return x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and has_bf16_units(x.device))
