"""EfficientNet-Lite: an ImageNet classifier whose 1280-d head gives features for distances.

Inverted bottlenecks without squeeze-and-excitation and with ReLU6 (Sandler et al. 2018, "MobileNetV2"; Tan
and Le 2019, "EfficientNet"; the Lite variants were published with the latter's code). Attribute names are the
keys of the published weights, so that these load strictly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

FEATURE_DIM = 1280
_STEM_CHANNELS = 32
_NUM_CLASSES = 1000
_BN_EPS = 1e-3


@dataclass(frozen=True)
class LiteScaling:
    """What tells the members of the family apart.

    Args:
        width: multiplies the channels of every stage (rounded to multiples of 8), not of stem and head.
        depth: multiplies the repeats of every stage (rounded up) but the first and the last.
        image_px: height and width that the network was trained at.
    """

    width: float
    depth: float
    image_px: int


LITE0 = LiteScaling(width=1.0, depth=1.0, image_px=224)


@dataclass(frozen=True)
class BlockPlan:
    """One inverted bottleneck: channels, kernel size, stride and expansion factor."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    expand: int


# (repeats, kernel, stride of the first block, expansion, output channels) of each stage of Lite0.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def plan_blocks(scaling: LiteScaling) -> list[BlockPlan]:
    """Returns the bottlenecks of one member of the family, from the stem to the head."""
    blocks: list[BlockPlan] = []
    in_channels = _STEM_CHANNELS
    for stage, (repeats, kernel, stride, expand, channels) in enumerate(_STAGES):
        if stage not in (0, len(_STAGES) - 1):
            repeats = math.ceil(repeats * scaling.depth)
        out_channels = _round_to_eight(channels * scaling.width)
        for index in range(repeats):
            first = index == 0
            blocks.append(BlockPlan(in_channels, out_channels, kernel, stride if first else 1, expand))
            in_channels = out_channels
    return blocks


class EfficientNetLite(nn.Module):
    """The trunk and the (unused by features) classifier of one member of the family.

    Built for inference: `load_published` loads the weights and folds batch normalisation away. Inputs to
    `forward` are RGB, already resized and scaled by `normalise`.
    """

    def __init__(self, scaling: LiteScaling) -> None:
        super().__init__()
        self.image_px = scaling.image_px
        plan = plan_blocks(scaling)
        self._conv_stem = SameConv2d(3, _STEM_CHANNELS, kernel=3, stride=2)
        self._bn0: nn.Module = nn.BatchNorm2d(_STEM_CHANNELS, eps=_BN_EPS)
        self._blocks = nn.ModuleList(InvertedBottleneck(block) for block in plan)
        self._conv_head = SameConv2d(plan[-1].out_channels, FEATURE_DIM, kernel=1)
        self._bn1: nn.Module = nn.BatchNorm2d(FEATURE_DIM, eps=_BN_EPS)
        self._fc = nn.Linear(FEATURE_DIM, _NUM_CLASSES)

    def load_published(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Loads every published tensor (none missing, none left over) and gets ready for inference.

        Raises:
            RuntimeError: from torch, naming keys that are missing, unexpected or of another shape.
        """
        self.load_state_dict(dict(tensors), strict=True)
        self.eval().requires_grad_(False)
        self.fold_batch_norm()
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def fold_batch_norm(self) -> None:
        """Moves each batch normalisation into the convolution before it: half the passes over memory."""
        self._bn0 = _fold(self._conv_stem, self._bn0)
        self._bn1 = _fold(self._conv_head, self._bn1)
        for block in self._blocks:
            assert isinstance(block, InvertedBottleneck)
            block.fold_batch_norm()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps normalised RGB [N, 3, H, W] to features [N, 1280], the mean after the head's ReLU6."""
        x = _relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = _relu6(self._bn1(self._conv_head(x)))
        return x.mean(dim=(2, 3))


class InvertedBottleneck(nn.Module):
    """Expand by a 1x1, filter each channel, project by a 1x1 without activation; add the input if it fits."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        hidden = plan.in_channels * plan.expand
        self.expands = plan.expand != 1
        self.has_shortcut = plan.stride == 1 and plan.in_channels == plan.out_channels
        if self.expands:
            self._expand_conv = SameConv2d(plan.in_channels, hidden, kernel=1)
            self._bn0: nn.Module = nn.BatchNorm2d(hidden, eps=_BN_EPS)
        self._depthwise_conv = SameConv2d(hidden, hidden, plan.kernel, plan.stride, groups=hidden)
        self._bn1: nn.Module = nn.BatchNorm2d(hidden, eps=_BN_EPS)
        self._project_conv = SameConv2d(hidden, plan.out_channels, kernel=1)
        self._bn2: nn.Module = nn.BatchNorm2d(plan.out_channels, eps=_BN_EPS)

    def fold_batch_norm(self) -> None:
        """See `EfficientNetLite.fold_batch_norm`."""
        if self.expands:
            self._bn0 = _fold(self._expand_conv, self._bn0)
        self._bn1 = _fold(self._depthwise_conv, self._bn1)
        self._bn2 = _fold(self._project_conv, self._bn2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [N, in, H, W] to [N, out, ceil(H / stride), ceil(W / stride)]."""
        y = _relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = _relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.has_shortcut else y


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME: the odd pixel goes to the bottom and right."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, groups=groups, bias=False)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Maps [N, in, H, W] to [N, out, ceil(H / stride), ceil(W / stride)]."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        pad_h, pad_w = (max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in input.shape[2:])
        before = (pad_h // 2, pad_w // 2)
        if pad_h % 2 or pad_w % 2:
            input = F.pad(input, (before[1], pad_w - before[1], before[0], pad_h - before[0]))
            before = (0, 0)
        return F.conv2d(input, self.weight, self.bias, self.stride, before, groups=self.groups)


def normalise(rgb255: torch.Tensor) -> torch.Tensor:
    """Scales 0..255 to what the published weights were trained on."""
    return (rgb255 - 127) / 128


def _fold(conv: nn.Conv2d, norm: nn.Module) -> nn.Identity:
    """Multiplies the statistics of `norm` into `conv`; in double precision, rounded once."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: PT018
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.double() - norm.running_mean.double() * scale
    dtype = conv.weight.dtype
    conv.weight = nn.Parameter((conv.weight.double() * scale[:, None, None, None]).to(dtype), False)
    conv.bias = nn.Parameter(bias.to(dtype), False)
    return nn.Identity()


def _relu6(x: torch.Tensor) -> torch.Tensor:
    return F.hardtanh(x, 0.0, 6.0, inplace=True)


def _round_to_eight(channels: float) -> int:
    """Rounds to the nearest multiple of 8, but never more than 10 % down."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
