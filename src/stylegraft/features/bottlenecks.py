"""Networks of inverted bottlenecks (Sandler et al. 2018, "MobileNetV2"): what two families have in common.

In bfloat16 they are quicker on a CPU with units for it, but features move, and distances with them. Measured
part by part, most of that comes from the stem and the first two blocks, where smooth areas of a picture are
rounded alike and few channels carry all; from rounded biases; and from rounded filters, whose sum decides how
bright a smooth area looks. So the first parts stay in float32, biases too, and filters are rounded such that
their sums (`round_filters`) and mean results (`ConvNorm.use_bf16`) are kept.
"""

from __future__ import annotations

import torch
from torch import nn

from stylegraft.features.convolution import ConvNorm
from stylegraft.features.trunk import Trunk

_FLOAT32_BLOCKS = 2


class BottleneckTrunk(Trunk):
    """A stem, inverted bottlenecks and a head, whose last activation is averaged over the picture.

    Args:
        stem: from RGB.
        blocks: the bottlenecks in order.
        head: a 1x1 convolution to `dim` channels.
    """

    batch = 8  # Larger batches fall out of the cache of a CPU at 224 px.

    def __init__(self, stem: ConvNorm, blocks: list[InvertedBottleneck], head: ConvNorm) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    def use_bf16(self) -> None:
        """Runs most bottlenecks and the head in bfloat16 from now on; see the head of this file."""
        mean = self.stem.output_mean
        for index, block in enumerate(self.blocks):
            assert isinstance(block, InvertedBottleneck)
            if index >= _FLOAT32_BLOCKS:
                block.use_bf16(mean)
            mean = block.output_mean(mean)
        self.head.use_bf16(mean)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps prepared images to features [N, dim] in float32 (float64 if x is)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x).mean(dim=(2, 3), dtype=torch.promote_types(x.dtype, torch.float32))


class InvertedBottleneck(nn.Module):
    """Expand by a 1x1, filter each channel, project by a 1x1 without activation; add the input if it fits.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel: of the filter.
        stride: of the filter.
        expand: channels inside over those of the input; at 1 there is no expansion.
        eps: of the batch normalisations.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int, expand: int, *, eps: float
    ) -> None:
        super().__init__()
        hidden = in_channels * expand
        self.has_shortcut = stride == 1 and in_channels == out_channels
        self.expand = (
            ConvNorm(in_channels, hidden, 1, eps=eps, activation="relu6") if expand != 1 else nn.Identity()
        )
        self.depthwise = ConvNorm(hidden, hidden, kernel, stride, groups=hidden, eps=eps, activation="relu6")
        self.project = ConvNorm(hidden, out_channels, 1, eps=eps, activation=None)

    def output_mean(self, input_mean: torch.Tensor) -> torch.Tensor:
        """Returns the mean of each output, [out], over the images that the network was trained on."""
        mean = self.project.output_mean
        return mean + input_mean if self.has_shortcut else mean

    def use_bf16(self, input_mean: torch.Tensor) -> None:
        """Computes in bfloat16 from now on; see `ConvNorm.use_bf16`."""
        for part in (self.expand, self.depthwise, self.project):
            if isinstance(part, ConvNorm):
                part.use_bf16(input_mean)
                input_mean = part.output_mean

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [N, in, H, W] to [N, out, ceil(H / stride), ceil(W / stride)]."""
        y = self.depthwise(self.expand(x))
        return self.project(y, x) if self.has_shortcut else self.project(y)
