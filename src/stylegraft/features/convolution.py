"""Convolution, batch normalisation, activation: three steps to load, one pass over memory to run."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from stylegraft.runtime.precision import has_bf16_units

Activation = Literal["relu", "relu6"] | None

_LARGEST = {"relu": 1e9, "relu6": 6.0}


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

    Attributes:
        output_mean: after `fold`, mean of each output over the images that the network was trained on, [out].
    """

    output_mean: torch.Tensor

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
        self.output_mean = _mean_after(self.activation, norm).to(weight.dtype)
        folded = (weight.double() * scale[:, None, None, None]).to(weight.dtype)
        self.conv.weight = nn.Parameter(folded.contiguous(memory_format=torch.channels_last), False)
        self.conv.bias = nn.Parameter(bias.to(weight.dtype), False)
        self.bn = None

    def use_bf16(self, input_mean: torch.Tensor) -> None:
        """Computes in bfloat16 from now on, whatever the input's type; after `fold`.

        Only what is multiplied is rounded. The bias stays float32, and takes over what rounded weights would
        change in the mean (Nagel et al. 2019, "Data-Free Quantization", section 4.2).

        Args:
            input_mean: mean of each input, [in].
        """
        conv, weight = self.conv, self.conv.weight.data
        assert conv.bias is not None
        depthwise = conv.groups > 1
        rounded = round_filters(weight, torch.bfloat16) if depthwise else weight.to(torch.bfloat16)
        lost = (weight - rounded.to(weight.dtype)).sum(dim=(2, 3))  # [out, in / groups]
        conv.bias.data += lost[:, 0] * input_mean if depthwise else lost @ input_mean
        conv.weight.data = rounded.to(torch.bfloat16)

    def forward(self, x: torch.Tensor, shortcut: torch.Tensor | None = None) -> torch.Tensor:
        """Maps [N, in, H, W] to [N, out, H', W']; a `shortcut` of the output's shape is added in the end."""
        if self.bn is None:
            x = x.to(self.conv.weight.dtype)
            if _can_fuse(x):
                return self._fused(x, shortcut)
        conv = self.conv
        if conv.bias is None or conv.bias.dtype == x.dtype:
            y = conv(x)
        else:
            y = F.conv2d(x, conv.weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)
            y = y + conv.bias[:, None, None]
        if self.bn is not None:
            y = self.bn(y)
        if self.activation == "relu":
            y = F.relu(y)
        elif self.activation == "relu6":
            y = F.relu6(y)
        return (y if shortcut is None else y + shortcut).to(x.dtype)

    def _fused(self, x: torch.Tensor, shortcut: torch.Tensor | None) -> torch.Tensor:
        conv = self.conv
        geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        # With a shortcut the operator takes no bias of another type than that of `x`.
        if shortcut is not None and x.dtype == torch.float32:
            assert self.activation is None  # A shortcut is added to what has none, in all networks here.
            return torch.ops.mkldnn._convolution_pointwise.binary(
                x, shortcut, conv.weight, conv.bias, *geometry, "add", None, None, [], None
            )
        name, scalars = {"relu": ("relu", []), "relu6": ("hardtanh", [0.0, 6.0]), None: ("none", [])}[
            self.activation
        ]
        y = torch.ops.mkldnn._convolution_pointwise(x, conv.weight, conv.bias, *geometry, name, scalars, "")
        return y if shortcut is None else y.add_(shortcut)


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
    if x.dtype == torch.bfloat16:
        return has_bf16_units(x.device) and _takes_float_bias()
    return x.dtype == torch.float32


@lru_cache(maxsize=1)
def _takes_float_bias() -> bool:
    """Returns whether this torch adds a float32 bias to a convolution in bfloat16; 2.13 does."""
    one = torch.ones(1, 1, 1, 1, dtype=torch.bfloat16)
    try:
        torch.ops.mkldnn._convolution_pointwise(
            one, one, torch.ones(1), (0, 0), (1, 1), (1, 1), 1, "none", [], ""
        )
    except RuntimeError:
        return False
    return True


def _mean_after(activation: Activation, norm: nn.BatchNorm2d) -> torch.Tensor:
    """Returns the mean of each channel, float64, if a normalised one is Gaussian: of deviation `weight`.

    Source: Nagel et al. 2019, "Data-Free Quantization", appendix C: the mean of a clipped normal variable.
    """
    mean = norm.bias.double()
    if activation is None:
        return mean
    deviation = norm.weight.double().abs().clamp(min=1e-6)
    low, high = -mean / deviation, (_LARGEST[activation] - mean) / deviation
    below, above = torch.special.ndtr(low), torch.special.ndtr(-high)

    def density(x: torch.Tensor) -> torch.Tensor:
        return (-x.square() / 2).exp() / math.sqrt(2 * math.pi)

    inside = mean * (1 - below - above) + deviation * (density(low) - density(high))
    return inside + _LARGEST[activation] * above
