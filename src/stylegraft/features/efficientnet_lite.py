"""EfficientNet-Lite: an ImageNet classifier whose 1280-d head gives features for distances.

Inverted bottlenecks without squeeze-and-excitation and with ReLU6 (Sandler et al. 2018, "MobileNetV2"; Tan
and Le 2019, "EfficientNet"; the Lite variants were published with the latter's code).

TensorFlow's SAME padding puts the odd pixel of a stride of 2 to the bottom and right, which no convolution
of torch does by itself. Seen in a mirror (both axes), that pixel is at the top and left, and there the usual
padding of kernel // 2 puts it too. So this network looks at mirrored images with mirrored kernels: the same
sums, hence the same means, and no copies for padding.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import nn

from stylegraft.features.bottlenecks import BottleneckTrunk, InvertedBottleneck
from stylegraft.features.convolution import ConvNorm
from stylegraft.features.inputs import resize_bicubic
from stylegraft.features.trunk import Layout

_STEM_CHANNELS = 32
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
LITE1 = LiteScaling(width=1.0, depth=1.1, image_px=240)
LITE2 = LiteScaling(width=1.1, depth=1.2, image_px=260)


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


class EfficientNetLite(BottleneckTrunk):
    """One member of the family, from pixels to the mean of its last activation."""

    dim = 1280
    layouts = (Layout(lambda key: _published_name(key), unused=("_fc.",)),)

    def __init__(self, scaling: LiteScaling) -> None:
        plan = plan_blocks(scaling)
        super().__init__(
            stem=ConvNorm(3, _STEM_CHANNELS, 3, 2, eps=_BN_EPS, activation="relu6"),
            blocks=[InvertedBottleneck(**asdict(block), eps=_BN_EPS) for block in plan],
            head=ConvNorm(plan[-1].out_channels, self.dim, 1, eps=_BN_EPS, activation="relu6"),
        )
        self.image_px = scaling.image_px
        # Lite0 keeps distances between sets of pictures within 0.3 %; Lite1 was seen to move one by 0.65 %.
        self.has_bf16 = scaling == LITE0

    def after_load(self) -> None:
        """Turns the kernels round, as the head of this file says."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.conv.weight = nn.Parameter(module.conv.weight.flip(2, 3), False)

    def prepare(self, rgb255: torch.Tensor) -> torch.Tensor:
        """Maps RGB [N, 3, H, W] in 0..255 to the network's scale and size, in a mirror."""
        # Scaling first costs less on small images, and is the same: the weights of a resize sum to one.
        return resize_bicubic(((rgb255 - 127) / 128).flip(2, 3), self.image_px)


def _published_name(key: str) -> str:
    """Returns what the published files call one of our tensors."""
    for ours, published in _NAMES.items():
        key = key.replace(ours, published)
    return key


_NAMES = {
    "blocks.": "_blocks.",
    "stem.conv.": "_conv_stem.",
    "stem.bn.": "_bn0.",
    "head.conv.": "_conv_head.",
    "head.bn.": "_bn1.",
    "expand.conv.": "_expand_conv.",
    "expand.bn.": "_bn0.",
    "depthwise.conv.": "_depthwise_conv.",
    "depthwise.bn.": "_bn1.",
    "project.conv.": "_project_conv.",
    "project.bn.": "_bn2.",
}


def _round_to_eight(channels: float) -> int:
    """Rounds to the nearest multiple of 8, but never more than 10 % down."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
